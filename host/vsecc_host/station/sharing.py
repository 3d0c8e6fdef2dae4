"""The station's total power shared by its outlets: who wants less leaves the rest to the others. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from vsecc_host.station.events import ChargeTargetRequested, EvseEvent, LimitChanged, StationEvent
from vsecc_host.station.values import STATION_TOTAL, EvseView, Phase

CONTENT = 0.9  # a car that asks for less than this part of its share wants no more
HEADROOM = 1.1  # what a content car gets above its request, so that it may grow
HEADROOM_W = 5_000.0
STEP_W = 500.0  # a share that grew by less is not worth telling a car; one that shrank always is

_DRAWING = frozenset({Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING})


class PowerSharing:
    """`hear` every event; the LimitChanged it returns are for the station heart. No total: no limits."""

    def __init__(self, total_w: float | None, evses: Sequence[int]) -> None:
        self._total_w = total_w
        self._evses = tuple(evses)
        self._asked_w: dict[int, float] = {}
        self._told_w: dict[int, float] = {}

    def resize(self, total_w: float | None) -> None:
        """Another total, from the next event on; what the cars want stays known."""
        self._total_w = total_w

    def hear(self, event: StationEvent, views: Sequence[EvseView]) -> list[LimitChanged]:
        """New shares, when an event of an outlet changed them."""
        if self._total_w is None or not isinstance(event, EvseEvent) or isinstance(event, LimitChanged):
            return []
        drawing = [view.evse_id for view in views if _draws(view)]
        self._note(event, drawing)
        shares = self._shares(self._total_w, drawing)
        changed = {evse: share for evse, share in shares.items() if self._worth_telling(evse, share)}
        gives_first = sorted(changed, key=lambda evse: changed[evse] - self._told_w.get(evse, 0.0))
        self._told_w.update(changed)
        return [
            LimitChanged(at=event.at, evse_id=evse, owner=STATION_TOTAL, max_power_w=changed[evse])
            for evse in gives_first
        ]

    def _note(self, event: EvseEvent, drawing: Sequence[int]) -> None:
        if isinstance(event, ChargeTargetRequested):
            self._asked_w[event.evse_id] = event.voltage_v * event.current_a
        for evse in self._evses:
            if evse not in drawing:
                self._asked_w.pop(evse, None)

    def _shares(self, total_w: float, drawing: Sequence[int]) -> dict[int, float]:
        """Equal shares; a content car leaves what it does not need; what nobody needs is promised to all."""
        shares: dict[int, float] = {}
        left_w, open_evses = total_w, list(drawing)
        while open_evses:
            equal_w = left_w / len(open_evses)
            modest = [evse for evse in open_evses if self._enough_w(evse, equal_w) < equal_w]
            if not modest:
                shares.update(dict.fromkeys(open_evses, equal_w))
                left_w = 0.0
                break
            for evse in modest:
                shares[evse] = self._enough_w(evse, equal_w)
                left_w -= shares[evse]
                open_evses.remove(evse)
        shares = {evse: share_w + left_w / len(shares) for evse, share_w in shares.items()}
        # An outlet without a car may promise what a newcomer would get.
        newcomer_w = total_w / (len(drawing) + 1)
        return {evse: shares.get(evse, newcomer_w) for evse in self._evses}

    def _enough_w(self, evse: int, equal_w: float) -> float:
        """What this outlet needs of an equal share; all of it when unknown or wanted."""
        asked_w = self._asked_w.get(evse)
        if not asked_w or asked_w >= CONTENT * min(equal_w, self._told_w.get(evse, equal_w)):
            return equal_w
        return max(asked_w * HEADROOM, asked_w + HEADROOM_W)

    def _worth_telling(self, evse: int, share_w: float) -> bool:
        told_w = self._told_w.get(evse)
        return told_w is None or share_w < told_w or share_w >= told_w + STEP_W


def _draws(view: EvseView) -> bool:
    """Energy may flow or soon will: not while somebody looks for a card, still while a session ends."""
    return view.relay_closed or view.phase in _DRAWING
