"""What a V2G protocol is to the simulated car: neutral intents to requests, responses to answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from vsecc_sim.ev.values import Answer, Intent, Step, Wrong

ONLY_CHARGING = (1,)  # the charge service's id
SERVICES: Mapping[Wrong | None, tuple[int, ...]] = {  # where the scenario wants others selected
    Wrong.SERVICE: (99,),
    Wrong.EXTRA_SERVICE: (1, 99),
}

_SHORT = 32767


class Dialect(Protocol):
    """One protocol from the car's side; pure."""

    name: str  # as `--protocol` takes it
    title: str  # as a person says it
    namespace: str
    slow_steps: frozenset[Step]  # their answers may take longer
    knows_pause: bool  # and renegotiation

    def request(self, step: Step, intent: Intent) -> bytes:
        """EXI of the request of `step`."""

    def answer(self, step: Step, payload: bytes) -> Answer:
        """The response to `step`; BadAnswer when the bytes or the message are not that."""


def whole(value: float, multiplier: int) -> int:
    """Number of a physical value with this power of ten, clamped to a short."""
    return max(-_SHORT, min(_SHORT, round(value / 10.0**multiplier)))
