"""Composition root: builds every part and routes events and commands by type. It holds no rules."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from vsecc_host.factory_reset import FactoryReset
from vsecc_host.mcu_link.service import McuLinkService
from vsecc_host.power.interface import PowerElectronics
from vsecc_host.power.service import SimulatedPower
from vsecc_host.power.simulation import Load
from vsecc_host.powerline import Powerline
from vsecc_host.runtime.collector import Collector
from vsecc_host.runtime.trace import Trace
from vsecc_host.settings.store import Change, Settings
from vsecc_host.station import commands as c
from vsecc_host.station.authorization import LocalAuthorization
from vsecc_host.station.events import (
    ButtonHeld,
    EvseEvent,
    McuLinkLost,
    McuLinkUp,
    McuLogged,
    McuMeasured,
    StationEvent,
    StopRequested,
)
from vsecc_host.station.evse import EvseMachine
from vsecc_host.station.sharing import PowerSharing
from vsecc_host.station.values import EvseView, Phase
from vsecc_host.v2g.service import V2gService
from vsecc_host.wiring import (
    check_interfaces,
    default_profile,
    emergency_input,
    evse_config,
    mcu_link_config,
    pep_config,
    power_config,
    slac_config,
    terminals,
    v2g_config,
)
from vsecc_link.messages import DEVICE_EXPANDER

if TYPE_CHECKING:
    from vsecc_host.slac.service import OpenSocket, SlacService

logger = logging.getLogger(__name__)

SESSION_PHASES = frozenset({Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING, Phase.STOPPING})

SYSTEM_LED = 0

Listener = Callable[[StationEvent | c.Command], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSnapshot:
    """Read-only picture of the whole station for pages, the control API and metrics."""

    mcu: McuLinkUp | None
    mcu_problem: str
    measured: Mapping[str, int]
    evses: Sequence[EvseView]


class Evse:
    """The parts of one outlet; `slac` only where the car comes over a powerline modem."""

    def __init__(
        self, machine: EvseMachine, v2g: V2gService, power: PowerElectronics, slac: SlacService | None
    ) -> None:
        self.machine = machine
        self.v2g = v2g
        self.power = power
        self.slac = slac
        self.powerline = None if slac is None else Powerline(slac, v2g.hang_up)
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at: float | None = None


class App:
    """The host service: one MCU link, one machine, V2G service and power stage per outlet, one trace."""

    def __init__(
        self,
        settings: Settings,
        *,
        evses: Sequence[int] = (1, 2),
        loads: Mapping[int, Load] | None = None,
        open_modem: OpenSocket | None = None,
    ):
        """`loads` and `open_modem` (interface to socket) stand in for the world in a simulation."""
        self._loop = asyncio.get_running_loop()
        self.settings = settings
        self.trace = Trace(self._loop.time)
        self.authorization = LocalAuthorization(bool(settings.get("AuthCtrlr", "Enabled")))
        self._queue: deque[Callable[[], None]] = deque()
        self._routing = False
        self._collector = Collector()
        self._listeners: list[Listener] = []
        self._unlisten: Callable[[], None] = lambda: None
        self._mcu_up: McuLinkUp | None = None
        self._mcu_problem = "not connected yet"
        self._measured: dict[str, int] = {}
        check_interfaces(settings, evses)
        self._emergency = emergency_input(settings)
        self._open_modem = open_modem
        self._sharing = PowerSharing(settings.number("ChargingStation", "MaxPower"), evses)
        self._terminals = terminals(settings)
        self._terminals_timer: asyncio.TimerHandle | None = None
        self.mcu = McuLinkService(mcu_link_config(settings), trace=self.trace, on_event=self.publish)
        self.evses = {number: self._build_evse(number, (loads or {}).get(number)) for number in evses}
        self._routes = self._build_routes()
        self._factory_reset = FactoryReset(
            settings, stop=self._stop_one, show=self._show_system, later=self._loop.call_later
        )

    def _build_evse(self, number: int, load: Load | None) -> Evse:
        slac = self._build_slac(number)
        config = replace(evse_config(self.settings, number), matches=slac is not None)
        machine = EvseMachine(number, config)
        v2g = V2gService(
            evse_id=number, trace=self.trace, on_event=self.publish, config=v2g_config(self.settings, number)
        )
        return Evse(machine, v2g, self._build_power(number, load), slac)

    def _build_power(self, number: int, load: Load | None) -> PowerElectronics:
        config = pep_config(self.settings, number)
        if config is None:
            ratings = power_config(self.settings, number)
            return SimulatedPower(number, ratings, trace=self.trace, on_event=self.publish, load=load)
        from vsecc_host.pep.service import PepService  # not needed where power is simulated

        return PepService(
            number,
            config,
            self._terminals,
            trace=self.trace,
            on_event=self.publish,
            on_outputs=self._set_outputs,
        )

    def _build_slac(self, number: int) -> SlacService | None:
        config = slac_config(self.settings, number)
        if config is None:
            return None
        from vsecc_host.slac.service import SlacService, open_homeplug  # raw sockets: only with a modem

        return SlacService(
            evse_id=number,
            config=config,
            trace=self.trace,
            on_event=self._on_slac,
            open_socket=self._open_modem or open_homeplug,
        )

    async def start(self) -> None:
        """Safety first: the MCU link comes up before anything the car can reach."""
        for problem in self.settings.problems:
            logger.error("settings: %s", problem)
        await self.mcu.start()
        for evse in self.evses.values():
            evse.v2g.update(evse.machine.view)
            evse.power.update(evse.machine.view, self.trace.new_cause())
            if evse.slac is not None:
                await evse.slac.start()
            await evse.v2g.start()
            evse.power.start()
        self._apply_default_profile()
        self._unlisten = self.settings.listen(self._on_setting)
        self._collector.settle()

    async def stop(self) -> None:
        """Close every neighbour; the MCU's grants expire by themselves."""
        self._unlisten()
        for evse in self.evses.values():
            if evse.timer is not None:
                evse.timer.cancel()
            await evse.v2g.stop()
            if evse.slac is not None:
                await evse.slac.stop()
            await evse.power.stop()
        if self._terminals_timer is not None:
            self._terminals_timer.cancel()
        await self.mcu.stop()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Hear every event and command; call the result to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def snapshot(self) -> StationSnapshot:
        """The station as it is now."""
        return StationSnapshot(
            mcu=self._mcu_up,
            mcu_problem=self._mcu_problem,
            measured=self._measured,
            evses=[evse.machine.view for evse in self.evses.values()],
        )

    # --- routing ------------------------------------------------------------------------------------------

    def publish(self, event: StationEvent, cause: int) -> None:
        """Take an event from a service; what is raised while routing waits its turn, so order is kept."""
        self._enqueue(lambda: self._route(event, cause))

    def _enqueue(self, work: Callable[[], None]) -> None:
        self._queue.append(work)
        if self._routing:
            return
        self._routing = True
        try:
            while self._queue:
                self._queue.popleft()()
        finally:
            self._routing = False

    def _route(self, event: StationEvent, cause: int) -> None:
        self.trace.hop(cause, "station", event)
        self._remember(event, cause)
        self._tell(event)
        if isinstance(event, EvseEvent):
            concerned = [self.evses[event.evse_id]] if event.evse_id in self.evses else []
        else:
            concerned = list(self.evses.values())
        for evse in concerned:
            if evse.powerline is not None:
                evse.powerline.station_event(event, cause)
            self._execute(evse.machine.handle(event, self._loop.time()), cause)
            self._set_timer(evse)
        for limit in self._sharing.hear(event, [evse.machine.view for evse in self.evses.values()]):
            self.publish(limit, cause)
        if isinstance(event, ButtonHeld):
            self._factory_reset.button(event, self._in_session(), cause)
        if isinstance(event, McuMeasured):
            readable = not event.values["device_faults"] >> DEVICE_EXPANDER & 1
            if self._emergency.pressed(event.values["digital_inputs"], readable=readable):
                self._stop_all("emergency stop", cause)

    def _on_slac(self, event: StationEvent, cause: int) -> None:
        self._enqueue(lambda: self._route_slac(event, cause))

    def _route_slac(self, event: StationEvent, cause: int) -> None:
        """SLAC's own events are for whoever watches; the station heart hears what they mean to it."""
        self.trace.hop(cause, "slac", event)
        self._tell(event)
        if isinstance(event, EvseEvent):
            powerline = self.evses[event.evse_id].powerline
            for meant in powerline.slac_event(event, cause) if powerline is not None else ():
                self.publish(meant, cause)

    def _stop_all(self, who: str, cause: int) -> None:
        for number in self.evses:
            self.publish(StopRequested(at=self._loop.time(), evse_id=number, who=who, emergency=True), cause)

    def _stop_one(self, number: int, who: str, cause: int) -> None:
        self.publish(StopRequested(at=self._loop.time(), evse_id=number, who=who), cause)

    def _show_system(self, pattern: int, cause: int) -> None:
        self.mcu.set_led(SYSTEM_LED, pattern, cause)

    def _remember(self, event: StationEvent, cause: int) -> None:
        if isinstance(event, McuMeasured):
            self._measured = event.values
            self._terminals.heard(event.values, self._loop.time())
        elif isinstance(event, McuLinkUp):
            self._mcu_up, self._mcu_problem = event, ""
            self._terminals.mcu_up()
            self._set_outputs(cause)
        elif isinstance(event, McuLinkLost):
            self._mcu_up, self._mcu_problem = None, event.reason
            self._terminals.mcu_lost()
        elif isinstance(event, McuLogged):
            logger.info("mcu %s: %s", event.level, event.text)

    def _set_outputs(self, cause: int) -> None:
        """Hand changed outputs to the MCU; those whose power electronics are gone go off in a while."""
        for mask, values in self._terminals.take():
            self.mcu.set_outputs(mask, values, cause)
        if self._terminals_timer is not None:
            self._terminals_timer.cancel()
        at = self._terminals.next_deadline()
        self._terminals_timer = None if at is None else self._loop.call_at(at, self._tick_terminals)

    def _tick_terminals(self) -> None:
        self._terminals.tick(self._loop.time())
        self._set_outputs(self.trace.new_cause())

    def _tell(self, what: StationEvent | c.Command) -> None:
        for listener in self._listeners:
            listener(what)

    def _execute(self, commands: Sequence[c.Command], cause: int) -> None:
        for command in commands:
            self.trace.hop(cause, "command", command)
            self._routes[type(command)](command, cause)
            powerline = self.evses[command.evse_id].powerline
            if powerline is not None:
                powerline.command(command, cause)
            self._tell(command)

    def _set_timer(self, evse: Evse) -> None:
        deadline = evse.machine.next_deadline()
        if deadline == evse.timer_at:
            return
        if evse.timer is not None:
            evse.timer.cancel()
        evse.timer_at = deadline
        evse.timer = None if deadline is None else self._loop.call_at(deadline, self._tick, evse)

    def _tick(self, evse: Evse) -> None:
        evse.timer = evse.timer_at = None
        self._enqueue(lambda: self._run_timer(evse))

    def _run_timer(self, evse: Evse) -> None:
        self._execute(evse.machine.tick(self._loop.time()), self.trace.new_cause())
        self._set_timer(evse)

    def _on_setting(self, change: Change) -> None:
        """A setting changed while running: outlets take theirs over with the next session at the latest."""
        logger.info("setting %s changed", change.key)
        self.authorization.configure(self.settings.flag("AuthCtrlr", "Enabled"))
        self._apply_default_profile()
        self._sharing.resize(self.settings.number("ChargingStation", "MaxPower"))
        for number, evse in self.evses.items():
            self._enqueue(partial(self._configure, number, evse))

    def _configure(self, number: int, evse: Evse) -> None:
        evse.v2g.configure(v2g_config(self.settings, number))
        config = replace(evse_config(self.settings, number), matches=evse.slac is not None)
        self._execute(evse.machine.configure(config, self._loop.time()), self.trace.new_cause())
        self._set_timer(evse)

    def _apply_default_profile(self) -> None:
        for number in self.evses:
            self.publish(default_profile(self.settings, number, self._loop.time()), self.trace.new_cause())

    def _build_routes(self) -> dict[type[c.Command], Callable[..., None]]:
        to_power = self._to_power
        return {
            c.SetPilot: lambda x, cause: self.mcu.set_pilot(x.evse_id, x.mode, x.duty_permille, cause),
            c.SetGrant: lambda x, cause: self.mcu.set_grant(x.evse_id, x.allowed, cause),
            c.ClearPortFaults: lambda x, cause: self.mcu.clear_faults(x.evse_id, cause),
            c.LockConnector: lambda x, cause: self.mcu.set_lock(x.evse_id, x.locked, cause),
            c.ShowPortLed: lambda x, cause: self.mcu.set_led(x.evse_id, x.pattern, cause),
            c.PowerCableCheck: to_power,
            c.PowerTarget: to_power,
            c.PowerContactors: to_power,
            c.PowerReset: to_power,
            c.PowerSupervision: to_power,
            c.PublishView: self._show,
            c.AcceptV2g: lambda x, cause: self.evses[x.evse_id].v2g.accept(x.accepted, x.cause),
            c.RequestAuthorization: self._authorize,
            c.ReportSession: self._report,
        }

    def _show(self, command: c.PublishView, cause: int) -> None:
        evse = self.evses[command.evse_id]
        evse.v2g.update(command.view)
        evse.power.update(command.view, cause)
        if command.evse_id in self._factory_reset.waits_for and command.view.phase not in SESSION_PHASES:
            # Its turn comes after the rest of this outlet's commands.
            self._enqueue(partial(self._factory_reset.session_over, command.evse_id, cause))

    def _to_power(self, command: c.Command, cause: int) -> None:
        self.evses[command.evse_id].power.execute(command, cause)

    def _authorize(self, command: c.RequestAuthorization, cause: int) -> None:
        for event in self.authorization.request(command, self._loop.time()):
            self.publish(event, cause)

    def _report(self, command: c.ReportSession, cause: int) -> None:
        view = command.view
        logger.info("EVSE %d: %s, %s, %s", command.evse_id, command.what, view.phase, view.cause)
        if command.what in ("ended", "unplugged"):
            self.authorization.forget(command.evse_id)
        if command.what == "unplugged" and not self._in_session():
            self._loop.call_soon(self._collector.quiet)

    def _in_session(self) -> list[int]:
        return [number for number, evse in self.evses.items() if evse.machine.view.phase in SESSION_PHASES]
