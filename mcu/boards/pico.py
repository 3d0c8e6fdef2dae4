"""Raspberry Pi Pico, reduced: no lock bridges, no temperature inputs, no read-back of overload."""

from mcu.boards.common import *  # noqa: F403
from mcu.boards.common import RP2040 as CHIP  # noqa: F401

NAME = "pico"
PILOT_ADC = (26, 27)
PILOT_ADC_CHANNEL = (0, 1)
EXPANDER_OVERLOAD = None
