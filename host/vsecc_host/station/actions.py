"""The actions the cells of the table name."""

from __future__ import annotations

from collections.abc import Callable

from vsecc_host.station import energy, matching, plugging, stopping
from vsecc_host.station.events import StationEvent
from vsecc_host.station.state import EvseState
from vsecc_host.station.table import Step

Action = Callable[[EvseState, Step, StationEvent | None, float], None]


def skip(s: EvseState, step: Step, event: StationEvent | None, now: float) -> None:
    """Nothing: the input has no meaning here, or its value was noted already."""


ACTIONS: dict[str, Action] = {
    "skip": skip,
    "note": skip,
    "greet": plugging.greet,
    "reboot": plugging.reboot,
    "plug": plugging.plug,
    "match_pilot": matching.match_pilot,
    "error_pilot": matching.error_pilot,
    "matching_failed": matching.matching_failed,
    "matching_over": matching.matching_over,
    "linked": matching.linked,
    "plug_faulted": plugging.plug_faulted,
    "arm": plugging.arm,
    "unplug": plugging.unplug,
    "unplug_faulted": plugging.unplug_faulted,
    "block": plugging.block,
    "free": plugging.free,
    "hold": plugging.hold,
    "begin": energy.begin,
    "refuse": stopping.refuse,
    "cable": energy.cable,
    "grant": energy.grant,
    "close": energy.close,
    "close_again": energy.close_again,
    "check": energy.check,
    "passed": energy.passed,
    "aim_pre_charge": energy.aim_pre_charge,
    "start": energy.start,
    "aim_charge": energy.aim_charge,
    "aim_again": energy.aim_again,
    "ease": energy.ease,
    "trip": stopping.trip,
    "stop_hard": stopping.stop_hard,
    "renegotiate": stopping.renegotiate,
    "wish_terms": stopping.wish_terms,
    "ramp": stopping.ramp,
    "open": stopping.open_,
    "stuck": stopping.stuck,
    "ask_stop": stopping.ask_stop,
    "break_off": stopping.break_off,
    "note_end": stopping.note_end,
    "give_up": stopping.give_up,
    "conclude": stopping.conclude,
    "finish": stopping.finish,
    "pilot_off": stopping.pilot_off,
    "dismiss": plugging.dismiss,
    "keep_out": plugging.keep_out,
    "wake": plugging.wake,
}
