"""The simulated station: emulated MCU with the real firmware, the real host, a bus and a car per outlet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from vsecc_host.app import App
from vsecc_host.records.uart_tap import open_tap
from vsecc_host.settings.store import Settings
from vsecc_host.station.commands import Command
from vsecc_host.station.events import CableCheckRequested, ChargeStopRequested, StationEvent, V2gSessionEnded
from vsecc_host.station.values import CpState, EvseView, Phase
from vsecc_sim.ev.misbehave import Act
from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.mcu.service import McuEmulator
from vsecc_sim.mcu.trace import Entry
from vsecc_sim.pecc.scenario import Scenario, load_scenario
from vsecc_sim.pecc.simulator import PeccSimulator
from vsecc_sim.pki_folder import make_pki
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import DcBus
from vsecc_sim.plc.faults import LineFaults
from vsecc_sim.plc.habits import Habits
from vsecc_sim.plc.habits import load as load_habits
from vsecc_sim.plc.habits import names as habit_names
from vsecc_sim.plc.loopback_line import LoopbackLine, outlet_url
from vsecc_sim.plc.powerline import Powerline
from vsecc_sim.station.distant_car import DistantCar
from vsecc_sim.station.matched_car import MatchedCar
from vsecc_sim.station.options import PECC_INSIDE, PECC_SIMULATOR, Refused, StationOptions, power_urls
from vsecc_sim.station.outlet import Car, Outlet
from vsecc_sim.station.recorder import Recorder

START_TIMEOUT_S = (
    15.0  # MCU emulator up and hello accepted; a cold interpreter start takes well under one second
)
SETTLED_S = 10.0  # from unplugging to idle; the host's own bounds add up to less
_POLL_S = 0.01


class SimulatedStation:
    """Async context manager; inside it the station is up and cars may come."""

    def __init__(
        self,
        options: StationOptions,
        *,
        settings: Mapping[tuple[str, str], object] | None = None,
        line: Powerline | LoopbackLine | None = None,
    ) -> None:
        """`settings`: (component, variable) -> value, for this run; `line`: cars come over powerlines."""
        self.options = options
        self._line = line
        self._folder = TemporaryDirectory(prefix="vsecc-")
        self.line_faults = None if line is None else LineFaults(line.medium, seed=options.seed)
        self._changed = dict(settings or {})
        self.power_urls = power_urls(options.pecc, options.evses)
        self.pecc: PeccSimulator | None = None  # where an outlet's power electronics are PECC_SIMULATOR
        self.inputs_at_start: dict[str, object] = {}  # emulated inputs driven before the host comes up
        self._plugs = 0
        self._open = contextlib.AsyncExitStack()  # what has to be closed again, whatever happens
        self.outlets: dict[int, Outlet] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def _start(self) -> None:
        options = self.options
        numbers = list(range(1, options.evses + 1))
        if self._line is not None:
            self._open.callback(self._line.shell().close)
        self._open.callback(self._folder.cleanup)
        self.mcu = McuEmulator("tcp://127.0.0.1:0", interpreter=options.interpreter, seed=options.seed)
        self._open.push_async_callback(self.mcu.stop)
        await self.mcu.start()
        self.mcu.drive_inputs(self.inputs_at_start)
        self.settings = self._load_settings()
        buses = {number: DcBus() for number in numbers}
        await self._start_pecc(buses)
        on_loopback = isinstance(self._line, LoopbackLine)
        open_modem = self._line.outlet_socket if self._line is not None and on_loopback else None
        self.app = App(self.settings, evses=numbers, loads=buses, open_modem=open_modem)
        self.outlets = {number: Outlet(number, self.mcu, buses[number]) for number in numbers}
        self.recorder = Recorder(self.app)
        self.app.listen(self._follow_external)
        tap = await open_tap(self.app.trace, options.state_dir)
        if tap is not None:
            self._open.push_async_callback(tap.stop)
        self._open.push_async_callback(self.app.stop)
        for outlet in self.outlets.values():
            self._open.push_async_callback(outlet.unplug, orderly=False)
        await self.app.start()
        await self._until(self._ready, START_TIMEOUT_S, "the MCU emulator does not answer")

    async def _start_pecc(self, buses: Mapping[int, DcBus]) -> None:
        """The PECC simulator: the cars' buses are its loads, the emulated safety relays its supervision."""
        if PECC_SIMULATOR in self.power_urls.values():
            scenario = load_scenario(self.options.pecc_scenario) if self.options.pecc_scenario else Scenario()
            self.pecc = PeccSimulator(scenario, charge_points=len(buses), loads=buses, wired=True)
            self._open.push_async_callback(self.pecc.stop)
            await self.pecc.start()
            self.mcu.on_change.append(self._wire)
        for number, url in self.power_urls.items():
            if self.pecc is not None and url == PECC_SIMULATOR:
                url = self.pecc.url(number)
            if url != PECC_INSIDE:
                self.settings.set_for_run("PowerElectronics", "Type", "Websocket", evse=number)
                self.settings.set_for_run("PowerElectronics", "Uri", url, evse=number)
                if self.options.pep_version is not None:
                    version = self.options.pep_version
                    self.settings.set_for_run("PowerElectronics", "PepVersion", version, evse=number)

    def _wire(self, entry: Entry) -> None:
        """REL1 and REL2 are the supervision inputs of the charge points."""
        relay, _, what = entry.name.partition(".")
        if self.pecc is not None and what == "closed" and relay.startswith("relay"):
            number = int(relay.removeprefix("relay"))
            if number in self.pecc.links:
                self.pecc.supervise(number, bool(entry.value))

    def _load_settings(self) -> Settings:
        options = self.options
        settings = Settings.load(
            factory=options.factory, config=options.config, state_dir=options.state_dir, evses=options.evses
        )
        settings.set_for_run("Mcu", "Url", self.mcu.url)
        if options.tls:
            make_pki(self._pki_folder)
            settings.set_for_run("ISO15118Ctrlr", "TlsPolicy", "offer")
            settings.set_for_run("ISO15118Ctrlr", "TlsCertificateChain", str(self._secc / "chain.pem"))
            settings.set_for_run("ISO15118Ctrlr", "TlsPrivateKey", str(self._secc / "key.pem"))
        for (component, variable), value in self._changed.items():
            settings.set_for_run(component, variable, value)
        urls = options.plc
        if isinstance(self._line, LoopbackLine):
            urls = tuple(map(outlet_url, range(1, options.evses + 1)))
        for number, url in enumerate(urls[: options.evses], 1):
            settings.set_for_run("Plc", "Url", url, evse=number)
        return settings

    @property
    def _pki_folder(self) -> Path:
        return Path(self._folder.name) / "pki"

    @property
    def _secc(self) -> Path:
        return self._pki_folder / "v2g" / "secc"

    @property
    def v2g_root(self) -> Path | None:
        """Root certificate cars need to trust this station; None without TLS."""
        return self._pki_folder / "v2g" / "root.pem" if self.options.tls else None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def _ready(self) -> bool:
        snapshot = self.app.snapshot()
        return snapshot.mcu is not None and all(
            view.cp_state is not CpState.UNKNOWN for view in snapshot.evses
        )

    async def free(self, within_s: float = START_TIMEOUT_S) -> bool:
        """Wait until no outlet is faulted (power electronics connect first); False if that takes too long."""
        with contextlib.suppress(TimeoutError):
            await self._until(self._is_free, within_s, "an outlet stays faulted")
        return self._is_free()

    def _is_free(self) -> bool:
        return all(view.phase is not Phase.FAULTED for view in self.app.snapshot().evses)

    async def _until(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while not condition():
            if loop.time() > end_s:
                raise TimeoutError(what)
            await asyncio.sleep(_POLL_S)

    # --- cars ---------------------------------------------------------------------------------------------

    def outlet(self, evse: int) -> Outlet:
        """The car's side of an outlet; Refused when there is none of that number."""
        if evse not in self.outlets:
            raise Refused(f"no outlet {evse}; there are {', '.join(map(str, self.outlets))}")
        return self.outlets[evse]

    def view(self, evse: int) -> EvseView:
        """The host's view of an outlet."""
        return self.app.evses[evse].machine.view

    def car_url(self, evse: int) -> str:
        """`--connect` of a car that comes to this outlet from outside."""
        interface = self.options.plc[evse - 1 : evse]
        if interface and interface[0].startswith("iface:"):
            return "iface://NAME, the other end of the line"
        host, port = self.app.evses[evse].v2g.sdp_address
        return f"sdp://[{host}]:{port}"

    def plug(
        self,
        evse: int,
        *,
        profile: str = "default",
        protocol: str | None = None,
        tls: str | None = None,
        soc_percent: float = 20.0,
        target_soc_percent: float = 80.0,
        misbehave: Sequence[Act] = (),
        changes: Mapping[str, Any] | None = None,
        habits: Habits | None = None,
        rematches: int = 0,
    ) -> None:
        """Plug a simulated car in; it runs its whole session. Refused when the outlet is taken, ProfileError.

        `changes` go over the profile; a car in its own namespace takes neither them nor `misbehave`. Over a
        powerline: `habits` of its SLAC instead of its profile's, `rematches` after a lost link.
        """
        behaviour = load_profile(profile, changes)
        outlet = self._free(evse)
        habits = habits or load_habits(profile if profile in habit_names() else "default")
        if isinstance(self._line, Powerline):
            if changes or misbehave:
                raise Refused("a car in its own namespace takes neither changes nor misbehave")
            options = {"protocol": protocol, "tls": tls, "soc": soc_percent, "target-soc": target_soc_percent}
            self._connect(
                outlet, self._distant_car(outlet, self._line, habits, profile, options), follow=True
            )
            return
        make = partial(
            EvSimulator,
            behaviour,
            bus=outlet.bus,
            battery=Battery.of_profile(behaviour, soc_percent, capacity_wh=self.options.capacity_wh),
            pilot=outlet.pilot,
            target_soc_percent=target_soc_percent,
            protocol=protocol,
            tls=tls,
            misbehave=tuple(misbehave),
            v2g_root=self.v2g_root,
            seed=self.options.seed + self._plugs + 1,
        )
        self._connect(outlet, self._at_the_line(outlet, make, habits, rematches))

    def _connect(self, outlet: Outlet, car: Car, *, follow: bool = False) -> None:
        """From here on nothing is refused any more."""
        self._plugs += 1
        self.recorder.start_session(outlet.number)
        outlet.plug(car, follow=follow)

    def _at_the_line(
        self, outlet: Outlet, make: Callable[..., EvSimulator], habits: Habits, rematches: int
    ) -> EvSimulator | MatchedCar:
        """The car as it comes: straight to the outlet's SDP server, or matched over the powerline first."""
        host, port = address = self.app.evses[outlet.number].v2g.sdp_address
        if not isinstance(self._line, LoopbackLine):
            return make(sdp=f"sdp://[{host}]:{port}")
        return MatchedCar(
            self._line,
            outlet.number,
            outlet.pilot,
            station=address,
            habits=habits,
            make=lambda sdp: make(sdp=sdp),
            rematches=rematches,
        )

    def _distant_car(
        self,
        outlet: Outlet,
        line: Powerline,
        habits: Habits,
        profile: str,
        options: Mapping[str, object],
    ) -> DistantCar:
        """A car in its own namespace, `options` of `vsecc sim ev`; only its pilot is here."""
        wanted = {**options, "capacity": self.options.capacity_wh, "v2g-root": self.v2g_root}
        given = {name: str(value) for name, value in wanted.items() if value is not None}
        return DistantCar(line, outlet.number, outlet.pilot, habits=habits, profile=profile, options=given)

    def plug_external(self, evse: int) -> None:
        """Only the pilot is simulated; a car outside does the talking."""
        outlet = self._free(evse)
        self.recorder.start_session(evse)
        outlet.plug_external()

    def _free(self, evse: int) -> Outlet:
        outlet = self.outlet(evse)
        if outlet.plugged:
            raise Refused(f"outlet {evse} has a car already")
        return outlet

    async def session_over(self, evse: int) -> None:
        """Wait for the end of the simulated car's session."""
        await self.outlet(evse).session_over()

    async def unplug(self, evse: int, *, orderly: bool = True) -> None:
        """Unplug and wait until the station is idle again."""
        await self.outlet(evse).unplug(orderly=orderly)
        await self._until(
            lambda: self.view(evse).phase is Phase.IDLE, SETTLED_S, f"outlet {evse} did not get idle"
        )

    def _follow_external(self, what: StationEvent | Command) -> None:
        """The pilot of an external car: C for the cable check, B when power delivery ends."""
        evse = getattr(what, "evse_id", None)
        outlet = self.outlets.get(evse) if isinstance(evse, int) else None
        if outlet is None or not outlet.external:
            return
        if isinstance(what, CableCheckRequested):
            outlet.pilot.set_state("C")
        elif isinstance(what, (ChargeStopRequested, V2gSessionEnded)):
            outlet.pilot.set_state("B")
