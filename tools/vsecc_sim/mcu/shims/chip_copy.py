"""Block copy without allocation, for interpreters with a native code emitter."""
# ruff: noqa: F821

import micropython


@micropython.viper
def copy(target: ptr8, target_at: int, source: ptr8, source_at: int, count: int):
    """Copies `count` bytes upwards; overlapping is fine when moving towards the start."""
    for index in range(count):
        target[target_at + index] = source[source_at + index]
