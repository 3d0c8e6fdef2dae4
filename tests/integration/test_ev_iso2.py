"""The car over real loopback sockets in ISO 15118-2: pause, renegotiation, TLS and what it falls back to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from shared_data import SHARED
from unit.host.pki import made
from unit.tools.ev.charger import PaperCharger
from unit.tools.ev.charger_iso2 import Iso2PaperCharger
from unit.tools.ev.loopback import LoopbackCharger, Pilot

from vsecc_host.v2g import sdp
from vsecc_host.v2g.exi import Protocol, decode, encode
from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_sim.ev.misbehave import Act, Do
from vsecc_sim.ev.profiles import ProfileError, load_profile
from vsecc_sim.ev.result import EvResult
from vsecc_sim.ev.scenario import parse_scenario
from vsecc_sim.ev.simulator import EvSimulator, NotPossible
from vsecc_sim.ev.values import EvEnd, EvPhase, Step
from vsecc_sim.plant.battery import Battery
from vsecc_sim.plant.dc_bus import DcBus
from vsecc_sim.virtual_time import run, settle

VECTORS = SHARED / "vectors" / "exi" / "iso15118_2.json"


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in virtual time."""

    @wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return wrapped


def new_car(world: LoopbackCharger, profile: str = "iso2", **more: Any) -> EvSimulator:
    """A small car, 40 to 45 %."""
    return EvSimulator(
        profile,
        sdp=world.url,
        bus=world.bus,
        battery=Battery.of_profile(load_profile(profile), 40.0, capacity_wh=1000.0),
        target_soc_percent=45.0,
        **more,
    )


class Iso2World(LoopbackCharger):
    """A charger that speaks ISO 15118-2 and joins the session of its last connection."""

    charger: Iso2PaperCharger  # type: ignore[assignment]

    def __init__(self, *, joins: bool = True, **more: Any) -> None:
        super().__init__(DcBus(), kind=Iso2PaperCharger, **more)
        self._joins = joins

    def prepare(self, charger: PaperCharger) -> PaperCharger:
        """Remembers the session before."""
        assert isinstance(charger, Iso2PaperCharger)
        if self.chargers and self._joins:
            charger.joins = self.chargers[-1].session_id
        return charger


# --- protocol ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["iso2", "polestar-2", "audi-q4"])
@virtually
async def test_cars_charge_in_iso2(profile: str) -> None:
    async with Iso2World() as world:
        pilot = Pilot()
        result = await new_car(world, profile, pilot=pilot).run()
        assert (result.end, result.goal, result.protocol, result.tls) == (EvEnd.CHARGED, True, "iso2", False)
        assert pilot.states == ["B", "C", "B"]
        assert result.as_json()["protocol"] == "iso2"


@pytest.mark.parametrize(
    ("profile", "protocol"), [("ioniq", "iso2"), ("iso2", "din"), ("polestar-2", "iso2"), ("model-y", "din")]
)
@virtually
async def test_the_protocol_can_be_chosen(profile: str, protocol: str) -> None:
    kind = Iso2PaperCharger if protocol == "iso2" else PaperCharger
    async with LoopbackCharger(DcBus(), kind=kind) as world:
        result = await new_car(world, profile, protocol=protocol).run()
        assert (result.end, result.protocol) == (EvEnd.CHARGED, protocol)
        assert len(world.charger.requests[0].app_protocol) == 1


def test_a_protocol_nobody_knows_is_refused() -> None:
    with pytest.raises(ProfileError, match="no protocol iso21; there are din, iso2"):
        EvSimulator("default", sdp="sdp://[::1]:9", protocol="iso21")
    with pytest.raises(ProfileError, match="insists on TLS"):
        EvSimulator("iso2-tls", sdp="sdp://[::1]:9", protocol="din")


@virtually
async def test_a_scenario_chooses_the_protocol_and_misbehaves() -> None:
    async with Iso2World() as world:
        scenario = parse_scenario(
            {
                "protocol": "iso2",
                "capacity_wh": 500,
                "misbehave": [{"at": "current_demand", "nth": 3, "do": "beyond", "current_a": 999}],
            }
        )
        car = EvSimulator.of_scenario(scenario, sdp=world.url, bus=world.bus)
        task = asyncio.create_task(car.run())
        await settle(lambda: bool(world.chargers) and len(world.charger.bodies(iso2.CurrentDemandReq)) > 4)
        car.request_stop()
        assert (await task).end is EvEnd.STOPPED_BY_DRIVER
        assert world.charger.bodies(iso2.CurrentDemandReq)[3].ev_target_current.value == 9990


@virtually
async def test_one_byte_at_a_time() -> None:
    async with Iso2World() as world:
        act = Act(at=Step.PAYMENT_SELECTION, do=Do.ONE_BYTE, interval_s=0.001)
        assert (await new_car(world, misbehave=(act,)).run()).goal


@virtually
async def test_never_reading() -> None:
    async with Iso2World() as world:
        act = Act(at=Step.CABLE_CHECK, do=Do.NEVER_READ)
        assert (await new_car(world, misbehave=(act,)).run()).end is EvEnd.MESSAGE_TIMEOUT


