"""TLS towards cars over real sockets: policies, certificates, bad clients, no leaks."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from unit.host.pki import made
from unit.host.v2g.car import handshake
from unit.host.v2g.scripted import ScriptedStation

from vsecc_host.station.events import V2gAvailability
from vsecc_host.station.values import Cause
from vsecc_host.v2g import sdp, v2gtp
from vsecc_host.v2g.config import TlsConfig, TlsPolicy, V2gConfig
from vsecc_host.v2g.exi import Protocol, decode, encode
from vsecc_host.v2g.exi.app_protocol import AppProtocol, ResponseCode, SupportedAppProtocolReq
from vsecc_host.v2g.service import V2gService
from vsecc_host.v2g.tls import CIPHER_SUITE
from vsecc_sim.virtual_time import settle

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
DIN_ONLY = handshake()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.folder(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, logger="vsecc_host.v2g"):
        yield caplog


class TlsStation(ScriptedStation):
    """A scripted station with a TLS policy and one of the certificates of the test PKI."""

    def __init__(
        self,
        certificate: Path,
        policy: TlsPolicy = TlsPolicy.OFFER,
        protocols: tuple[str, ...] = ("din", "iso2"),
        evse_id: int = 1,
    ) -> None:
        super().__init__()
        tls = TlsConfig(policy=policy, chain=certificate / "chain.pem", key=certificate / "key.pem")
        self.v2g = V2gService(
            evse_id=evse_id,
            trace=self.trace,
            on_event=self._on_event,
            config=V2gConfig(protocols=protocols, tls=tls),
        )

    def ask(self, security: sdp.Security) -> sdp.SdpResponse | None:
        """The SDP answer to a car's wish."""
        answer = self.v2g.discover(sdp.encode_request(security), (*self.v2g.sdp_address, 0, 0))
        return sdp.decode_response(answer) if answer is not None else None


def car_context(pki: Path) -> ssl.SSLContext:
    """What a car does: TLS 1.2, one suite, the V2G root, no host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(pki / "v2g/root.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHER_SUITE)
    return context


@asynccontextmanager
async def connected(
    station: TlsStation, security: sdp.Security, context: ssl.SSLContext | None
) -> AsyncIterator[Streams]:
    """As a car: discovery, then the port it was told."""
    response = station.ask(security)
    assert response is not None
    address = IPv6Address(response.address)
    reader, writer = await asyncio.open_connection(
        str(address.ipv4_mapped or address), response.port, ssl=context
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(streams: Streams, raw: bytes) -> object:
    """The handshake's answer."""
    reader, writer = streams
    writer.write(raw)
    async with asyncio.timeout(5):
        header = await reader.readexactly(v2gtp.HEADER_SIZE)
        return decode(Protocol.SAP, await reader.readexactly(int.from_bytes(header[4:], "big")))


async def closed(reader: asyncio.StreamReader) -> None:
    """The station closed, after an alert perhaps."""
    async with asyncio.timeout(5):
        try:
            await reader.read()
        except ConnectionError:
            return


def offer(*namespaces: str) -> bytes:
    entries = tuple(AppProtocol(name, 2, 0, n, n) for n, name in enumerate(namespaces, 1))
    return v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.SAP, SupportedAppProtocolReq(entries)))


# --- who gets TLS ---------------------------------------------------------------------------------------


