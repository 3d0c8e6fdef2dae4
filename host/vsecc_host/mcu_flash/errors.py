"""What may go wrong between us and a device, in one line each."""


class FlashError(Exception):
    """The device could not be flashed, or cannot be reached; it boots a complete program all the same."""


class NoPrompt(FlashError):
    """Whatever is at the port, it is no MicroPython, or a program that cannot be stopped."""


class ConnectionLost(FlashError):
    """The console vanished or fell silent: cable, power or a reset."""
