"""Raspberry Pi Pico 2, reduced: no lock bridges, no temperature inputs, no read-back of overload."""

from mcu.boards.common import *  # noqa: F403
from mcu.boards.common import RP2350 as CHIP  # noqa: F401

NAME = "pico2"
PILOT_ADC = (26, 27)
PILOT_ADC_CHANNEL = (0, 1)
EXPANDER_OVERLOAD = None
