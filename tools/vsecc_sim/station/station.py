"""The simulated station: emulated MCU with the real firmware, the real host, a DC bus and a car per outlet."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vsecc_host.app import App
from vsecc_host.runtime.trace_export import write_trace
from vsecc_host.settings.store import Settings
from vsecc_host.station.commands import Command
from vsecc_host.station.events import (
    AuthorizationDecided,
    CableCheckRequested,
    ChargeStopRequested,
    StationEvent,
    StopRequested,
    V2gSessionEnded,
)
from vsecc_host.station.faults import CAUSE_TEXT
from vsecc_host.station.values import Cause, EvseView, Phase
from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.mcu.service import McuEmulator
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import DcBus
from vsecc_sim.station.control import BadBody, Verb
from vsecc_sim.station.options import (
    DEMO_CAPACITY_WH,
    DEMO_SOC_PERCENT,
    DEMO_TARGET_SOC_PERCENT,
    StationOptions,
)
from vsecc_sim.station.outlet import Outlet
from vsecc_sim.station.recorder import Recorder
from vsecc_sim.trace_view import render_svg

START_TIMEOUT_S = 15.0  # MCU emulator up and hello accepted; a cold interpreter start takes well under one second
SETTLED_S = 8.0  # pilot back to B or A, relay open, after a session; the host's own bound is 5 s


class SimulatedStation:
    """Async context manager; inside it the station is up and cars may come."""

    def __init__(self, options: StationOptions) -> None:
        self.options = options
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        options = self.options
        self.mcu = McuEmulator(url="tcp://127.0.0.1:0", interpreter=options.interpreter, seed=options.seed)
        await self.mcu.start()
        numbers = range(1, options.evses + 1)
        buses = {number: DcBus() for number in numbers}
        self.settings = self._load_settings()
        self.app = App(self.settings, evses=list(numbers), loads=buses)
        self.outlets = {number: Outlet(number, self.mcu, buses[number]) for number in numbers}
        self.recorder = Recorder(self.app, asyncio.get_running_loop().time())
        self.app.listen(self._follow_external)
        self._plugs = 0
        self._profile = "default"
        try:
            await self.app.start()
            await self._until(self._ready, START_TIMEOUT_S, "the MCU does not answer")
        except BaseException:
            await self.app.stop()
            await self.mcu.stop()
            raise
        return self

    def _load_settings(self) -> Settings:
        options = self.options
        settings = Settings.load(factory=options.factory, config=options.config, state_dir=options.state_dir)
        settings.set_for_run("Mcu", "Url", self.mcu.url)
        for number, url in enumerate(options.plc, 1):
            settings.set_for_run("Plc", "Url", url, evse=number)
        return settings

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for outlet in self.outlets.values():
            await outlet.unplug(orderly=False)
        await self.app.stop()
        await self.mcu.stop()

    def _ready(self) -> bool:
        snapshot = self.app.snapshot()
        return snapshot.mcu is not None and all(view.cp_state.value for view in snapshot.evses)

    async def _until(self, condition: Any, within_s: float, what: str) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while not condition():
            if loop.time() > end_s:
                raise TimeoutError(what)
            await asyncio.sleep(0.01)

    # --- cars ---------------------------------------------------------------------------------------------------

    def plug(
        self,
        evse: int,
        *,
        profile: str = "default",
        protocol: str = "din",
        soc: float | None = None,
        target_soc: float | None = None,
        external: bool = False,
    ) -> None:
        """Plug a car in; raises BadBody when the outlet is taken or the profile unknown."""
        outlet = self._outlet(evse)
        if outlet.plugged:
            raise BadBody(f"outlet {evse} has a car already")
        self.recorder.start_session(evse, asyncio.get_running_loop().time())
        if external:
            outlet.plug_external()
            return
        self._profile = profile
        self._plugs += 1
        demo = self.options.demo_battery
        start = DEMO_SOC_PERCENT if soc is None else soc
        battery = Battery.of_profile(load_profile(profile), start, capacity_wh=DEMO_CAPACITY_WH if demo else None)
        host, port = self.app.evses[evse].v2g.sdp_address
        car = EvSimulator(
            profile,
            sdp=f"sdp://[{host}]:{port}",
            bus=outlet.bus,
            battery=battery,
            pilot=outlet.pilot,
            target_soc_percent=DEMO_TARGET_SOC_PERCENT if target_soc is None else target_soc,
            seed=self.options.seed + self._plugs,
        )
        outlet.plug(car)

    async def session_over(self, evse: int) -> None:
        """Wait for the end of the simulated car's session."""
        await self._outlet(evse).session_over()

    async def unplugged(self, evse: int) -> None:
        """Unplug and wait until the station is idle again."""
        await self._outlet(evse).unplug(orderly=True)
        await self._until(lambda: self.view(evse).phase is Phase.IDLE, SETTLED_S, f"outlet {evse} did not get idle")

    def view(self, evse: int) -> EvseView:
        """The host's view of this outlet."""
        return self.app.evses[evse].machine.view

    def _outlet(self, evse: int) -> Outlet:
        if evse not in self.outlets:
            raise BadBody(f"no outlet {evse}; there are {', '.join(map(str, self.outlets))}")
        return self.outlets[evse]

    def _follow_external(self, what: StationEvent | Command) -> None:
        """The pilot of an external car follows its session: C for the cable check, B when power delivery ends."""
        evse = getattr(what, "evse_id", None)
        outlet = self.outlets.get(evse) if isinstance(evse, int) else None
        if outlet is None or not outlet.external:
            return
        if isinstance(what, CableCheckRequested):
            outlet.pilot.set_state("C")
        elif isinstance(what, (ChargeStopRequested, V2gSessionEnded)):
            outlet.pilot.set_state("B")

    # --- control API --------------------------------------------------------------------------------------------

    def verbs(self) -> Mapping[str, Verb]:
        """The control API's verbs; each raises BadBody for what cannot be done."""
        return {
            "plug": self._plug_verb,
            "unplug": self._unplug_verb,
            "token": self._token_verb,
            "start-button": self._start_button_verb,
            "stop": self._stop_verb,
            "fault": self._fault_verb,
            "ev-pause": lambda body: self._not_yet("ev-pause"),
            "ev-resume": lambda body: self._not_yet("ev-resume"),
            "io": self._io_verb,
            "clock": self._clock_verb,
        }

    def _not_yet(self, verb: str) -> None:
        raise BadBody(f"{verb} is not there yet: DIN SPEC 70121 knows no pause")

    def _plug_verb(self, body: dict[str, Any]) -> None:
        if body.get("charge") == "ac" or body.get("auth") == "pnc":
            raise BadBody("only DC with external identification is there yet")
        try:
            self.plug(
                body["evse"],
                profile=body.get("profile", "default"),
                protocol=body.get("protocol", "din"),
                soc=body.get("soc"),
                target_soc=body.get("target_soc"),
                external=body.get("external", False),
            )
        except KeyError as error:
            raise BadBody(str(error)) from error

    def _unplug_verb(self, body: dict[str, Any]) -> None:
        outlet = self._outlet(body["evse"])
        self._background(outlet.unplug(orderly=body.get("orderly", False)))

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _publish(self, event: StationEvent) -> None:
        self.app.publish(event, self.app.trace.new_cause())

    def _token_verb(self, body: dict[str, Any]) -> None:
        evses = set(body.get("evses") or self.outlets)
        now = asyncio.get_running_loop().time()
        for event in self.app.authorization.token(body["value"], evses, now):
            self._publish(event)

    def _start_button_verb(self, body: dict[str, Any]) -> None:
        evse = self._outlet(body["evse"]).number
        now = asyncio.get_running_loop().time()
        self._publish(AuthorizationDecided(at=now, evse_id=evse, accepted=True, who="start button"))

    def _stop_verb(self, body: dict[str, Any]) -> None:
        evse = self._outlet(body["evse"]).number
        now = asyncio.get_running_loop().time()
        emergency = body.get("emergency", False)
        self._publish(StopRequested(at=now, evse_id=evse, who="control API", emergency=emergency))

    def _fault_verb(self, body: dict[str, Any]) -> None:
        outlet = self._outlet(body["evse"])
        code, active = body["code"], body.get("active", True)
        power = self.app.evses[outlet.number].power
        if code in power.FAULTS:
            power.inject(code, active)
        elif code in self.mcu.FAULTS:
            self.mcu.inject(code, active, port=outlet.number)
        else:
            raise BadBody(f"no fault {code}; there are {', '.join(sorted([*power.FAULTS, *self.mcu.FAULTS]))}")

    def _io_verb(self, body: dict[str, Any]) -> None:
        try:
            self.mcu.drive_inputs(body["inputs"])
        except ValueError as error:
            raise BadBody(str(error)) from error

    def _clock_verb(self, body: dict[str, Any]) -> None:
        advance = getattr(asyncio.get_running_loop(), "advance", None)
        if not self.options.virtual_time or advance is None:
            raise BadBody("clock needs --virtual-time")
        if body["advance_s"] < 0:
            raise BadBody("time does not run backwards")
        advance(body["advance_s"])

    # --- what an outside test wants to see ----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Body of GET /sim/state."""
        snapshot = self.app.snapshot()
        return {
            "now_s": round(asyncio.get_running_loop().time(), 3),
            "mcu": {
                "linked": snapshot.mcu is not None,
                "problem": snapshot.mcu_problem,
                "image": snapshot.mcu.image_sha256 if snapshot.mcu else None,
                "interpreter": snapshot.mcu.interpreter if snapshot.mcu else None,
            },
            "evses": [self._evse_state(view) for view in snapshot.evses],
        }

    def _evse_state(self, view: EvseView) -> dict[str, Any]:
        outlet = self.outlets[view.evse_id]
        v2g = self.app.evses[view.evse_id].v2g
        return {
            "evse": view.evse_id,
            "phase": view.phase.value,
            "cp_state": view.cp_state.name,
            "pilot_duty_permille": outlet.pilot.duty_permille(),
            "relay_closed": view.relay_closed,
            "relay_contact": self.mcu.relay(view.evse_id).closed,
            "ev_phase": outlet.ev_phase,
            "v2g_state": v2g.state_name,
            "transaction": None,
            "authorization": view.authorization.value,
            "voltage_v": round(view.power.voltage_v, 2),
            "current_a": round(view.power.current_a, 2),
            "soc_percent": outlet.soc_percent,
            "cable_check": view.cable_check.value,
            "cause": view.cause.value,
            "cause_text": CAUSE_TEXT[view.cause],
            "port_faults": list(view.port_faults),
            "limits": {
                "max_voltage_v": view.limits.max_voltage_v,
                "max_current_a": view.limits.max_current_a,
                "max_power_w": view.limits.max_power_w,
                "owner": view.limits.owner,
            },
        }

    def interpreter_line(self) -> str:
        """What runs the firmware, for a person."""
        mcu = self.mcu.interpreter
        return f"{mcu.name} {mcu.version} ({mcu.arch})"

    def summary(self) -> dict[str, Any]:
        """Summary of `vsecc demo`, see the command's contract."""
        evses, goals, errors = [], [], []
        end = Cause.NONE.value
        for number, outlet in self.outlets.items():
            record, result = self.recorder.outlets[number], outlet.result
            if result is None:
                continue
            goals.append(result.goal)
            end = result.end
            errors += [f"EVSE {number}: {text}" for text in result.errors]
            evses.append(
                {
                    "evse": number,
                    "energy_wh": round(result.energy_wh, 1),
                    "soc_start": round(result.soc_start, 1),
                    "soc_end": round(result.soc_end, 1),
                    "phases": [
                        {"name": p.name, "start_s": round(p.start_s, 3), "duration_s": round(p.duration_s, 3)}
                        for p in record.phases
                    ],
                }
            )
        mcu = self.mcu.interpreter
        return {
            "goal": bool(goals) and all(goals),
            "protocol": next((r.protocol for r in self.recorder.outlets.values() if r.protocol), ""),
            "profile": self._profile,
            "end": end,
            "evses": evses,
            "answers": self.recorder.answers(),
            "relay": [
                {"evse": number, "closed_s": round(record.relay_closed_s, 3)}
                for number, record in self.recorder.outlets.items()
            ],
            "mcu": {"interpreter": mcu.name, "version": mcu.version, "arch": mcu.arch},
            "memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            "errors": errors,
        }

    def write_trace(self, path: str | Path) -> None:
        """Write the trace as .pcapng, .json or .svg, by the name's ending."""
        path = Path(path)
        if path.suffix == ".svg":
            path.write_text(render_svg(self.app.trace))
        else:
            write_trace(self.app.trace, path)
