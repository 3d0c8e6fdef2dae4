"""RP2350B reference board: every terminal."""

from mcu.boards.common import *  # noqa: F403
from mcu.boards.common import RP2350 as CHIP  # noqa: F401

NAME = "reference"
PILOT_ADC = (40, 41)
PILOT_ADC_CHANNEL = (0, 1)

# DRV8876 in phase/enable mode, fault open drain; feedback on an MCP3204.
LOCK_DIRECTION = (24, 25)
LOCK_FAULT = (26, 27)
LOCK_CONVERTER_SELECT = 28
LOCK_FEEDBACK = (0, 1)

# AD7124-8: AIN of temperature input 1 to 9, and of the fixed resistor of 1 kohm.
TEMPERATURE_SELECT = 23
TEMPERATURE_INPUTS = (0, 1, 2, 3, 4, 5, 6, 7, 8)
TEMPERATURE_REFERENCE = 9