async def test_a_car_that_asks_gets_tls_with_the_mandatory_suite(
    pki: Path, lines: pytest.LogCaptureFixture
) -> None:
    async with TlsStation(pki / "v2g/secc") as station:
        response = station.ask(sdp.Security.TLS)
        assert response is not None
        assert (response.security, response.port) == (sdp.Security.TLS, station.v2g.tls_port)
        assert 49152 <= response.port <= 65535 and response.port != station.v2g.tcp_port
        async with connected(station, sdp.Security.TLS, car_context(pki)) as streams:
            tls = streams[1].get_extra_info("ssl_object")
            assert tls.cipher() == (CIPHER_SUITE, "TLSv1.2", 128)
            # DIN over TLS is refused by the handshake, and the connection ends with TLS' own good-bye
            refusal = await answer(streams, DIN_ONLY)
            assert refusal.response_code is ResponseCode.Failed_NoNegotiation  # type: ignore[attr-defined]
            assert await streams[0].read() == b""
        await settle(lambda: bool(station.ends))
        assert [end.cause for end in station.ends] == [Cause.EV_PROTOCOL_ERROR]
    assert "EVSE 1: TLS with certificate DEVSESECC1" in lines.text
    assert f"EVSE 1: TLSv1.2 {CIPHER_SUITE}" in lines.text


async def test_a_car_that_does_not_ask_goes_without(pki: Path) -> None:
    async with TlsStation(pki / "v2g/secc") as station:
        response = station.ask(sdp.Security.NONE)
        assert response is not None
        assert (response.security, response.port) == (sdp.Security.NONE, station.v2g.tcp_port)
        async with connected(station, sdp.Security.NONE, None) as streams:
            agreed = await answer(streams, DIN_ONLY)
            assert agreed.response_code is ResponseCode.OK_SuccessfulNegotiation  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("policy", "protocols"),
    [(TlsPolicy.OFF, ("din", "iso2")), (TlsPolicy.OFFER, ("din",))],  # DIN: never over TLS
)
async def test_where_tls_is_off_or_pointless_nobody_is_told_of_it(
    pki: Path, policy: TlsPolicy, protocols: tuple[str, ...], lines: pytest.LogCaptureFixture
) -> None:
    async with TlsStation(pki / "v2g/secc-expired", policy, protocols) as station:
        assert (station.v2g.tls_port is None) == (policy is TlsPolicy.OFF)
        response = station.ask(sdp.Security.TLS)
        assert response is not None
        assert (response.security, response.port) == (sdp.Security.NONE, station.v2g.tcp_port)
    assert "TLS:" not in lines.text and "without TLS" not in lines.text


async def test_a_protocol_enabled_while_running_makes_tls_possible(pki: Path) -> None:
    async with TlsStation(pki / "v2g/secc", protocols=("din",)) as station:
        assert station.ask(sdp.Security.TLS).security is sdp.Security.NONE  # type: ignore[union-attr]
        station.v2g.configure(V2gConfig(protocols=("din", "iso2")))
        assert station.ask(sdp.Security.TLS).security is sdp.Security.TLS  # type: ignore[union-attr]


async def test_required_tls_is_told_to_every_car_and_the_plain_port_admits_nobody(
    pki: Path, lines: pytest.LogCaptureFixture
) -> None:
    async with TlsStation(pki / "v2g/secc", TlsPolicy.REQUIRE) as station:
        for wish in sdp.Security:
            response = station.ask(wish)
            assert response is not None
            assert (response.security, response.port) == (sdp.Security.TLS, station.v2g.tls_port)
        reader, writer = await asyncio.open_connection(station.v2g.sdp_address[0], station.v2g.tcp_port)
        await closed(reader)
        writer.close()
        assert not station.events
        async with connected(station, sdp.Security.NONE, car_context(pki)) as streams:
            await answer(streams, DIN_ONLY)
    assert "connection without TLS from" in lines.text


# --- our certificate ------------------------------------------------------------------------------------

BAD = [
    ("secc-expired", "certificate DEVSESECC1 expired on "),
    ("secc-not-yet-valid", "certificate DEVSESECC1 is not valid before "),
    ("secc-wrong-purpose", "certificate DEVSESECC1 is of the wrong purpose: not for TLS servers"),
    ("secc-revoked", "certificate DEVSESECC1 was revoked on "),
    ("missing", "missing/chain.pem: No such file or directory"),
]


