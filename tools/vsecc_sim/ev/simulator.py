"""The simulated car as a whole: plug, pilot, discovery, V2G session, battery; one instance is one plug-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Protocol, Self

from vsecc_sim.ev import sdp_client, tls_client
from vsecc_sim.ev import values as v
from vsecc_sim.ev.approach import Approach
from vsecc_sim.ev.din import DinDialect
from vsecc_sim.ev.iso2 import Iso2Dialect
from vsecc_sim.ev.line import Line
from vsecc_sim.ev.machine import EvMachine
from vsecc_sim.ev.memory import Memory
from vsecc_sim.ev.misbehave import Act, Script
from vsecc_sim.ev.profiles import Profile, load_profile
from vsecc_sim.ev.result import EvResult, Progress, Record
from vsecc_sim.ev.scenario import Scenario
from vsecc_sim.ev.vehicle import Vehicle
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import DcBus

__all__ = ["EvResult", "EvSimulator", "NotPossible", "PilotPort", "Progress"]

NotPossible = v.NotPossible

DUTY_MIN, DUTY_MAX = 30, 70  # permille: digital communication required (IEC 61851-1 table A.8: 3 to 7 %)
_PILOT_PERIOD_S = 0.05
TOGGLE_S = 0.3  # state C of a B-C-B toggle, ISO 15118-3: 200 to 400 ms
_PILOT_LOST_S = 1.0  # the EV must stop drawing within 3 s after X2 -> X1
_SILENT_SOCKET_S = 2.0

_AGAIN = frozenset(
    {
        v.EvEnd.NO_SDP_ANSWER,
        v.EvEnd.NO_CONNECTION,
        v.EvEnd.MESSAGE_TIMEOUT,
        v.EvEnd.SETUP_TIMEOUT,
        v.EvEnd.CONNECTION_LOST,
    }
)


class PilotPort(Protocol):
    """The car's end of the control pilot."""

    def set_state(self, state: str) -> None:
        """Resistors of state "A" (unplugged), "B", "C" or "D"."""

    def duty_permille(self) -> int:
        """Duty cycle as the car measures it; 1000 for steady +12 V."""


def _chosen(profile: str | Profile, protocol: str | None, tls: str | None) -> Profile:
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    if tls is not None:
        chosen = chosen.asking_tls(tls)
    return chosen if protocol is None else chosen.speaking(protocol)


