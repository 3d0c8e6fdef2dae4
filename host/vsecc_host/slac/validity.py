"""When a message of an EV is ignored (ISO 15118-3 clause 9: not answered, and nothing is aborted)."""

from __future__ import annotations

from typing import Any

from vsecc_host.slac import messages as m

_ZERO_FIELDS = ("application_type", "security_type", "signal_type")
_ZERO_IDS = ("sender_id", "source_id", "response_id", "ev_id", "evse_id")
_EV_MAC_FIELDS = ("forwarding_sta", "source_address", "ev_mac")


def problem(message: m.Message, source: bytes, own_mac: bytes) -> str | None:
    """Why this message from `source` must be ignored; None when it is valid in itself."""
    if any(getattr(message, name, 0) for name in _ZERO_FIELDS):
        return "application, security or signal type"
    if any(any(getattr(message, name, b"")) for name in _ZERO_IDS):
        return "station id"
    if source in (m.BROADCAST, own_mac) or source[0] & 1:
        return "source address"
    if any(getattr(message, name, source) != source for name in _EV_MAC_FIELDS):
        return "EV address"
    check = _CHECKS.get(type(message))
    return check(message, own_mac) if check is not None else None


def _start(message: m.StartAttenCharInd, own_mac: bytes) -> str | None:
    """Lenient on purpose: only zero is wrong."""
    return None if message.num_sounds and message.time_out else "no sounds or no time"


def _rsp(message: m.AttenCharRsp, own_mac: bytes) -> str | None:
    return "result" if message.result else None


def _match(message: m.SlacMatchReq, own_mac: bytes) -> str | None:
    if message.length != m.MATCH_REQ_LENGTH:
        return "length"
    return None if message.evse_mac == own_mac else "EVSE address"


def _amp_map(message: m.AmpMapReq, own_mac: bytes) -> str | None:
    return None if message.carriers else "no carriers"


_CHECKS: dict[type[Any], Any] = {
    m.StartAttenCharInd: _start,
    m.AttenCharRsp: _rsp,
    m.SlacMatchReq: _match,
    m.AmpMapReq: _amp_map,
}