@pytest.mark.parametrize(("kind", "problem"), BAD)
async def test_a_bad_certificate_is_named_at_start_and_an_offering_station_goes_on_without(
    pki: Path, kind: str, problem: str, lines: pytest.LogCaptureFixture
) -> None:
    async with TlsStation(pki / "v2g" / kind) as station:
        (line,) = [record for record in lines.records if record.levelno >= logging.WARNING]
        assert line.getMessage().startswith("EVSE 1: goes on without TLS: ") and problem in line.getMessage()
        assert line.exc_info is None and "\n" not in line.getMessage()
        async with connected(station, sdp.Security.TLS, None) as streams:
            agreed = await answer(streams, DIN_ONLY)
            assert agreed.response_code is ResponseCode.OK_SuccessfulNegotiation  # type: ignore[attr-defined]
        assert station.v2g.tls_port is not None
        reader, writer = await asyncio.open_connection(station.v2g.sdp_address[0], station.v2g.tls_port)
        await closed(reader)
        writer.close()
    # told once, not at every discovery
    assert len([record for record in lines.records if record.levelno >= logging.WARNING]) == 1


@pytest.mark.parametrize(("kind", "problem"), BAD)
async def test_a_bad_certificate_and_required_tls_leave_cars_without_an_answer(
    pki: Path, kind: str, problem: str, lines: pytest.LogCaptureFixture
) -> None:
    async with TlsStation(pki / "v2g" / kind, TlsPolicy.REQUIRE) as station:
        assert [station.ask(wish) for wish in sdp.Security] == [None, None]
        assert station.v2g.state_name == "no certificate"
        ((event, _),) = station.events
        assert isinstance(event, V2gAvailability) and event.cause is Cause.NO_CERTIFICATE
        assert problem in event.detail
    (line,) = [record for record in lines.records if record.levelno >= logging.ERROR]
    assert "no car can charge, TLS is required: " in line.getMessage() and problem in line.getMessage()


async def test_required_tls_with_din_alone_is_impossible_and_says_so(
    pki: Path, lines: pytest.LogCaptureFixture
) -> None:
    async with TlsStation(pki / "v2g/secc", TlsPolicy.REQUIRE, ("din",)) as station:
        assert station.ask(sdp.Security.TLS) is None
    assert "TLS is required: DIN SPEC 70121 runs without TLS only" in lines.text


async def test_a_new_certificate_needs_no_restart(pki: Path, tmp_path: Path) -> None:
    async with TlsStation(tmp_path) as station:
        assert station.ask(sdp.Security.TLS).security is sdp.Security.NONE  # type: ignore[union-attr]
        for name in ("chain.pem", "key.pem"):
            (tmp_path / name).write_bytes(made.data(f"v2g/secc/{name}"))
        assert station.ask(sdp.Security.TLS).security is sdp.Security.TLS  # type: ignore[union-attr]
        async with connected(station, sdp.Security.TLS, car_context(pki)) as streams:
            await answer(streams, DIN_ONLY)


async def test_reading_the_certificate_again_on_demand(pki: Path, lines: pytest.LogCaptureFixture) -> None:
    async with TlsStation(pki / "v2g/secc") as station:
        station.v2g.reload_certificate()
    assert lines.text.count("TLS with certificate DEVSESECC1") == 2


# --- clients that do it wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", [DIN_ONLY, b"GET / HTTP/1.1\r\n\r\n"])
async def test_plain_bytes_on_the_tls_port(pki: Path, data: bytes, lines: pytest.LogCaptureFixture) -> None:
    async with TlsStation(pki / "v2g/secc") as station:
        async with connected(station, sdp.Security.TLS, None) as (reader, writer):
            writer.write(data)
            await closed(reader)
        await settle(lambda: bool(station.ends))
        (end,) = station.ends
        assert (end.cause, end.orderly) == (Cause.EV_PROTOCOL_ERROR, False)
        assert end.detail.startswith("TLS: ")
        async with connected(station, sdp.Security.TLS, car_context(pki)) as streams:
            await answer(streams, DIN_ONLY)  # the next car is served
    assert "EVSE 1: connection closed: TLS: " in lines.text


