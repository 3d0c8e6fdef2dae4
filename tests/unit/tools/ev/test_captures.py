"""The simulated cars say what the real ones said: recorded requests byte by byte, ramp and think times."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any, NamedTuple

import pytest
from shared_data import SHARED
from unit.tools.ev.bench import Bench
from unit.tools.ev.charger import SESSION_ID, pack, parameters

from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import Protocol, decode, encode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_sim.ev.din import DinDialect
from vsecc_sim.ev.machine import EvMachine
from vsecc_sim.ev.memory import Memory
from vsecc_sim.ev.profiles import Profile, load_profile
from vsecc_sim.ev.values import Ended, EvEnd, Step, View
from vsecc_sim.plant.battery import Battery

pytestmark = pytest.mark.skipif(not (SHARED / "captures").is_dir(), reason="recorded sessions are not here")


class Recorded(NamedTuple):
    """One recorded exchange: when asked and answered, raw messages, names."""

    asked_at: float
    request: bytes
    answered_at: float
    response: bytes
    name: str


CARS = {
    # capture -> profile, state of charge that gives the recorded energies and targets
    "ioniq-10min-two-sessions": ("ioniq", 82.5),
    "ioniq-currentdemand-3min": ("ioniq", 27.0),
    "ioniq-93-percent": ("ioniq", 93.5),
    "modely-stop-in-precharge": ("model-y", 55.0),
    "polestar2-stop-in-precharge": ("polestar-2", 77.325),
}
REQUESTS = {
    Step.HANDSHAKE: "supportedAppProtocolReq",
    Step.SESSION_SETUP: "SessionSetupReq",
    Step.SERVICE_DISCOVERY: "ServiceDiscoveryReq",
    Step.PAYMENT_SELECTION: "ServicePaymentSelectionReq",
    Step.AUTHORIZATION: "ContractAuthenticationReq",
    Step.CHARGE_PARAMETERS: "ChargeParameterDiscoveryReq",
    Step.CABLE_CHECK: "CableCheckReq",
    Step.PRE_CHARGE: "PreChargeReq",
    Step.POWER_ON: "PowerDeliveryReq",
    Step.CURRENT_DEMAND: "CurrentDemandReq",
    Step.POWER_OFF: "PowerDeliveryReq",
    Step.SESSION_STOP: "SessionStopReq",
}
# What depends on the real battery's condition of that day, not on the profile.
LIVELY = {
    "ev_target_voltage",
    "ev_target_current",
    "remaining_time_to_full_soc",
    "remaining_time_to_bulk_soc",
}


@cache
def exchanges(capture: str) -> list[Recorded]:
    """Request and response pairs of the capture's first TCP connection."""
    document = json.loads((SHARED / "captures" / f"{capture}.json").read_text())
    frames = [frame for frame in document["frames"] if frame["kind"] == "v2gtp"]
    found: list[Recorded] = []
    for request, response in zip(frames[::2], frames[1::2], strict=False):
        if request["dir"] != "ev->evse" or response["dir"] != "evse->ev":
            break
        name = request_name(request["decoded"])
        if name == "supportedAppProtocolReq" and found:
            break  # the second session
        raw, answer = bytes.fromhex(request["hex"]), bytes.fromhex(response["hex"])
        found.append(Recorded(request["t"], raw, response["t"], answer, name))
    return found


def request_name(decoded: dict[str, Any]) -> str:
    """Message name of a decoded frame."""
    return str(next(iter(decoded["V2G_Message"]["Body"] if "V2G_Message" in decoded else decoded)))


def body_of(raw: bytes) -> Any:
    """Decoded message."""
    return decode(Protocol.DIN, raw[v2gtp.HEADER_SIZE :]).body


class Said(NamedTuple):
    """What the simulated car said where the real one said `exchange.request`."""

    exchange: Recorded
    raw: bytes


