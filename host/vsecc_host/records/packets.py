"""A trace as pcapng for Wireshark: every frame, in packets made up around it where it had none."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address

from vsecc_host.records import pcapng
from vsecc_host.records.decoding import PEP_LAYER, V2GTP_HEADER, is_handshake
from vsecc_host.runtime.trace import Frame, Record

SDP_PORT = 15118
_SDP_GROUP = IPv6Address("ff02::1").packed
_SDP_GROUP_MAC = bytes.fromhex("333300000001")
_EV_PORT = 50_000
_NOWHERE = IPv6Address("fe80::1").packed

SERIAL_LAYERS = ("mcu",)


def to_pcapng(records: Iterable[Record], *, epoch_s: float = 0.0) -> bytes:
    """What crossed the host's borders as a pcapng file; `epoch_s` is wall time minus the trace's time.

    Interface 0 shows SLAC as it was, SDP and V2GTP in packets made up around them; interface 1 the UART
    bytes; interface 2 the JSON texts of PEP. The comment of a packet is its cause id.
    """
    writer = _PcapWriter(epoch_s)
    for record in records:
        if isinstance(record, Frame):
            writer.add(record)
    return writer.finish()


class _PcapWriter:
    def __init__(self, epoch_s: float) -> None:
        self._epoch_s = epoch_s
        self._blocks = [
            pcapng.section_header("vsecc"),
            pcapng.interface(pcapng.LINKTYPE_ETHERNET, "v2g"),
            pcapng.interface(pcapng.LINKTYPE_USER0, "mcu-uart"),
            pcapng.interface(pcapng.LINKTYPE_USER1, "pep"),
        ]
        self._servers: dict[int, pcapng.Endpoint] = {}
        self._talks: dict[int, pcapng.TcpTalk] = {}
        self._connections = 0
        self._last_at = 0.0

    def add(self, frame: Frame) -> None:
        """Write down what crossed a border."""
        self._last_at = frame.at
        if frame.layer in SERIAL_LAYERS:
            self._put(frame, frame.raw, interface=1)
        elif frame.layer == PEP_LAYER:
            self._put(frame, frame.raw, interface=2)
        elif frame.layer == "slac":
            self._put(frame, frame.raw)
        elif frame.layer == "sdp":
            self._sdp(frame)
        elif frame.layer == "v2gtp":
            self._v2gtp(frame)

    def finish(self) -> bytes:
        """The file, open connections closed at the time of the last frame."""
        for evse_id in list(self._talks):
            self._close(evse_id, self._last_at, 0)
        return b"".join(self._blocks)

    def _put(self, frame: Frame, data: bytes, *, interface: int = 0) -> None:
        direction = pcapng.INBOUND if frame.direction == "rx" else pcapng.OUTBOUND
        self._write(interface, frame.at, data, direction, frame.cause)

    def _write(self, interface: int, at: float, data: bytes, direction: int, cause: int) -> None:
        comment = f"cause {cause}" if cause else ""
        self._blocks.append(pcapng.packet(interface, at + self._epoch_s, data, direction, comment))

    def _car(self, evse_id: int, port: int) -> pcapng.Endpoint:
        tail = bytes((0xC0, evse_id & 0xFF))
        return pcapng.Endpoint(b"\x02\x00\x00\x00" + tail, _NOWHERE[:14] + tail, port)

    def _server(self, evse_id: int) -> pcapng.Endpoint:
        unknown = pcapng.Endpoint(bytes((2, 0, 0, 0, 0x5E, evse_id & 0xFF)), _NOWHERE, SDP_PORT)
        return self._servers.get(evse_id, unknown)

    def _sdp(self, frame: Frame) -> None:
        car, server = self._car(frame.evse_id, SDP_PORT), self._server(frame.evse_id)
        payload = frame.raw[V2GTP_HEADER:]
        if frame.direction == "rx":
            group = pcapng.Endpoint(_SDP_GROUP_MAC, _SDP_GROUP, SDP_PORT)
            self._put(frame, pcapng.udp_frame(car, group, frame.raw))
            return
        if len(payload) == 20:
            server = server._replace(address=payload[:16], port=int.from_bytes(payload[16:18], "big"))
            self._servers[frame.evse_id] = server
        self._put(frame, pcapng.udp_frame(server._replace(port=SDP_PORT), car, frame.raw))

    def _v2gtp(self, frame: Frame) -> None:
        evse_id, by_car = frame.evse_id, frame.direction == "rx"
        begins = by_car and is_handshake(frame.raw[V2GTP_HEADER:])
        if begins and evse_id in self._talks:
            self._close(evse_id, frame.at, frame.cause)
        if evse_id not in self._talks:
            self._connections += 1
            car = self._car(evse_id, _EV_PORT + self._connections)
            self._talks[evse_id] = pcapng.TcpTalk(car, self._server(evse_id))
            self._say_all(self._talks[evse_id].open(), frame.at, frame.cause)
        self._put(frame, self._talks[evse_id].say(by_car, frame.raw))

    def _close(self, evse_id: int, at: float, cause: int) -> None:
        self._say_all(self._talks.pop(evse_id).close(), at, cause)

    def _say_all(self, frames: Iterable[tuple[bool, bytes]], at: float, cause: int) -> None:
        for by_car, data in frames:
            self._write(0, at, data, pcapng.INBOUND if by_car else pcapng.OUTBOUND, cause)
