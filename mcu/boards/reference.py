"""RP2350B reference board."""

from mcu.boards.common import *  # noqa: F403
from mcu.boards.common import RP2350 as CHIP  # noqa: F401

NAME = "reference"
PILOT_ADC = (40, 41)
PILOT_ADC_CHANNEL = (0, 1)