class Replayed:
    """The machine on the recorded clock, fed with the recorded answer to whatever it asks next."""

    def __init__(self, capture: str) -> None:
        name, soc = CARS[capture]
        self.recorded = exchanges(capture)
        self.profile: Profile = load_profile(name, {"think_jitter_ms": 0.0})
        self.battery = Battery.of_profile(self.profile, soc)
        evccid = body_of(self.recorded[1].request).evccid
        self.memory = Memory(self.profile, self.view(), 100.0)
        self.now = self.recorded[0].asked_at
        self.machine = EvMachine(
            self.profile,
            (DinDialect(self.profile, evccid),),
            self.memory,
            random=Random(1),
            setup_by=self.now + 20.0,
        )
        self.said: list[Said] = []
        self.ended: Ended | None = None
        self._at = 0  # next recorded exchange
        self._run()

    def view(self) -> View:
        """The cable is dead in these recordings: their charger had no power stage."""
        wanted, voltage_v = self.battery.wanted(), self.battery.open_voltage_v
        soc = self.battery.soc_percent
        return View(0.0, 0.0, voltage_v, soc, wanted.voltage_v, wanted.current_a)

    def said_in(self, name: str) -> list[tuple[Any, Any]]:
        """(recorded, ours) bodies of one request."""
        return [
            (body_of(said.exchange.request), body_of(said.raw))
            for said in self.said
            if said.exchange.name == name
        ]

    def _run(self) -> None:
        self.machine.start(self.now)
        while self.ended is None and (found := self._next_exchange()) is not None:
            exchange = found
            self.now = max(self.now, exchange.asked_at)
            self.machine.observe(self.view())
            # Ask when the real car asked: a ramp must see the real clock.
            if self.machine.step is not Step.CLOSE:
                self.machine._send_at = self.now
            self.machine.tick(self.now)
            self._take(exchange)
            self.now = max(self.now, exchange.answered_at)
            self.machine.receive(self._readable(exchange), self.now)
            self._take(exchange)
        if self.machine.step is Step.CLOSE and self.ended is None:
            self.machine.tick(self.now + self.profile.ending.close_s)
            self._take(exchange)

    def _next_exchange(self) -> Recorded | None:
        """The recorded exchange of the request that is due; None at the end of the recording."""
        name = REQUESTS.get(self.machine.step)
        for at in range(self._at, len(self.recorded)):
            if self.recorded[at].name == name:
                self._at = at + 1
                return self.recorded[at]
        past = [exchange for exchange in self.recorded[: self._at] if exchange.name == name]
        if not past or self.machine.step in (Step.CURRENT_DEMAND, Step.POWER_OFF):
            return None
        return past[-1]._replace(asked_at=self.now + 0.1, answered_at=self.now + 0.15)

    @staticmethod
    def _readable(exchange: Recorded) -> bytes:
        """Two recorded answers do not fit the schema, though the car took them: a proper one instead."""
        if exchange.name != "ChargeParameterDiscoveryReq":
            return exchange.response
        return pack(encode(Protocol.DIN, din.V2gMessage(din.MessageHeader(SESSION_ID), parameters())))

    def _take(self, exchange: Recorded) -> None:
        events, data = self.machine.take()
        if data:
            self.said.append(Said(exchange, data))
        self.ended = next((event for event in events if isinstance(event, Ended)), self.ended)


@cache
def replayed(capture: str) -> Replayed:
    """Replays are pure, one is enough for all tests."""
    return Replayed(capture)


@pytest.mark.parametrize("capture", CARS)
def test_requests_up_to_the_cable_check_are_the_recorded_bytes(capture: str) -> None:
    car = replayed(capture)
    assert [said.exchange for said in car.said[:6]] == car.recorded[:6]
    for exchange, raw in car.said:
        if exchange.name == "PreChargeReq":
            break
        # one car pads a message with a zero byte
        assert raw[8:].hex().rstrip("0") == exchange.request[8:].hex().rstrip("0"), exchange.name


@pytest.mark.parametrize("capture", CARS)
def test_every_request_has_the_recorded_fields_and_multipliers(capture: str) -> None:
    car = replayed(capture)
    assert len(car.said) >= 0.9 * len(car.recorded)
    for said in car.said[1:]:
        recorded, ours = body_of(said.exchange.request), body_of(said.raw)
        assert type(recorded) is type(ours)
        for name, expected in recorded._asdict().items():
            value = getattr(ours, name)
            if isinstance(expected, din.PhysicalValue):
                assert value is not None, name
                assert (value.multiplier, value.unit) == (expected.multiplier, expected.unit), name
            if name not in LIVELY and car.memory.end is None:
                assert value == expected, f"{said.exchange.name}.{name}"


