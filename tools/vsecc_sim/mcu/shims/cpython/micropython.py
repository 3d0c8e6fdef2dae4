"""Stand-in for MicroPython's own module on CPython."""


def const(value):
    """The value itself."""
    return value


def native(function):
    """The function itself."""
    return function


def alloc_emergency_exception_buf(size):
    """Nothing to reserve."""


def heap_lock():
    """CPython's heap cannot be locked."""


def heap_unlock():
    """CPython's heap cannot be locked."""
    return 0


def kbd_intr(code):
    """No console is emulated."""


def opt_level(level=0):
    """Optimisation is fixed."""
    return 0


def __getattr__(name):
    """`viper` is refused the way an interpreter without a native code emitter does it."""
    if name in ("viper", "asm_thumb"):
        raise SyntaxError("invalid micropython decorator")
    raise AttributeError(name)