async def test_a_client_hello_on_the_plain_port(pki: Path, lines: pytest.LogCaptureFixture) -> None:
    async with TlsStation(pki / "v2g/secc") as station:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with connected(station, sdp.Security.NONE, car_context(pki)):
                pass
        await settle(lambda: bool(station.ends))
        assert [end.detail for end in station.ends] == ["a TLS client hello on the port for plain TCP"]
    assert "a TLS client hello on the port for plain TCP" in lines.text


async def test_a_car_that_does_not_trust_us(pki: Path, lines: pytest.LogCaptureFixture) -> None:
    async with TlsStation(pki / "v2g/secc") as station:
        context = car_context(pki)
        strangers = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        strangers.check_hostname = False
        strangers.load_verify_locations(pki / "csms/root.pem")
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(station, sdp.Security.TLS, strangers):
                pass
        await settle(lambda: bool(station.ends))
        async with connected(station, sdp.Security.TLS, context) as streams:
            await answer(streams, DIN_ONLY)
    assert "TLS: the car left during the handshake" in lines.text  # this client sends no alert


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x00\xc8\x01\x00"])
async def test_a_client_that_stalls_is_cut_off_and_its_place_is_free(
    pki: Path, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vsecc_host.v2g.service.SETUP_S", 0.3)
    async with TlsStation(pki / "v2g/secc") as station:
        async with connected(station, sdp.Security.TLS, None) as (reader, writer):
            writer.write(sent)
            await closed(reader)
        assert [end.cause for end in station.ends] == [Cause.EV_TIMEOUT]
        async with connected(station, sdp.Security.TLS, car_context(pki)) as streams:
            await answer(streams, DIN_ONLY)


async def test_a_second_client_costs_no_handshake_and_does_not_disturb_the_first(pki: Path) -> None:
    async with TlsStation(pki / "v2g/secc") as station:
        async with connected(station, sdp.Security.TLS, car_context(pki)) as first:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                async with connected(station, sdp.Security.TLS, car_context(pki)):
                    pass
            async with connected(station, sdp.Security.NONE, None) as (reader, _writer):
                await closed(reader)
            await answer(first, DIN_ONLY)
        await settle(lambda: bool(station.ends))
        assert len(station.ends) == 1


async def test_a_hundred_handshakes_leave_nothing_behind(pki: Path) -> None:
    context = car_context(pki)
    async with TlsStation(pki / "v2g/secc") as station:
        before = asyncio.all_tasks()
        for count in range(1, 101):
            async with connected(station, sdp.Security.TLS, context) as streams:
                await answer(streams, DIN_ONLY)
            await settle(lambda count=count: len(station.ends) == count, step_s=0)  # type: ignore[misc]
        await settle(lambda: station.v2g.state_name == "listening")
        assert asyncio.all_tasks() == before
        assert not station.v2g._links


async def test_the_other_outlet_is_not_disturbed(pki: Path) -> None:
    async with AsyncExitStack() as open_now:
        one, other = [
            await open_now.enter_async_context(TlsStation(pki / "v2g" / kind, evse_id=number))
            for number, kind in enumerate(("secc", "secc-expired"), 1)
        ]
        # GIVEN a client that stalls in the handshake of outlet 1, and an expired certificate at outlet 2
        stalled = await open_now.enter_async_context(connected(one, sdp.Security.TLS, None))
        stalled[1].write(b"\x16\x03\x01")
        # THEN outlet 2 serves its car
        async with connected(other, sdp.Security.TLS, None) as streams:
            agreed = await answer(streams, DIN_ONLY)
            assert agreed.response_code is ResponseCode.OK_SuccessfulNegotiation  # type: ignore[attr-defined]
        assert not one.ends
