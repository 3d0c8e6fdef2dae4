"""Ethernet frames <-> SLAC and modem messages (HomePlug AV management entries, type 0x88E1).

A layout is the wire order of a message's fields. `decode` gives None for what is not ours to read (unknown
type or vendor, other header version, fragment) and raises CodecError for a known message that is cut short.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vsecc_host.slac import messages as m

ETHERTYPE = 0x88E1
MIN_FRAME_SIZE = 60  # bytes without FCS; shorter ones are zero padded
MAX_FRAME_SIZE = 1518
NMK_OFFSETS = {0x607D: 93, 0x6008: 41}  # where CM_SLAC_MATCH.CNF and CM_SET_KEY.REQ carry the key
NMK_SIZE = 16

_HEADER = struct.Struct(">6s6sHB")  # destination, source, EtherType, MMV
_MMTYPE = struct.Struct("<H")
_PAYLOAD_AT = {0: 17, 1: 19}  # by MMV; version 1 has two fragment bytes
_FRAGMENTS = slice(17, 19)
_NETWORK = struct.Struct("<7s2xBB4xB6sB3xB5x")
_STATION = struct.Struct("<6sB3x6sH2xH2x")
_NW_INFO = struct.Struct("<3s2xHxB")  # OUI, length from the byte after it, number of networks
_NW_INFO_MORE = 2  # bytes the length counts besides networks: reserved, number


class CodecError(Exception):
    """A known message that cannot be read: cut short, or its counts contradict its size."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One management message with its Ethernet addresses."""

    destination: bytes
    source: bytes
    message: m.Message


class _Layout(NamedTuple):
    """Fields in wire order; "#" is the size of `tail`, whose bytes follow the struct."""

    message: type[Any]
    mmtype: int
    mmv: int
    struct: struct.Struct
    fields: tuple[str, ...]
    tail: str = ""


def _layout(
    message: type[Any], mmtype: int, fmt: str, fields: str, *, mmv: int = 1, tail: str = ""
) -> _Layout:
    return _Layout(message, mmtype, mmv, struct.Struct("<" + fmt), tuple(fields.split()), tail)


_APP = "application_type security_type "
_KEY = "my_nonce your_nonce pid prn pmn cco_capability"
_MATCH = _APP + "length ev_id ev_mac evse_id evse_mac run_id reserved"

_LAYOUTS = (
    _layout(m.SlacParmReq, 0x6064, "BB8s", _APP + "run_id"),
    _layout(
        m.SlacParmCnf,
        0x6065,
        "6sBBB6sBB8s",
        "sound_target num_sounds time_out resp_type forwarding_sta " + _APP + "run_id",
    ),
    _layout(
        m.StartAttenCharInd,
        0x606A,
        "BBBBB6s8s",
        _APP + "num_sounds time_out resp_type forwarding_sta run_id",
    ),
    _layout(m.MnbcSoundInd, 0x6076, "BB17sB8s8s16s", _APP + "sender_id count run_id reserved random"),
    _layout(m.AttenProfileInd, 0x6086, "6sBB", "ev_mac # reserved", tail="groups_db"),
    _layout(
        m.AttenCharInd,
        0x606E,
        "BB6s8s17s17sBB",
        _APP + "source_address run_id source_id response_id num_sounds #",
        tail="groups_db",
    ),
    _layout(
        m.AttenCharRsp,
        0x606F,
        "BB6s8s17s17sB",
        _APP + "source_address run_id source_id response_id result",
    ),
    _layout(m.ValidateReq, 0x6078, "BBB", "signal_type timer result"),
    _layout(m.ValidateCnf, 0x6079, "BBB", "signal_type toggles result"),
    _layout(m.SlacMatchReq, 0x607C, "BBH17s6s17s6s8s8s", _MATCH),
    _layout(m.SlacMatchCnf, 0x607D, "BBH17s6s17s6s8s8s7sB16s", _MATCH + " nid reserved_key nmk"),
    _layout(m.SetKeyReq, 0x6008, "B4s4sBHBB7sB16s", "key_type " + _KEY + " nid new_eks new_key"),
    _layout(m.SetKeyCnf, 0x6009, "B4s4sBHBB", "result " + _KEY),
    _layout(m.AmpMapReq, 0x601C, "H", "carriers", tail="amplitudes"),
    _layout(m.AmpMapCnf, 0x601D, "B", "result"),
    _layout(m.SwVerReq, 0xA000, "3s", "oui", mmv=0),
    _layout(m.SwVerCnf, 0xA001, "3sBBB", "oui status device #", mmv=0, tail="version"),
    _layout(m.ResetReq, 0xA01C, "3s", "oui", mmv=0),
    _layout(m.ResetCnf, 0xA01D, "3sB", "oui status", mmv=0),
    _layout(m.NwInfoReq, 0xA038, "3s", "oui"),
    _layout(m.NwInfoCnf, 0xA039, "", "", tail="network"),
    _layout(m.OpAttributesReq, 0xA068, "3s5s", "oui cookie", mmv=0),
    _layout(m.OpAttributesCnf, 0xA069, "3sH5sH", "oui status cookie #", mmv=0, tail="attributes"),
    _layout(m.LinkStatusReq, 0xA0B8, "3s", "oui", mmv=0),
    _layout(m.LinkStatusCnf, 0xA0B9, "3sBB", "oui status link", mmv=0),
    _layout(m.RawAttenInd, 0xA14E, "", "", mmv=0, tail="data"),
)
_BY_MMTYPE = {layout.mmtype: layout for layout in _LAYOUTS}
_BY_MESSAGE = {layout.message: layout for layout in _LAYOUTS}