@pytest.mark.parametrize("capture", CARS)
def test_pre_charge_asks_for_the_recorded_voltage(capture: str) -> None:
    for recorded, ours in replayed(capture).said_in("PreChargeReq"):
        step_v = 10.0**recorded.ev_target_voltage.multiplier
        assert abs(ours.ev_target_voltage.value - recorded.ev_target_voltage.value) * step_v <= 1.0
        assert ours.ev_target_current == recorded.ev_target_current


def test_the_ioniq_ramps_as_recorded() -> None:
    """Targets of the first 30 CurrentDemandReq on the recorded clock, in tenths of an ampere."""
    pairs = replayed("ioniq-10min-two-sessions").said_in("CurrentDemandReq")[:30]
    recorded = [request.ev_target_current.value for request, _ in pairs]
    ours = [request.ev_target_current.value for _, request in pairs]
    assert recorded[0] == ours[0] == 10
    assert all(abs(a - b) <= 10 for a, b in zip(recorded, ours, strict=True)), (recorded, ours)
    assert pairs[0][0].ev_target_voltage.value == pytest.approx(pairs[0][1].ev_target_voltage.value, abs=2)
    assert pairs[1][0].ev_target_voltage == pairs[1][1].ev_target_voltage


@pytest.mark.parametrize("capture", [name for name in CARS if name.startswith("ioniq")])
def test_the_ioniq_needs_about_as_many_fitting_voltages_as_recorded(capture: str) -> None:
    car = replayed(capture)
    recorded = [exchange.name for exchange in car.recorded].count("PreChargeReq")
    assert abs(recorded - len(car.said_in("PreChargeReq"))) <= 3


def test_the_ioniq_ends_ten_minutes_without_current_as_recorded() -> None:
    car = replayed("ioniq-10min-two-sessions")
    assert car.memory.end is EvEnd.NO_CURRENT
    assert car.ended is not None
    assert car.ended.at == pytest.approx(car.recorded[-1].answered_at, abs=1.5)
    *_, (recorded, ours) = car.said_in("PowerDeliveryReq")
    assert ours == recorded
    assert [said.exchange.name for said in car.said[-2:]] == ["PowerDeliveryReq", "SessionStopReq"]


@pytest.mark.parametrize("capture", ["modely-stop-in-precharge", "polestar2-stop-in-precharge"])
def test_cars_that_measure_leave_pre_charge_within_a_round_of_the_recording(capture: str) -> None:
    car = replayed(capture)
    assert car.memory.end is EvEnd.PRE_CHARGE_GAVE_UP
    recorded = [exchange.name for exchange in car.recorded].count("PreChargeReq")
    assert abs(recorded - len(car.said_in("PreChargeReq"))) <= 1
    assert car.said[-1].exchange.name == "SessionStopReq"


# --- think times ------------------------------------------------------------------------------------------

MEASURED_STEPS = [
    "SessionSetupReq",
    "ServiceDiscoveryReq",
    "ServicePaymentSelectionReq",
    "ContractAuthenticationReq",
    "ChargeParameterDiscoveryReq",
    "CableCheckReq",
    "PreChargeReq",
    "PowerDeliveryReq",
    "CurrentDemandReq",
]


@pytest.mark.parametrize(
    "capture", ["ioniq-10min-two-sessions", "modely-stop-in-precharge", "polestar2-stop-in-precharge"]
)
@pytest.mark.parametrize("name", MEASURED_STEPS)
def test_the_car_thinks_as_long_as_recorded(capture: str, name: str) -> None:
    """The median gap before a request lies in the recorded range, a tenth and 3 ms of slack around it."""
    recorded = [
        (later.asked_at - earlier.answered_at) * 1000.0
        for earlier, later in zip(exchanges(capture), exchanges(capture)[1:], strict=False)
        if later.name == name
    ]
    bench = Bench(CARS[capture][0], soc=CARS[capture][1], target_soc=CARS[capture][1] + 0.3, answer_s=0.05)
    bench.charger.change(din.CableCheckRes, _ongoing_twice)
    bench.run()
    ours = bench.gaps_ms(name)
    if not recorded or name == "PowerDeliveryReq":
        ours, recorded = ours[:1], recorded[:1] or ours[:1]
    middle = sorted(ours)[len(ours) // 2]
    assert min(recorded) * 0.9 - 3 <= middle <= max(recorded) * 1.1 + 3, (ours[:5], recorded[:5])


def _ongoing_twice(response: Any, nth: int) -> Any:
    return response._replace(evse_processing=din.EvseProcessing.Ongoing) if nth <= 2 else response
