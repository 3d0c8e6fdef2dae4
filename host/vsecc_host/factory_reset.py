"""The factory-reset button: sessions end in good order, then values changed while running are forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from vsecc_host.settings.store import Change, Settings
from vsecc_host.settings.variable import Acts
from vsecc_host.station.events import ButtonHeld

HELD_AT_LEAST_MS = 5000
WHO = "factory reset"
# System LED, patterns of SET_LED; 0 leaves it to the MCU again.
LED_AT_WORK = 3
LED_DONE = 1
LED_FAILED = 4
LED_OF_MCU = 0
SHOWN_S = 5.0  # how long the outcome is shown
_WHEN = {
    Acts.NOW: "acting now",
    Acts.NEXT_SESSION: "acting with the next session",
    Acts.RESTART: "acting after a restart",
}

logger = logging.getLogger(__name__)


class FactoryReset:
    """`stop(evse, who, cause)` ends a session, `show(pattern, cause)` drives the system LED.

    `later(seconds, work)` is the clock. A new session of an outlet that was free does not delay the reset: no
    change of a setting stops a session.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stop: Callable[[int, str, int], None],
        show: Callable[[int, int], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._show = show
        self._later = later
        self._waiting: set[int] = set()
        self._outcomes = 0

    @property
    def waits_for(self) -> Collection[int]:
        """Outlets whose session has to end first."""
        return self._waiting

    def button(self, event: ButtonHeld, in_session: Collection[int], cause: int) -> None:
        """The button was held or released; `in_session`: outlets with a session."""
        if not event.pressed or event.held_ms < HELD_AT_LEAST_MS or self._waiting:
            return
        self._show(LED_AT_WORK, cause)
        self._waiting = set(in_session)
        if not self._waiting:
            self._reset(cause)
            return
        logger.warning("factory reset: stopping %s first", _outlets(self._waiting))
        for evse in sorted(self._waiting):
            self._stop(evse, WHO, cause)

    def session_over(self, evse: int, cause: int) -> None:
        """No session at this outlet; the last one awaited lets the reset go on."""
        if evse in self._waiting:
            self._waiting.discard(evse)
            if not self._waiting:
                self._reset(cause)

    def _reset(self, cause: int) -> None:
        try:
            changes = self._settings.reset()
        except OSError as error:
            logger.error("factory reset failed, nothing was changed: %s", error)
            self._tell(LED_FAILED, cause)
            return
        logger.warning("factory reset: %s", told(changes))
        self._tell(LED_DONE, cause)

    def _tell(self, pattern: int, cause: int) -> None:
        self._show(pattern, cause)
        self._outcomes += 1
        number = self._outcomes
        self._later(SHOWN_S, lambda: self._hand_back(number, cause))

    def _hand_back(self, number: int, cause: int) -> None:
        if number == self._outcomes and not self._waiting:
            self._show(LED_OF_MCU, cause)


def told(changes: Sequence[Change]) -> str:
    """One line for a person: what went back and when it acts; names only, values may be secret."""
    if not changes:
        return "no value differed from its factory value"
    parts = [f"{len(changes)} value{'s' if len(changes) > 1 else ''} back"]
    for acts in Acts:
        names = [str(change.key) for change in changes if change.variable.acts is acts]
        if names:
            parts.append(f"{_WHEN[acts]}: {', '.join(names)}")
    return "; ".join(parts)


def _outlets(numbers: Collection[int]) -> str:
    return ", ".join(f"EVSE {number}" for number in sorted(numbers))
