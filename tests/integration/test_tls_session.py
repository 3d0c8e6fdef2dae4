"""ISO 15118-2 sessions over TLS: the simulated car against the V2G service, real sockets and certificates."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.host.pki import made
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.station import events as e
from vsecc_host.station.values import Cause
from vsecc_host.v2g.config import TlsConfig, TlsPolicy, V2gConfig
from vsecc_host.v2g.service import V2gService
from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.ev.result import EvResult
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.ev.values import EvEnd
from vsecc_sim.plant.battery import Battery
from vsecc_sim.virtual_time import run, settle


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.folder(tmp_path_factory.mktemp("tls"))


def charge(
    pki: Path, profile: str, policy: TlsPolicy, leaf: str = "secc"
) -> tuple[EvResult, ScriptedStation]:
    """One small car's session in virtual time."""

    async def session() -> tuple[EvResult, ScriptedStation]:
        tls = TlsConfig(
            policy=policy, chain=pki / "v2g" / leaf / "chain.pem", key=pki / "v2g" / leaf / "key.pem"
        )
        config = V2gConfig(protocols=("din", "iso2"), tls=tls)
        station = ScriptedStation()
        station.v2g = V2gService(evse_id=1, trace=station.trace, on_event=station._on_event, config=config)
        async with station:
            battery = Battery.of_profile(load_profile(profile), 40.0, capacity_wh=1000.0)
            car = EvSimulator(
                profile,
                sdp=station.sdp_url,
                battery=battery,
                target_soc_percent=45.0,
                v2g_root=pki / "v2g/root.pem",
                evccid=bytes.fromhex("02abcdef0001"),
            )
            result = await car.run()
            if result.goal:
                await settle(lambda: bool(station.ends))
        return result, station

    return run(session())


@pytest.mark.parametrize("policy", [TlsPolicy.OFFER, TlsPolicy.REQUIRE])
def test_a_car_charges_over_tls(pki: Path, policy: TlsPolicy) -> None:
    result, station = charge(pki, "iso2-tls", policy)
    assert (result.end, result.goal, result.tls, result.protocol) == (EvEnd.CHARGED, True, True, "iso2")
    assert [(end.cause, end.orderly) for end in station.ends] == [(Cause.EV_FINISHED, True)]
    (started,) = [event for event, _ in station.events if isinstance(event, e.V2gSessionStarted)]
    assert (started.protocol, started.evcc_id) == ("iso2", "02ABCDEF0001")


@pytest.mark.parametrize("profile", ["iso2", "default"])
def test_the_same_station_charges_cars_without_tls(pki: Path, profile: str) -> None:
    result, station = charge(pki, profile, TlsPolicy.OFFER)
    assert (result.end, result.tls) == (EvEnd.CHARGED, False)
    (started,) = [event for event, _ in station.events if isinstance(event, e.V2gSessionStarted)]
    assert started.evcc_id == "02ABCDEF0001"


@pytest.mark.parametrize("profile", ["iso2", "default"])
def test_required_tls_keeps_cars_without_it_away(pki: Path, profile: str) -> None:
    result, station = charge(pki, profile, TlsPolicy.REQUIRE)
    assert not result.goal and not result.tls
    assert not [event for event, _ in station.events if isinstance(event, e.V2gSessionStarted)]


@pytest.mark.parametrize("leaf", ["secc-expired", "secc-not-yet-valid", "secc-wrong-purpose"])
def test_a_car_that_can_do_without_charges_at_a_station_with_a_bad_certificate(pki: Path, leaf: str) -> None:
    result, _ = charge(pki, "audi-q4", TlsPolicy.OFFER, leaf)
    assert (result.end, result.tls) == (EvEnd.CHARGED, False)
