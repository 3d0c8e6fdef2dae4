"""The MCU emulator: board model, interpreter process and the firmware's own code."""
