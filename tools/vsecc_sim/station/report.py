"""The simulated station for machines: GET /sim/state, the summary of `vsecc demo`, trace files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsecc_host.station.faults import is_good_end, sentence
from vsecc_host.station.values import Cause, EvseView
from vsecc_sim.mcu.terminals import LED_NAMES, OUTPUTS
from vsecc_sim.pecc.report import state_of
from vsecc_sim.process_memory import memory_mib
from vsecc_sim.station.recorder import OutletRecord
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.trace_view import render_svg

if TYPE_CHECKING:
    from vsecc_host.slac.service import SlacService

_LEDS = ("system", "port1", "port2", "port3")


def state(station: SimulatedStation) -> dict[str, Any]:
    """Body of GET /sim/state: everything an outside test wants to see."""
    snapshot = station.app.snapshot()
    mcu = snapshot.mcu
    return {
        "now_s": round(asyncio.get_running_loop().time(), 3),
        "mcu": {
            "linked": mcu is not None,
            "problem": snapshot.mcu_problem,
            "image": mcu.image_sha256 if mcu else None,
            "interpreter": mcu.interpreter if mcu else None,
            "measured": dict(snapshot.measured),
        },
        "terminals": _terminals(station),
        "evses": [_evse_state(station, view) for view in snapshot.evses],
        **({} if station.pecc is None else {"pecc": state_of(station.pecc.points)}),
    }


def _terminals(station: SimulatedStation) -> dict[str, Any]:
    """Outputs, lights and locks as a wire or an eye at the emulated board would tell."""
    mcu = station.mcu
    return {
        "outputs": {f"d{number}": mcu.outputs >> number - 1 & 1 for number in range(1, OUTPUTS + 1)},
        "leds": {name: LED_NAMES[pattern] for name, pattern in zip(_LEDS, mcu.leds, strict=True)},
        "locks": {str(port): "locked" if locked else "unlocked" for port, locked in mcu.locked.items()},
    }


def _evse_state(station: SimulatedStation, view: EvseView) -> dict[str, Any]:
    outlet, record = station.outlets[view.evse_id], station.recorder.outlets[view.evse_id]
    slac = station.app.evses[view.evse_id].slac
    return {
        "evse": view.evse_id,
        "phase": view.phase.value,
        "cp_state": view.cp_state.name,
        "pilot_duty_permille": outlet.pilot.duty_permille(),
        "relay_closed": view.relay_closed,
        "relay_contact": station.mcu.relay(view.evse_id).closed,
        "contactors_closed": view.power.contactors_closed,
        "ev_phase": outlet.ev_phase,
        "slac_state": None if slac is None else str(slac.state),
        "slac": None if slac is None else _matching_state(slac, record),
        "v2g_state": station.app.evses[view.evse_id].v2g.state_name,
        "transaction": None,
        "authorization": view.authorization.value,
        "voltage_v": round(view.power.voltage_v, 2),
        "current_a": round(view.power.current_a, 2),
        "meter_wh": round(view.meter_wh, 1),
        "soc_percent": record.soc_told_percent if outlet.external else outlet.soc_percent,
        "cable_check": view.cable_check.value,
        "cause": view.cause.value,
        "cause_text": sentence(view.cause),
        "cause_detail": view.cause_detail,
        "port_faults": list(view.port_faults),
        "limits": {
            "max_voltage_v": view.limits.max_voltage_v,
            "max_current_a": view.limits.max_current_a,
            "max_power_w": view.limits.max_power_w,
            "owner": view.limits.owner,
            "bounds_w": {owner: round(watts, 1) for owner, watts in view.bounds_w},
        },
    }


def _matching_state(slac: SlacService, record: OutletRecord) -> dict[str, Any]:
    modem = slac.machine.modem
    return {
        "modem": {"state": modem.state.value, "version": modem.version, "detail": modem.detail},
        **record.matching.as_json(),
        "ignored_frames": slac.counters(),
    }


def summary(station: SimulatedStation) -> dict[str, Any]:
    """What happened since the newest plug-ins; the contract of `vsecc demo --json`."""
    outlets = [outlet for outlet in station.outlets.values() if outlet.result is not None]
    results = [outlet.result for outlet in outlets if outlet.result is not None]
    records = station.recorder.outlets
    mcu = station.mcu.interpreter
    return {
        "goal": bool(results) and all(result.goal for result in results),
        "protocol": next((records[outlet.number].protocol for outlet in outlets), ""),
        "profile": results[0].profile if results else "",
        "end": str(results[0].end) if results else "",
        "evses": [
            {
                "evse": outlet.number,
                "energy_wh": round(result.energy_wh, 1),
                "soc_start": round(result.soc_start, 1),
                "soc_end": round(result.soc_end, 1),
                "phases": [phase.as_json() for phase in records[outlet.number].phases],
                **_matching_summary(station, records[outlet.number]),
            }
            for outlet, result in zip(outlets, results, strict=True)
        ],
        "answers": station.recorder.answers(),
        "relay": [
            {"evse": outlet.number, "closed_s": round(records[outlet.number].relay_closed_s, 3)}
            for outlet in outlets
        ],
        "mcu": {"interpreter": mcu.name, "version": mcu.version, "arch": mcu.arch},
        "memory_mib": round(memory_mib().now_mib, 1),
        "errors": [
            f"EVSE {outlet.number}: {text}"
            for outlet, result in zip(outlets, results, strict=True)
            for text in (*_station_errors(records[outlet.number].end), *result.errors)
        ],
    }


def _matching_summary(station: SimulatedStation, record: OutletRecord) -> dict[str, Any]:
    over_powerline = station.app.evses[record.evse_id].slac is not None
    return {"slac": record.matching.as_json()} if over_powerline else {}


def _station_errors(cause: Cause) -> tuple[str, ...]:
    """The station's own reason, where the session did not end well; the car sees only what follows."""
    return () if is_good_end(cause) else (f"{cause.value}: {sentence(cause)}",)


TRACE_ENDINGS = (".pcapng", ".json", ".svg", ".txt")


def check_trace_file(path: str | Path) -> None:
    """ValueError or OSError for a file that `write_trace` could not write; it is there afterwards."""
    path = Path(path)
    if path.suffix not in TRACE_ENDINGS:
        raise ValueError(f"{path}: a trace ends in {', '.join(TRACE_ENDINGS)}")
    with path.open("ab"):
        pass


def write_trace(station: SimulatedStation, path: str | Path) -> None:
    """By the name's ending: .pcapng (Wireshark), .json (`vsecc replay`), .svg (a picture) or .txt (hops)."""
    # They decode every frame: they pull in the codec's JSON side.
    from vsecc_host.records.capture import to_capture
    from vsecc_host.records.flow import flows_text
    from vsecc_host.records.packets import to_pcapng

    path, trace = Path(path), station.app.trace
    if path.suffix == ".svg":
        path.write_text(render_svg(trace), encoding="utf-8")
    elif path.suffix == ".pcapng":
        path.write_bytes(to_pcapng(trace))
    elif path.suffix == ".txt":
        path.write_text(flows_text(trace), encoding="utf-8")
    else:
        path.write_text(json.dumps(to_capture(trace)), encoding="utf-8")