# --- pause ------------------------------------------------------------------------------------------------


async def paused_car(world: LoopbackCharger, **more: Any) -> tuple[EvSimulator, asyncio.Task[EvResult]]:
    """A car that charged a little and paused."""
    car = new_car(world, **more)
    task = asyncio.create_task(car.run())
    await settle(lambda: car.energy_wh > 5)
    car.pause()
    await settle(lambda: car.paused)
    return car, task


@pytest.mark.parametrize("joins", [True, False])
@virtually
async def test_a_paused_session_goes_on_with_its_id(joins: bool) -> None:
    async with Iso2World(joins=joins) as world:
        pilot = Pilot()
        car, task = await paused_car(world, pilot=pilot)
        assert car.phase is EvPhase.CONNECTED
        assert world.bus is not None and not world.bus.contactor_closed
        await asyncio.sleep(3600.0)
        assert len(world.chargers) == 1
        car.resume()
        result = await task
        assert (result.end, result.goal, result.rounds) == (EvEnd.CHARGED, True, 2)
        wake_up = ["C", "B"]
        assert pilot.states == ["B", "C", "B", *wake_up, "C", "B"]
        first, second = world.chargers
        assert first.bodies(iso2.SessionStopReq) == [iso2.SessionStopReq(iso2.ChargingSession.Pause)]
        assert second.requests[1].header.session_id == first.session_id
        assert result.energy_wh == pytest.approx(50.0, rel=0.25)


@virtually
async def test_resumed_before_it_has_paused() -> None:
    async with Iso2World() as world:
        car = new_car(world)
        task = asyncio.create_task(car.run())
        await settle(lambda: car.energy_wh > 5)
        car.pause()
        car.resume()
        result = await task
        assert (result.goal, result.rounds) == (True, 2)


@virtually
async def test_the_driver_leaves_during_the_pause() -> None:
    async with Iso2World() as world:
        car, task = await paused_car(world)
        car.request_stop()
        result = await task
        assert (result.end, result.goal) == (EvEnd.STOPPED_BY_DRIVER, True)


@virtually
async def test_the_cable_is_pulled_during_the_pause() -> None:
    async with Iso2World() as world:
        pilot = Pilot()
        car, task = await paused_car(world, pilot=pilot)
        car.unplug()
        assert (await task).end is EvEnd.UNPLUGGED
        assert pilot.states[-1] == "A"


@virtually
async def test_pausing_where_that_cannot_be() -> None:
    async with LoopbackCharger(DcBus()) as world:
        car = new_car(world, "default")
        for verb in (car.pause, car.resume, car.renegotiate):
            with pytest.raises(NotPossible):
                verb()
        task = asyncio.create_task(car.run())
        await settle(lambda: car.energy_wh > 5)
        with pytest.raises(NotPossible, match="DIN SPEC 70121 knows no pause"):
            car.pause()
        with pytest.raises(NotPossible, match="not paused"):
            car.resume()
        with pytest.raises(NotPossible, match="DIN SPEC 70121 knows no renegotiation"):
            car.renegotiate()
        assert (await task).goal


@virtually
async def test_a_car_renegotiates_on_demand() -> None:
    async with Iso2World() as world:
        car = new_car(world)
        task = asyncio.create_task(car.run())
        await settle(lambda: car.energy_wh > 5)
        car.renegotiate()
        assert (await task).goal
        assert len(world.charger.bodies(iso2.ChargeParameterDiscoveryReq)) == 2


# --- TLS --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.folder(tmp_path_factory.mktemp("car"))