class EvSimulator:
    """`run()` plugs in, charges and ends; the verbs below steer it from outside.

    `protocol` ("din", "iso2") replaces the profile's handshake list, `tls` ("off", "try", "insist") its wish
    for TLS; `v2g_root` is the PEM the car trusts.
    """

    def __init__(
        self,
        profile: str | Profile,
        *,
        sdp: str,
        bus: DcBus | None = None,
        battery: Battery | None = None,
        pilot: PilotPort | None = None,
        soc_percent: float = 50.0,
        target_soc_percent: float | None = None,
        evccid: bytes | None = None,
        misbehave: Iterable[Act] = (),
        on_progress: Callable[[Progress], None] | None = None,
        seed: int = 0,
        protocol: str | None = None,
        tls: str | None = None,
        v2g_root: str | Path | None = None,
    ) -> None:
        self.profile = _chosen(profile, protocol, tls)
        self._tls_context = tls_client.context(v2g_root) if self.profile.may_tls else None
        self._target = sdp_client.parse_target(sdp)
        self.battery = battery or Battery.of_profile(self.profile, soc_percent)
        self._bus = bus
        self._pilot = pilot
        full = self.profile.messages.full_soc_percent or 100
        self._target_soc = float(full) if target_soc_percent is None else target_soc_percent
        self._random = Random(seed)
        self._evccid = evccid or bytes((2, *(self._random.randrange(256) for _ in range(5))))
        self._acts = tuple(misbehave)
        self._on_progress = on_progress
        self._record = Record(self.profile.name, self.battery.soc_percent)
        self._line: Line | None = None
        self._machine: EvMachine | None = None
        self._work: asyncio.Task[v.Ended] | None = None
        self._forced: v.EvEnd | None = None  # ended from outside before or instead of the session
        self._vehicle: Vehicle | None = None
        self._paused_id: bytes | None = None  # of the session to go on with
        self._paused = False
        self._resumed = asyncio.Event()

    @classmethod
    def of_scenario(
        cls,
        scenario: Scenario,
        *,
        sdp: str,
        bus: DcBus | None = None,
        pilot: PilotPort | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        seed: int = 0,
        v2g_root: str | Path | None = None,
    ) -> Self:
        """A car as a scenario describes it; its times (`..._after_s`) are the caller's."""
        battery = Battery.of_profile(scenario.profile, scenario.soc_percent, capacity_wh=scenario.capacity_wh)
        return cls(
            scenario.profile,
            sdp=sdp,
            bus=bus,
            battery=battery,
            pilot=pilot,
            target_soc_percent=scenario.target_soc_percent,
            misbehave=scenario.misbehave,
            on_progress=on_progress,
            seed=seed,
            protocol=scenario.protocol,
            tls=scenario.tls,
            v2g_root=v2g_root,
        )

    @property
    def phase(self) -> v.EvPhase:
        """Where it is."""
        return self._record.phase

    @property
    def soc_percent(self) -> float:
        """State of charge now."""
        return self.battery.soc_percent

    @property
    def energy_wh(self) -> float:
        """Energy taken so far."""
        return self.battery.energy_wh

    async def run(self) -> EvResult:
        """The whole plug-in; ends by itself, leaves the cable in (unless `unplug` was called)."""
        loop = asyncio.get_running_loop()
        record = self._record = Record(self.profile.name, self.soc_percent)
        vehicle = self._vehicle = Vehicle(self.battery, self._bus)
        self._enter(v.EvPhase.CONNECTED, loop.time())
        self._set_pilot("B")
        try:
            while True:
                record.rounds += 1
                ended = await self._guarded_session(vehicle)
                if ended.end is v.EvEnd.PAUSED:  # and resumed by now
                    continue
                last = record.energised or record.rounds >= self.profile.ending.rounds
                if last or ended.end not in _AGAIN:
                    break
                await asyncio.sleep(self.profile.ending.round_pause_s)
        finally:
            self._tidy(vehicle)
        self._enter(v.EvPhase.FINISHED, loop.time())
        return record.result(ended, self.soc_percent, self.energy_wh, vehicle.complaints())

    def request_stop(self) -> None:
        """The driver wants to go: end the session in an orderly way."""
        if self._machine is not None:
            self._machine.stop(v.EvEnd.STOPPED_BY_DRIVER)
        elif self._work is not None:
            self._forced = v.EvEnd.STOPPED_BY_DRIVER
            self._work.cancel()

    @property
    def paused(self) -> bool:
        """The session is paused; `resume` goes on with it."""
        return self._paused

    def pause(self) -> None:
        """Pause as soon as energy flows (ISO 15118-2); NotPossible without a session or in DIN."""
        if self._machine is None:
            raise NotPossible("no session to pause")
        self._machine.pause()
        self._resumed.clear()

    def resume(self) -> None:
        """Go on with the paused session under its old id; NotPossible when there is none."""
        pausing = self._machine is not None and v.EvEnd.PAUSED in (
            self._machine.memory.end,
            self._machine.memory.wish,
        )
        if not (self.paused or pausing):
            raise NotPossible("not paused")
        self._resumed.set()

    def renegotiate(self) -> None:
        """Ask for new parameters as soon as energy flows (ISO 15118-2); NotPossible."""
        if self._machine is None:
            raise NotPossible("no session to renegotiate")
        self._machine.renegotiate()

    def misbehave(self, act: Act) -> None:
        """Go wrong in the session that runs; `nth` counts from now. NotPossible without one."""
        if self._machine is None:
            raise NotPossible("no session to misbehave in")
        self._machine.misbehave(act)

    def unplug(self) -> None:
        """Pull the cable, whatever flows: pilot to A, DC open, not another byte."""
        self._forced = v.EvEnd.UNPLUGGED
        self._set_pilot("A")
        if self._vehicle is not None:
            self._vehicle.unplug()
        if self._line is not None:
            self._line.abandon(_SILENT_SOCKET_S)
            self._line = None
        if self._work is not None:
            self._work.cancel()

    # --- one session -----------------------------------------------------------------------------------

    async def _guarded_session(self, vehicle: Vehicle) -> v.Ended:
        """A session that can be ended from outside without cancelling the caller."""
        loop = asyncio.get_running_loop()
        self._work = loop.create_task(self._session(vehicle))
        try:
            return await self._work
        except asyncio.CancelledError:
            if self._forced is None:
                raise
            return v.Ended(self._forced, "", False, loop.time())
        finally:
            self._work.cancel()
            self._work = self._machine = None

    async def _session(self, vehicle: Vehicle) -> v.Ended:
        loop = asyncio.get_running_loop()
        if not await self._pilot_ready():
            return v.Ended(v.EvEnd.NO_PILOT, "no 5 % duty cycle", False, loop.time())
        await asyncio.sleep(self.profile.discovery.delay_s)
        setup_by = loop.time() + self.profile.patience.setup_s
        way = Approach(target=self._target, habit=self.profile.discovery, tls=self._tls_context)
        line = await way.line(lambda tls: self._new_line(vehicle, setup_by, tls))
        if isinstance(line, v.Ended):
            return line
        self._line, self._machine, self._record.tls = line, line.machine, line.encrypted
        watch = loop.create_task(self._watch_pilot(line.machine, line))
        try:
            ended = await line.ended
        finally:
            watch.cancel()
            self._record.protocol = line.machine.protocol
        if ended.end is v.EvEnd.PAUSED:
            self._paused_id, self._machine = line.machine.memory.session_id, None
            self._record.trouble += ended.trouble
            await self._until_resumed()
        return ended

    async def _until_resumed(self) -> None:
        self._enter(v.EvPhase.CONNECTED, asyncio.get_running_loop().time())
        self._paused = True
        try:
            await self._resumed.wait()
        finally:
            self._paused = False
        self._set_pilot("C")  # the charger may sleep in X1: a B-C-B toggle wakes it up
        await asyncio.sleep(TOGGLE_S)
        self._set_pilot("B")

    def _new_line(self, vehicle: Vehicle, setup_by: float, tls: bool) -> Line:
        profile = self.profile.over_tls() if tls else self.profile
        memory = Memory(profile, vehicle.view(), self._target_soc, old_session_id=self._paused_id)
        dialects = (DinDialect(profile, self._evccid), Iso2Dialect(profile, self._evccid))
        script = Script(self._acts)
        machine = EvMachine(profile, dialects, memory, random=self._random, script=script, setup_by=setup_by)
        return Line(machine, vehicle.view, self._event)

    async def _pilot_ready(self) -> bool:
        """Wait for the 5 % duty cycle; False when patience is over."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.profile.patience.pilot_s
        while not self._duty_ok():
            if loop.time() >= give_up_at:
                return False
            await asyncio.sleep(_PILOT_PERIOD_S)
        return True

    async def _watch_pilot(self, machine: EvMachine, line: Line) -> None:
        """The duty cycle is the charger's permission: without it the car opens and hangs up."""
        loop = asyncio.get_running_loop()
        good_at = loop.time()
        while True:
            await asyncio.sleep(_PILOT_PERIOD_S)
            if self._duty_ok():
                good_at = loop.time()
            elif loop.time() - good_at >= _PILOT_LOST_S:
                machine.abort(v.EvEnd.PILOT_LOST, f"duty cycle gone at {machine.step}", loop.time())
                line.poke()
                return

    def _duty_ok(self) -> bool:
        return self._pilot is None or DUTY_MIN <= self._pilot.duty_permille() <= DUTY_MAX

    # --- events of the machine -------------------------------------------------------------------------

    def _event(self, event: v.Event) -> None:
        vehicle = self._vehicle
        assert vehicle is not None
        if isinstance(event, v.Answered):
            self._record.answered(event)
        elif isinstance(event, v.Reported):
            vehicle.reported(event.voltage_v, event.current_a, event.at)
            self._tell(event.at)
        elif isinstance(event, v.PhaseEntered):
            self._enter(event.phase, event.at)
        elif isinstance(event, v.PilotWanted):
            self._set_pilot(event.state)
        elif isinstance(event, v.ContactorWanted):
            vehicle.switch(event.closed)

    def _enter(self, phase: v.EvPhase, at: float) -> None:
        self._record.enter(phase, at)
        self._tell(at)

    def _tell(self, at: float) -> None:
        if self._on_progress is None or self._vehicle is None:
            return
        view = self._vehicle.view()
        self._on_progress(
            Progress(
                self._record.elapsed_s(at),
                self.phase,
                view.inlet_voltage_v,
                view.current_a,
                view.soc_percent,
                self.energy_wh,
            )
        )

    def _set_pilot(self, state: str) -> None:
        if self._pilot is not None and (self._forced is not v.EvEnd.UNPLUGGED or state == "A"):
            self._pilot.set_state(state)

    # --- the end ---------------------------------------------------------------------------------------

    def _tidy(self, vehicle: Vehicle) -> None:
        """Contactor open and S2 open, whatever ended the run; a cancelled run leaves no socket behind."""
        if self._line is not None and not self._line.ended.done():
            self._line.abandon(0.0)
        self._line = None
        if self._forced is not v.EvEnd.UNPLUGGED:
            vehicle.switch(False)
            self._set_pilot("B")
