"""Digital inputs that mean something to the station. Pure."""

from __future__ import annotations


class EmergencyInput:
    """The emergency stop wired to input `number` (1..8), None when there is none.

    `active_low`: the loop is closed, input on, while all is well; a broken wire stops as the button does.
    """

    def __init__(self, number: int | None, *, active_low: bool) -> None:
        self._mask = 0 if number is None else 1 << (number - 1)
        self._active_low = active_low

    def pressed(self, digital_inputs: int, *, readable: bool = True) -> bool:
        """Whether the inputs (bit 0 = input 1) ask for the stop now; one that cannot be read does."""
        if not self._mask:
            return False
        if not readable:
            return True
        return bool(digital_inputs & self._mask) is not self._active_low