def server(pki: Path, leaf: str = "secc") -> ssl.SSLContext:
    """A charger's context with one of the certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    context.load_cert_chain(pki / "v2g" / leaf / "chain.pem", pki / "v2g" / leaf / "key.pem")
    return context


@pytest.mark.parametrize("profile", ["iso2-tls", "audi-q4"])
def test_cars_charge_over_tls(pki: Path, profile: str) -> None:
    async def story() -> None:
        async with Iso2World(tls=server(pki)) as world:
            result = await new_car(world, profile, v2g_root=pki / "v2g/root.pem").run()
            assert (result.end, result.goal, result.tls) == (EvEnd.CHARGED, True, True)
            assert [security for _, security in world.asked] == [sdp.Security.TLS]
            offered = [entry.protocol_namespace for entry in world.charger.requests[0].app_protocol]
            assert offered == ["urn:iso:15118:2:2013:MsgDef"]

    run(story())


@pytest.mark.parametrize("root", [False, True], ids=["no root", "expired leaf"])
@pytest.mark.parametrize(("profile", "end"), [("iso2-tls", EvEnd.NO_TLS), ("audi-q4", EvEnd.CHARGED)])
def test_a_certificate_the_car_does_not_trust(pki: Path, profile: str, end: EvEnd, root: bool) -> None:
    async def story() -> None:
        async with Iso2World(tls=server(pki, "secc-expired" if root else "secc")) as world:
            trusted = pki / "v2g/root.pem" if root else None
            result = await new_car(world, profile, v2g_root=trusted).run()
            assert (result.end, result.tls) == (end, False)
            if end is EvEnd.NO_TLS:
                assert "certificate verify failed" in result.detail
            else:
                assert [security for _, security in world.asked] == [sdp.Security.TLS, sdp.Security.NONE]

    run(story())


@virtually
async def test_a_car_that_insists_stays_away_without_tls() -> None:
    async with Iso2World() as world:
        result = await new_car(world, "iso2-tls").run()
        assert (result.end, result.detail) == (EvEnd.NO_TLS, "the charger offers no TLS")
        assert not world.chargers


@virtually
async def test_a_car_that_insists_asks_for_nothing_but_tls() -> None:
    async with Iso2World(answers_tls=False) as world:
        result = await new_car(world, "iso2-tls").run()
        assert result.end is EvEnd.NO_SDP_ANSWER
        assert [security for _, security in world.asked] == [sdp.Security.TLS] * 50


def test_a_din_car_makes_nothing_of_tls(pki: Path) -> None:
    async def story() -> None:
        async with LoopbackCharger(DcBus(), tls=server(pki)) as world:
            result = await new_car(world, "model-x-plaid").run()
            assert (result.goal, result.protocol, result.tls) == (True, "din", False)
            assert [security for _, security in world.asked] == [sdp.Security.TLS, sdp.Security.NONE]

    run(story())


def test_a_missing_root_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r".+"):
        EvSimulator("iso2-tls", sdp="sdp://[::1]:9", v2g_root=tmp_path / "none.pem")


def test_one_byte_at_a_time_over_tls(pki: Path) -> None:
    async def story() -> None:
        async with Iso2World(tls=server(pki)) as world:
            act = Act(at=Step.PAYMENT_SELECTION, do=Do.ONE_BYTE, interval_s=0.001)
            root = pki / "v2g/root.pem"
            assert (await new_car(world, "iso2-tls", v2g_root=root, misbehave=(act,)).run()).goal

    run(story())


def test_pulling_the_cable_goes_silent_over_tls(pki: Path) -> None:
    async def story() -> None:
        async with Iso2World(tls=server(pki)) as world:
            car = new_car(world, "iso2-tls", v2g_root=pki / "v2g/root.pem")
            task = asyncio.create_task(car.run())
            await settle(lambda: car.energy_wh > 5)
            requests = len(world.charger.requests)
            car.unplug()
            assert (await task).end is EvEnd.UNPLUGGED
            await asyncio.sleep(5.0)
            assert len(world.charger.requests) == requests

    run(story())


@pytest.mark.parametrize(
    ("act", "end"),
    [
        (Act(at=Step.CURRENT_DEMAND, nth=3, do=Do.DISCONNECT), EvEnd.MISBEHAVED),
        (Act(at=Step.CURRENT_DEMAND, nth=3, do=Do.DISCONNECT, reset=True), EvEnd.MISBEHAVED),
        (Act(at=Step.CABLE_CHECK, do=Do.NEVER_READ), EvEnd.MESSAGE_TIMEOUT),
    ],
    ids=["closes", "resets", "never reads"],
)
def test_misbehaviour_over_tls(pki: Path, act: Act, end: EvEnd) -> None:
    async def story() -> None:
        async with Iso2World(tls=server(pki)) as world:
            root = pki / "v2g/root.pem"
            assert (await new_car(world, "iso2-tls", v2g_root=root, misbehave=(act,)).run()).end is end

    run(story())


# --- plausibility -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not VECTORS.is_file(), reason="vectors are not here")
@virtually
async def test_requests_look_like_those_of_others() -> None:
    """The same message types as in a recorded session of another implementation, each encoded canonically."""
    vectors = [v for v in json.loads(VECTORS.read_text()) if v["name"].startswith("iso15118_2/session.")]
    others = {v["name"].rpartition(".")[2]: bytes.fromhex(v["exi_hex"]) for v in vectors}
    async with Iso2World() as world:
        assert (await new_car(world).run()).goal
        ours: dict[str, Any] = {}
        for message in world.charger.requests[1:]:
            ours.setdefault(type(message.body).__name__, message)
            assert decode(Protocol.ISO2, encode(Protocol.ISO2, message)) == message
    requests = {name: raw for name, raw in others.items() if name.endswith("Req")}
    assert set(requests) <= set(ours)
    for name, raw in requests.items():
        theirs, mine = decode(Protocol.ISO2, raw).body, ours[name].body
        assert type(theirs) is type(mine)
        for field, value in theirs._asdict().items():
            if isinstance(value, iso2.PhysicalValue):
                assert getattr(mine, field).unit == value.unit
    for name in ("AuthorizationReq", "ServiceDiscoveryReq", "PaymentServiceSelectionReq"):
        theirs = decode(Protocol.ISO2, others[name])
        assert encode(Protocol.ISO2, theirs._replace(body=ours[name].body)) == others[name]
