"""Pin maps and dividers, one module per board."""


def choose(machine_name):
    """Board module for the interpreter's machine text; the reference board when it is none we know."""
    if "RP2040" in machine_name:
        from mcu.boards import pico as board
    elif "Pico2" in machine_name or "Pico 2" in machine_name:
        from mcu.boards import pico2 as board
    else:
        from mcu.boards import reference as board
    return board
