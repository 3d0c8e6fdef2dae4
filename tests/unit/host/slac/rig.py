"""Sites in virtual time for SLAC tests: ports with their modems, cars, a pilot that does what is asked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from shared_data import CAPTURES

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import PilotRequest
from vsecc_host.slac.machine import SlacMachine
from vsecc_host.station.values import CpState, PilotMode
from vsecc_sim.plc import habits
from vsecc_sim.plc.ev_machine import EvSlacMachine, EvToggle
from vsecc_sim.plc.medium import Medium, Wire, clean
from vsecc_sim.plc.modem import Manners
from vsecc_sim.plc.virtual_site import VirtualSite

OWN = bytes.fromhex("02a0b0c0d001")
CAR = bytes.fromhex("48c58db1e43e")
MODEM = bytes.fromhex("00b052aabb01")
RUN = bytes.fromhex("43c06e5631b77b61")
START_S = 1000.0
ROUNDING_S = 1e-9  # of sums of times


def randomness(seed: int = 1) -> Callable[[int], bytes]:
    """Repeatable bytes."""
    return random.Random(seed).randbytes


def mac(kind: int, number: int) -> bytes:
    """A host (1), modem (2) or car (3) address."""
    return bytes([2, 0, 0, 0, kind, number])


class Solo:
    """One machine alone: the test speaks for car and modem and moves the time."""

    def __init__(
        self,
        config: SlacConfig | None = None,
        *,
        ready: bool = True,
        own: bytes = OWN,
        keys: Callable[[int], bytes] | None = None,
    ) -> None:
        self.now = START_S
        self.own = own
        self.machine = SlacMachine(evse_id=1, config=config or SlacConfig(), randomness=keys or randomness())
        self.events: list[Any] = []
        self.machine.connected(own, self.now)
        if ready:
            self.take()
            self.modem(m.SetKeyCnf(1))
            self.modem(m.NwInfoCnf(m.Network(self.machine.modem.key.nid, m.Role.COORDINATOR)))
            self.take()

    def take(self) -> list[codec.Frame]:
        """Frames sent since the last call; events are collected."""
        events, raw = self.machine.take()
        self.events += events
        frames = [codec.decode(one) for one in raw]
        return [frame for frame in frames if frame is not None]

    def said(self, *kinds: type[Any]) -> list[Any]:
        """Messages sent since the last call, of these kinds or of all but those to the modem."""
        found = [frame for frame in self.take() if kinds or frame.destination != m.LOCAL_MODEM]
        return [frame.message for frame in found if not kinds or isinstance(frame.message, kinds)]

    def told(self, kind: type[Any]) -> list[Any]:
        """Events of a kind since the start."""
        self.take_events()
        return [event for event in self.events if isinstance(event, kind)]

    def take_events(self) -> None:
        """Collect events, leave frames for `take`."""
        events, raw = self.machine.take()
        self.events += events
        self.machine._out = raw + self.machine._out

    def modem(self, message: m.Message, source: bytes = MODEM) -> None:
        """The own modem says something."""
        self.machine.receive(codec.encode(self.own, source, message), self.now)

    def car(
        self, message: m.Message, *, ev: bytes = CAR, to: bytes = m.BROADCAST, after_s: float = 0.0
    ) -> list[Any]:
        """A car says something; what the machine says to cars in return."""
        self.wait(after_s)
        self.machine.receive(codec.encode(to, ev, message), self.now)
        return self.said()

    def wait(self, seconds: float) -> None:
        """Time passes; every deadline is met exactly."""
        end = self.now + seconds
        while (at := self.machine.next_deadline()) is not None and at <= end + ROUNDING_S:
            self.now = max(self.now, at)
            self.machine.tick(self.now)
        self.now = max(end, self.now)

    def plug(self, duty_permille: int = 50) -> None:
        """A car is plugged, matching wanted, 5 % on."""
        self.machine.cp_changed(CpState.B, 0, self.now)
        self.machine.start(self.now)
        self.machine.cp_changed(CpState.B, duty_permille, self.now)
        self.said()

    def sound(self, *, ev: bytes = CAR, run: bytes = RUN, sounds: int = 10, level_db: int = 30) -> list[Any]:
        """PARM, START and sounds 20 ms apart with their profiles; what was said meanwhile."""
        said = self.car(m.SlacParmReq(run), ev=ev)
        for _ in range(3):
            said += self.car(m.StartAttenCharInd(ev, run), ev=ev, after_s=0.02)
        for left in reversed(range(sounds)):
            said += self.car(m.MnbcSoundInd(left, run, bytes(16)), ev=ev, after_s=0.02)
            self.modem(m.AttenProfileInd(ev, bytes([level_db] * 58)))
            said += self.said()
        return said

    def match(self, *, ev: bytes = CAR, run: bytes = RUN, evse: bytes = OWN) -> list[Any]:
        """RSP and MATCH.REQ; what was said."""
        said = self.car(m.AttenCharRsp(ev, run), ev=ev, to=OWN)
        return said + self.car(m.SlacMatchReq(ev, evse, run), ev=ev, to=OWN)

    def link(self, *, stations: int = 1, host: bytes = CAR, for_s: float = 0.5) -> None:
        """The modem answers every poll with this many stations."""
        end = self.now + for_s
        while self.now < end:
            self.wait(min(0.05, end - self.now))
            if any(isinstance(message, m.NwInfoReq) for message in self.said(m.NwInfoReq)):
                far = tuple(m.NetworkStation(mac(2, 9), host) for _ in range(stations))
                self.modem(m.NwInfoCnf(m.Network(self.machine.modem.key.nid, m.Role.COORDINATOR, far)))


class Site:
    """Ports and cars on a shared medium; pilot requests are carried out, cars see 5 % and start."""

    def __init__(self, *, wire: Wire = clean, join_s: float = 0.4) -> None:
        self.medium = Medium(wire, join_s)
        self.virtual = VirtualSite(self.medium, START_S)
        self.virtual.on_event = self._event
        self.plugged: dict[str, str] = {}  # car -> port
        self.wakes = True

    @property
    def now(self) -> float:
        return self.virtual.now

    def port(
        self, name: str, config: SlacConfig | None = None, manners: Manners | None = None
    ) -> SlacMachine:
        """An outlet with its modem."""
        number = len(self.virtual.ports) + 1
        self.medium.add(name, mac(2, number), evse=True, manners=manners)
        machine = SlacMachine(evse_id=number, config=config or SlacConfig(), randomness=randomness(number))
        self.virtual.ports[name] = machine
        machine.connected(mac(1, number), self.now)
        return machine

    def car(self, name: str, losses_db: dict[str, int], **changes: Any) -> EvSlacMachine:
        """A car with its modem, its attenuation towards each port, and habits by `like` and single values."""
        number = len(self.virtual.cars) + 1
        like = habits.load(changes.pop("like", "default"))
        values = {field: getattr(like, field) for field in habits.Habits.__dataclass_fields__} | changes
        self.medium.add(name, mac(4, number), evse=False)
        for port, loss_db in losses_db.items():
            self.medium.connect(name, port, loss_db)
        machine = EvSlacMachine(mac(3, number), habits.Habits(**values), randomness(100 + number))
        self.virtual.cars[name] = machine
        return machine

    def plug(self, car: str, port: str) -> None:
        """Cable in, matching wanted."""
        self.plugged[car] = port
        machine = self.virtual.ports[port]
        assert isinstance(machine, SlacMachine)
        machine.cp_changed(CpState.B, 0, self.now)
        machine.start(self.now)

    def unplug(self, car: str) -> None:
        """Cable out."""
        machine = self.virtual.ports[self.plugged.pop(car)]
        assert isinstance(machine, SlacMachine)
        self.virtual.cars[car].stop(self.now)
        self.medium.receive(car, codec.encode(m.LOCAL_MODEM, self.virtual.cars[car].mac, NEW_KEY), self.now)
        machine.cp_changed(CpState.A, 0, self.now)

    def _event(self, name: str, event: Any) -> None:
        if isinstance(event, PilotRequest):
            self._pilot(name, event)
        elif isinstance(event, EvToggle):
            machine = self.virtual.ports[self.plugged[name]]
            assert isinstance(machine, SlacMachine)
            machine.cp_changed(CpState.C if event.energy else CpState.B, 50, self.now)

    def _pilot(self, name: str, event: PilotRequest) -> None:
        machine = self.virtual.ports[name]
        assert isinstance(machine, SlacMachine)
        state = CpState.F if event.mode is PilotMode.STEADY_NEGATIVE else CpState.B
        machine.cp_changed(state, event.duty_permille, self.now)
        if event.mode is PilotMode.PWM and self.wakes:
            for car, port in self.plugged.items():
                if port == name:
                    self.virtual.cars[car].start(self.now)


NEW_KEY = m.SetKeyReq(bytes(7), bytes(range(16)))


def capture(name: str) -> dict[str, Any]:
    """A recorded session."""
    loaded: dict[str, Any] = json.loads((CAPTURES / f"{name}.json").read_text())
    return loaded
