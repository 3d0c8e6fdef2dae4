"""Handshake choice with the offers real cars make."""

from __future__ import annotations

import pytest

from vsecc_host.v2g.exi.app_protocol import AppProtocol, ResponseCode, SupportedAppProtocolReq
from vsecc_host.v2g.exi.app_protocol import SupportedAppProtocolRes as Res
from vsecc_host.v2g.sap import choose

DIN = "urn:din:70121:2012:MsgDef"
ISO2 = "urn:iso:15118:2:2013:MsgDef"
OK = ResponseCode.OK_SuccessfulNegotiation


def offer(*entries: AppProtocol) -> SupportedAppProtocolReq:
    return SupportedAppProtocolReq(entries)


def din(schema_id: int = 1, priority: int = 1, major: int = 2, minor: int = 0) -> AppProtocol:
    return AppProtocol(DIN, major, minor, schema_id, priority)


def iso2(schema_id: int = 0, priority: int = 2) -> AppProtocol:
    return AppProtocol(ISO2, 2, 0, schema_id, priority)


TESLA = AppProtocol("urn:tesla:din:2018:MsgDef", 0, 7, 2, 1)


@pytest.mark.parametrize(
    ("request_", "supported", "answer", "protocol"),
    [
        (offer(din()), ("din",), Res(OK, 1), "din"),  # Ioniq
        (offer(din(0)), ("din",), Res(OK, 0), "din"),  # id 0 is legal
        (offer(din(), iso2()), ("din", "iso2"), Res(OK, 1), "din"),  # Polestar 2: the EV's priority decides
        (offer(din(1, 2), iso2(0, 1)), ("din", "iso2"), Res(OK, 0), "iso2"),
        (offer(din(1, 2), iso2(0, 1)), ("din",), Res(OK, 1), "din"),
        (offer(din(1, 2), TESLA), ("din",), Res(OK, 1), "din"),  # Model Y
        (offer(din(1, 3), TESLA._replace(priority=2)), ("din",), Res(OK, 1), "din"),  # nobody has priority 1
        (
            offer(din(minor=1)),
            ("din",),
            Res(ResponseCode.OK_SuccessfulNegotiationWithMinorDeviation, 1),
            "din",
        ),
        (offer(din(major=3)), ("din",), Res(ResponseCode.Failed_NoNegotiation), None),
        (offer(TESLA), ("din",), Res(ResponseCode.Failed_NoNegotiation), None),
        (offer(iso2()), ("din",), Res(ResponseCode.Failed_NoNegotiation), None),
        (offer(din()), (), Res(ResponseCode.Failed_NoNegotiation), None),
    ],
)
def test_choice(
    request_: SupportedAppProtocolReq, supported: tuple[str, ...], answer: Res, protocol: str | None
) -> None:
    choice = choose(request_, supported)
    assert choice is not None
    assert (choice.answer, choice.protocol) == (answer, protocol)


def test_an_answer_is_no_request() -> None:
    assert choose(Res(OK, 1), ("din",)) is None