def mmtype_of(message: type[m.Message]) -> int:
    """The message type on the wire."""
    return _BY_MESSAGE[message].mmtype


def mac_text(mac: bytes) -> str:
    """A MAC address for a person."""
    return mac.hex(":")


def encode(destination: bytes, source: bytes, message: m.Message) -> bytes:
    """The whole Ethernet frame, zero padded, without FCS."""
    layout = _BY_MESSAGE[type(message)]
    fragments = b"\0\0" if layout.mmv else b""
    head = _HEADER.pack(destination, source, ETHERTYPE, layout.mmv) + _MMTYPE.pack(layout.mmtype)
    return (head + fragments + _payload(layout, message)).ljust(MIN_FRAME_SIZE, b"\0")


def decode(raw: bytes) -> Frame | None:
    """The message in a frame; None for a type that is skipped; CodecError for anything unreadable."""
    if len(raw) < _PAYLOAD_AT[1]:
        raise CodecError(f"frame of {len(raw)} bytes")
    destination, source, ethertype, mmv = _HEADER.unpack_from(raw)
    if ethertype != ETHERTYPE:
        raise CodecError(f"EtherType {ethertype:#06x}")
    layout = _BY_MMTYPE.get(_MMTYPE.unpack_from(raw, _HEADER.size)[0])
    if layout is None or layout.mmv != mmv or (mmv == 1 and raw[_FRAGMENTS] != b"\0\0"):
        return None
    message = _message(layout, raw[_PAYLOAD_AT[mmv] :])
    if getattr(message, "oui", m.QUALCOMM_OUI) != m.QUALCOMM_OUI:
        return None  # another vendor's message of the same number
    return Frame(destination, source, message)


def mmtype_in(raw: bytes) -> int:
    """Message type of a frame; 0 for one too short to have any."""
    return int(_MMTYPE.unpack_from(raw, _HEADER.size)[0]) if len(raw) >= _PAYLOAD_AT[1] else 0


def redacted(raw: bytes) -> bytes:
    """The frame with its network key zeroed: what may be recorded."""
    at = NMK_OFFSETS.get(mmtype_in(raw))
    if at is None or len(raw) < at:
        return raw
    return (raw[:at] + bytes(NMK_SIZE) + raw[at + NMK_SIZE :])[: len(raw)]


def _payload(layout: _Layout, message: Any) -> bytes:
    if layout.message is m.NwInfoCnf:
        return _pack_network(message)
    tail = b""
    if layout.tail:
        value = getattr(message, layout.tail)
        tail = value.encode("ascii", "replace") + b"\0" if isinstance(value, str) else value
    values = (len(tail) if name == "#" else getattr(message, name) for name in layout.fields)
    return layout.struct.pack(*values) + tail


def _message(layout: _Layout, payload: bytes) -> m.Message:
    name = layout.message.__name__
    if layout.message is m.NwInfoCnf:
        return _unpack_network(payload)
    if len(payload) < layout.struct.size:
        raise CodecError(f"{name} of {len(payload)} bytes")
    values = dict(zip(layout.fields, layout.struct.unpack_from(payload), strict=True))
    if layout.tail:
        rest = payload[layout.struct.size :]
        size = _tail_size(layout.message, values, rest)
        if size > len(rest):
            raise CodecError(f"{name}: {size} bytes announced, {len(rest)} there")
        values[layout.tail] = _text(rest[:size]) if layout.tail == "version" else rest[:size]
    message: m.Message = layout.message(**values)
    return message


def _tail_size(message: type[Any], values: dict[str, Any], rest: bytes) -> int:
    if "#" in values:
        size: int = values.pop("#")
        return size
    if message is m.AmpMapReq:
        return (int(values["carriers"]) + 1) // 2
    return len(rest)


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode("ascii", "replace")


def _pack_network(message: m.NwInfoCnf) -> bytes:
    network, body = message.network, b""
    if network is not None:
        body = _NETWORK.pack(
            network.nid,
            network.snid,
            network.tei,
            network.role,
            network.cco_mac,
            network.cco_tei,
            len(network.stations),
        )
        for station in network.stations:
            body += _STATION.pack(
                station.mac, station.tei, station.bridged_mac, station.tx_rate_mbps, station.rx_rate_mbps
            )
    return _NW_INFO.pack(message.oui, _NW_INFO_MORE + len(body), 0 if network is None else 1) + body


def _unpack_network(payload: bytes) -> m.NwInfoCnf:
    """The first network only: an EVSE modem coordinates one."""
    if len(payload) < _NW_INFO.size:
        raise CodecError(f"NwInfoCnf of {len(payload)} bytes")
    oui, _length, networks = _NW_INFO.unpack_from(payload)
    if networks == 0:
        return m.NwInfoCnf(None, oui)
    body = payload[_NW_INFO.size :]
    if len(body) < _NETWORK.size:
        raise CodecError("NwInfoCnf without its network")
    nid, snid, tei, role, cco_mac, cco_tei, count = _NETWORK.unpack_from(body)
    if len(body) < _NETWORK.size + count * _STATION.size:
        raise CodecError(f"NwInfoCnf: {count} stations announced")
    stations = _stations(
        [_STATION.unpack_from(body, _NETWORK.size + i * _STATION.size) for i in range(count)]
    )
    return m.NwInfoCnf(m.Network(nid, role, stations, snid, tei, cco_mac, cco_tei), oui)


def _stations(rows: Sequence[tuple[Any, ...]]) -> tuple[m.NetworkStation, ...]:
    return tuple(
        m.NetworkStation(mac, bridged, tei, tx_mbps, rx_mbps) for mac, tei, bridged, tx_mbps, rx_mbps in rows
    )
