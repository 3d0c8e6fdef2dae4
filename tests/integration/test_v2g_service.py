"""The V2G service over real loopback sockets: discovery, sessions, second clients, bad clients."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv6Address
from statistics import median

import pytest
from unit.host.v2g.car import handshake, request
from unit.host.v2g.given import MAC, REQUESTS
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.runtime.trace import Frame
from vsecc_host.station import events as e
from vsecc_host.station.values import Authorization, Cause
from vsecc_host.v2g import sdp, v2gtp
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.endpoint import EndpointError
from vsecc_host.v2g.exi import Protocol, decode
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.service import new_session_id
from vsecc_host.v2g.transports import READ_SIZE, WRITE_LIMIT
from vsecc_sim.replay.channel import discover
from vsecc_sim.virtual_time import settle

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(station: ScriptedStation) -> AsyncIterator[Streams]:
    host, port = station.v2g.sdp_address
    response = await discover(host, port)
    address = IPv6Address(response.address)
    reader, writer = await asyncio.open_connection(str(address.ipv4_mapped or address), response.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(streams: Streams, raw: bytes) -> bytes:
    reader, writer = streams
    writer.write(raw)
    async with asyncio.timeout(3):
        header = await reader.readexactly(8)
        return await reader.readexactly(int.from_bytes(header[4:], "big"))


async def open_session(streams: Streams) -> bytes:
    """Handshake and session setup; the session id we were given."""
    await answer(streams, handshake())
    message = decode(Protocol.DIN, await answer(streams, request(m.SessionSetupReq(MAC), b"\0")))
    return bytes(message.header.session_id)


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(3):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def test_discovery_handshake_and_session() -> None:
    async with ScriptedStation() as station, connected(station) as streams:
        session_id = await open_session(streams)
        assert len(session_id) == 8 and any(session_id)
        message = decode(Protocol.DIN, await answer(streams, request(m.ServiceDiscoveryReq(), session_id)))
        assert message.header.session_id == session_id
        await answer(streams, request(m.SessionStopReq(), session_id))
        (start, start_cause), (end, end_cause) = station.events
        assert isinstance(start, e.V2gSessionStarted) and start.session_id == session_id.hex().upper()
        assert isinstance(end, e.V2gSessionEnded) and end.orderly
        assert start_cause != end_cause


async def test_every_frame_and_its_events_share_a_cause() -> None:
    async with ScriptedStation() as station, connected(station) as streams:
        await open_session(streams)
        frames = [record for record in station.trace if isinstance(record, Frame)]
        assert [(frame.layer, frame.direction) for frame in frames] == [
            ("sdp", "rx"),
            ("sdp", "tx"),
            ("v2gtp", "rx"),
            ("v2gtp", "tx"),
            ("v2gtp", "rx"),
            ("v2gtp", "tx"),
        ]
        assert all(frame.evse_id == 1 for frame in frames)
        assert frames[2].raw == handshake() and frames[2].cause == frames[3].cause
        ((event, cause),) = station.events
        assert isinstance(event, e.V2gSessionStarted)
        assert cause == frames[4].cause == frames[5].cause


async def test_the_answer_is_written_before_events_are_delivered() -> None:
    async with ScriptedStation() as station, connected(station) as streams:
        order: list[str] = []
        station.trace.listen(lambda record: order.append(getattr(record, "direction", "hop")))
        station.v2g.on_event = lambda event, cause: order.append(type(event).__name__)
        await open_session(streams)
        assert order[-3:] == ["rx", "tx", "V2gSessionStarted"]


async def test_sdp_is_silent_until_accepted() -> None:
    async with ScriptedStation(accepted=False) as station:
        assert station.v2g.state_name == "closed"
        address = (*station.v2g.sdp_address, 0, 0)
        ask = sdp.encode_request(sdp.Security.NONE)
        assert station.v2g.discover(ask, address) is None
        reader, writer = await asyncio.open_connection(station.v2g.sdp_address[0], station.v2g.tcp_port)
        assert await closed(reader)
        writer.close()
        station.v2g.accept(True)
        raw = station.v2g.discover(ask, address)
        assert raw is not None
        response = sdp.decode_response(raw)
        assert response is not None
        assert (response.port, response.security) == (station.v2g.tcp_port, sdp.Security.NONE)
        assert 49152 <= response.port <= 65535
        assert station.events == []


async def test_sdp_survives_noise_and_answers_every_request() -> None:
    async with ScriptedStation() as station:
        host, port = station.v2g.sdp_address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as noise:
            for size in (0, 1, 7, 8, 9, 500, 4000):
                noise.sendto(bytes(size), (host, port))
            noise.sendto(v2gtp.pack(v2gtp.PayloadType.SDP_REQUEST, b"\x10\x10"), (host, port))
        first = await discover(host, port)
        assert await discover(host, port) == first


async def test_a_second_client_is_closed_and_the_first_not_disturbed() -> None:
    async with ScriptedStation() as station, connected(station) as first:
        session_id = await open_session(first)
        async with connected(station) as (reader, writer):
            writer.write(handshake())
            assert await closed(reader)
        message = decode(Protocol.DIN, await answer(first, request(m.ServiceDiscoveryReq(), session_id)))
        assert message.body.response_code == m.ResponseCode.OK
        assert not station.ends


async def test_a_new_car_need_not_wait_for_the_old_one_to_close() -> None:
    async with ScriptedStation() as station, connected(station) as first:
        session_id = await open_session(first)
        await answer(first, request(m.SessionStopReq(), session_id))
        async with connected(station) as second:
            assert await open_session(second) != session_id
        await settle(lambda: len(station.ends) == 2)
        assert [end.orderly for end in station.ends] == [True, False]


async def test_a_session_uses_its_acceptance_up() -> None:
    async with ScriptedStation() as station, connected(station) as first:
        station.accepted = False  # the script does not accept again by itself
        session_id = await open_session(first)
        await answer(first, request(m.SessionStopReq(), session_id))
        assert station.ends[0].orderly
        ask = sdp.encode_request(sdp.Security.NONE)
        assert station.v2g.discover(ask, (*station.v2g.sdp_address, 0, 0)) is None
        reader, writer = await asyncio.open_connection(station.v2g.sdp_address[0], station.v2g.tcp_port)
        assert await closed(reader)
        writer.close()
        station.v2g.accept(True)
        async with connected(station) as second:
            assert await open_session(second)


async def test_a_client_without_a_session_uses_nothing_up() -> None:
    async with ScriptedStation() as station:
        station.accepted = False
        async with connected(station) as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await settle(lambda: bool(station.ends))
        async with connected(station) as streams:
            assert await open_session(streams)


async def test_the_ev_resets_the_connection() -> None:
    async with ScriptedStation() as station:
        async with connected(station) as streams:
            await open_session(streams)
            raw = streams[1].get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            streams[1].transport.abort()
        await settle(lambda: bool(station.ends))
        assert [(end.cause, end.orderly) for end in station.ends] == [(Cause.EV_DISCONNECTED, False)]


async def test_refusing_ends_the_session_with_the_stations_cause() -> None:
    async with ScriptedStation() as station, connected(station) as streams:
        await open_session(streams)
        station.accepted = False
        station.v2g.accept(False, Cause.UNPLUGGED)
        assert await closed(streams[0])
        assert [end.cause for end in station.ends] == [Cause.UNPLUGGED]
        assert station.v2g.state_name == "closed"


async def test_stopping_the_service_ends_the_session() -> None:
    async with ScriptedStation() as station, connected(station) as streams:
        await open_session(streams)
        await station.v2g.stop()
        assert [end.cause for end in station.ends] == [Cause.STATION_STOPPED]
        assert await closed(streams[0])


async def test_garbage_closes_the_connection_and_the_next_car_is_served() -> None:
    async with ScriptedStation() as station:
        async with connected(station) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: charger\r\n\r\n")
            assert await closed(reader)
        async with connected(station) as streams:
            assert await open_session(streams)
        assert station.ends[0].cause is Cause.EV_PROTOCOL_ERROR


async def test_a_client_that_never_reads_is_cut_off_with_bounded_memory() -> None:
    async with ScriptedStation() as station, connected(station) as (reader, writer):
        # GIVEN a car that may ask for authorization again and again, with a small window
        station.change(authorization=Authorization.ONGOING)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        session_id = await open_session((reader, writer))
        await answer((reader, writer), request(REQUESTS[K.SERVICE_DISCOVERY], session_id))
        await answer((reader, writer), request(REQUESTS[K.PAYMENT_SELECTION], session_id))
        # WHEN it asks without end and reads nothing
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        flood = request(REQUESTS[K.AUTHORIZATION], session_id) * 200
        while not station.ends:
            writer.write(flood)
            await asyncio.sleep(0)
        # THEN it is cut off long before its answers fill the memory, and the next car is served
        assert station.ends[0].cause is Cause.EV_PROTOCOL_ERROR
        assert station.ends[0].detail == "does not read its answers"
        writer.transport.abort()
        async with connected(station) as streams:
            assert await open_session(streams)
    assert READ_SIZE <= 4096 and WRITE_LIMIT <= 65_536


async def test_a_thousand_connections_are_refused_in_bounded_time_and_the_car_goes_on() -> None:
    async with ScriptedStation() as station, connected(station) as first:
        session_id = await open_session(first)
        host, _ = station.v2g.sdp_address

        async def knock() -> None:
            try:
                reader, writer = await asyncio.open_connection(host, station.v2g.tcp_port)
                await closed(reader)
                writer.close()
            except OSError:
                pass  # refused by a full backlog: as good

        began = time.monotonic()
        for _ in range(20):
            async with asyncio.timeout(20):
                await asyncio.gather(*(knock() for _ in range(50)))
        assert time.monotonic() - began < 20
        message = decode(Protocol.DIN, await answer(first, request(m.ServiceDiscoveryReq(), session_id)))
        assert message.body.response_code == m.ResponseCode.OK
        assert not station.ends and len(station.events) == 1


async def test_one_byte_at_a_time() -> None:
    async with ScriptedStation() as station, connected(station) as (reader, writer):
        for byte in handshake():
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        assert await answer((reader, writer), b"") == bytes.fromhex("80400040")


def test_session_ids_are_eight_random_bytes() -> None:
    ids = {new_session_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(len(session_id) == 8 and any(session_id) for session_id in ids)


@pytest.mark.parametrize("url", ["http://x", "iface://", "eth1", ""])
async def test_a_wrong_endpoint_is_named(url: str) -> None:
    with pytest.raises(EndpointError, match="expected sim://"):
        async with ScriptedStation(endpoint=url):
            pass


async def test_an_absent_interface_is_waited_for_and_does_not_stop_the_station() -> None:
    async with ScriptedStation(endpoint="iface://nosuch0") as station:
        assert station.v2g.state_name == "no interface"
        assert station.v2g.sdp_address == ("ff02::1%nosuch0", 15118)
        assert station.v2g.tcp_port is None


async def test_answers_take_well_below_a_millisecond() -> None:
    async with ScriptedStation() as station, connected(station) as streams:
        station.change(authorization=Authorization.ONGOING)
        session_id = await open_session(streams)
        await answer(streams, request(REQUESTS[K.SERVICE_DISCOVERY], session_id))
        await answer(streams, request(REQUESTS[K.PAYMENT_SELECTION], session_id))
        for _ in range(300):
            await answer(streams, request(REQUESTS[K.AUTHORIZATION], session_id))
        frames = [record for record in station.trace if isinstance(record, Frame) and record.layer == "v2gtp"]
        took_s = [tx.at - rx.at for rx, tx in zip(frames[::2], frames[1::2], strict=True)]
        assert len(took_s) == 304 and median(took_s) < 1e-3
