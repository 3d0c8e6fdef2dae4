"""ISO 15118-2: scenario acts reach the wire as told, hostile bytes of a charger never break the car."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.tools.ev import charger_iso2 as c
from unit.tools.ev.bench import START_S
from unit.tools.ev.charger import SESSION_ID, pack
from unit.tools.ev.iso2_bench import Iso2Bench

from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_sim.ev.misbehave import Act, Do, parse_acts
from vsecc_sim.ev.profiles import ProfileError
from vsecc_sim.ev.values import EvEnd, Step

STEPS = [step for step in Step if step not in (Step.CLOSE, Step.SERVICE_DETAIL, Step.RENEGOTIATE)]


@pytest.mark.parametrize("step", STEPS)
def test_a_stall_in_each_step(step: Step) -> None:
    bench = Iso2Bench(acts=(Act(at=step, do=Do.STALL, for_s=10.0),))
    assert bench.run().end is EvEnd.CHARGED
    gaps = [b - a for (a, _), (b, _) in zip([(START_S, b""), *bench.sent], bench.sent, strict=False)]
    assert sum(gap >= 10.0 for gap in gaps) == 1


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_wrong_session_id_in_each_step(step: Step) -> None:
    bench = Iso2Bench(acts=(Act(at=step, do=Do.WRONG_SESSION_ID),))
    bench.run()
    good = {SESSION_ID, bytes(8)}
    assert sum(request.header.session_id not in good for request in bench.charger.requests[1:]) == 1


def test_a_skipped_handshake_leaves_the_preferred_protocol() -> None:
    bench = Iso2Bench(acts=(Act(at=Step.HANDSHAKE, do=Do.SKIP, to=Step.SESSION_SETUP),))
    bench.machine.tick(bench.now)
    bench.machine.tick(bench.now)
    _, data = bench.machine.take()
    assert bench.machine.protocol == "iso2"
    assert data[8:10] == bytes([0x80, 0x98])  # EXI header, V2G_Message


@pytest.mark.parametrize(
    ("keys", "field", "value"),
    [
        ({"current_a": 900.0}, "ev_target_current", 900.0),
        ({"voltage_v": 1200.0}, "ev_target_voltage", 1200.0),
        ({"power_w": 840_000.0}, "ev_target_current", 2000.0),
    ],
)
def test_targets_beyond_every_limit(keys: dict[str, float], field: str, value: float) -> None:
    bench = Iso2Bench(target_soc=52.0, acts=(Act(at=Step.CURRENT_DEMAND, do=Do.BEYOND, nth=5, **keys),))
    bench.run()
    demands = [c.number(getattr(d, field)) for d in bench.charger.bodies(iso2.CurrentDemandReq)]
    assert max(demands[:4]) < value
    assert demands[4] == pytest.approx(value, rel=0.01)


def test_a_plan_beyond_the_schedule() -> None:
    bench = Iso2Bench(acts=(Act(at=Step.POWER_ON, do=Do.BEYOND, power_w=300_000.0),))
    bench.run()
    entry = bench.charger.bodies(iso2.PowerDeliveryReq)[0].charging_profile.profile_entry[0]
    assert c.number(entry.charging_profile_entry_max_power) == 300_000.0


def test_a_schedule_nobody_offered() -> None:
    bench = Iso2Bench(acts=(Act(at=Step.POWER_ON, do=Do.WRONG_SCHEDULE),))
    bench.run()
    assert [r.sa_schedule_tuple_id for r in bench.charger.bodies(iso2.PowerDeliveryReq)] == [2, 1]


def test_disconnecting_without_session_stop() -> None:
    bench = Iso2Bench(acts=(Act(at=Step.SESSION_STOP, do=Do.DISCONNECT),))
    ended = bench.run()
    assert ended.end is EvEnd.CHARGED
    assert ended.trouble == ("misbehaved: disconnect at session_stop",)
    assert not bench.charger.bodies(iso2.SessionStopReq)


def test_garbage_is_not_answered() -> None:
    bench = Iso2Bench(acts=(Act(at=Step.SERVICE_DISCOVERY, do=Do.GARBAGE, hex="0102"),))
    assert bench.run().end is EvEnd.MESSAGE_TIMEOUT
    assert bench.sent[-1][1] == bytes([1, 2])


def test_beyond_needs_to_know_what() -> None:
    with pytest.raises(ProfileError, match="misbehave 1: beyond needs"):
        parse_acts([{"at": "current_demand", "do": "beyond"}])


# --- hostile bytes ----------------------------------------------------------------------------------------


def message(body: Any) -> bytes:
    """A framed message of the session."""
    return pack(encode(Protocol.ISO2, iso2.V2gMessage(iso2.MessageHeader(SESSION_ID), body)))


AC_STATUS = iso2.AcEvseStatus(0, iso2.EvseNotification.None_, False)


@pytest.mark.parametrize(
    ("response", "raw"),
    [
        (iso2.SessionSetupRes, pack(b"")),
        (iso2.CableCheckRes, pack(b"\x80")),
        (iso2.CableCheckRes, pack(b"\xff" * 40)),
        (iso2.PreChargeRes, message(None)),
        (iso2.PreChargeRes, message(iso2.SessionStopReq(iso2.ChargingSession.Terminate))),
        (iso2.PreChargeRes, bytes.fromhex("01fe8001") + (1 << 20).to_bytes(4, "big") + b"\x80" * 50),
        (iso2.PowerDeliveryRes, message(iso2.PowerDeliveryRes(c.OK, AC_STATUS))),
        (
            iso2.ChargeParameterDiscoveryRes,
            message(
                c.parameters()._replace(
                    evse_charge_parameter=iso2.AcEvseChargeParameter(AC_STATUS, c.volts(230), c.amperes(32))
                )
            ),
        ),
    ],
    ids=["empty", "header only", "ones", "no body", "a request", "a megabyte announced", "AC", "AC limits"],
)
def test_bad_answers_end_the_session_as_a_protocol_error(response: type[Any], raw: bytes) -> None:
    bench = Iso2Bench()
    bench.charger.change(response, lambda res, nth: raw)
    assert bench.run().end is EvEnd.PROTOCOL_ERROR


def test_another_session_id_ends_the_session() -> None:
    bench = Iso2Bench()

    def change(res: Any, nth: int) -> Any:
        bench.charger.session_id = bytes(8)
        return res

    bench.charger.change(iso2.CableCheckRes, change)
    ended = bench.run()
    assert ended.end is EvEnd.PROTOCOL_ERROR
    assert "0000000000000000" in ended.detail


@given(data=st.lists(st.binary(max_size=60), max_size=6), nth=st.integers(1, 30), frame=st.booleans())
def test_no_bytes_break_the_car(data: list[bytes], nth: int, frame: bool) -> None:
    bench = Iso2Bench()
    noise = b"".join(pack(part) if frame else part for part in data)
    seen = 0

    def insert(request: bytes, now: float) -> bytes:
        nonlocal seen
        seen += 1
        reply = answer(request, now)
        return noise + reply if seen == nth else reply

    answer = bench.charger.answer
    bench.charger.answer = insert  # type: ignore[method-assign]
    assert isinstance(bench.run().end, EvEnd)
    assert bench.bus is not None and not bench.bus.contactor_closed
    assert bench.pilots[-1][1] == "B"


@given(flips=st.lists(st.tuples(st.integers(1, 40), st.integers(8, 60), st.integers(1, 255)), max_size=4))
def test_no_damaged_answer_breaks_the_car(flips: list[tuple[int, int, int]]) -> None:
    bench = Iso2Bench()
    seen = 0

    def damage(request: bytes, now: float) -> bytes:
        nonlocal seen
        seen += 1
        reply = bytearray(answer(request, now))
        for nth, at, bits in flips:
            if nth == seen and at < len(reply):
                reply[at] ^= bits
        return bytes(reply)

    answer = bench.charger.answer
    bench.charger.answer = damage  # type: ignore[method-assign]
    assert isinstance(bench.run().end, EvEnd)
    assert bench.bus is not None and not bench.bus.contactor_closed
