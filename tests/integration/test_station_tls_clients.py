"""Clients that get TLS wrong at the whole station: told and gone; the neighbour and the next car charge."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from unit.host.v2g.car import handshake

from vsecc_host.station.events import V2gSessionEnded
from vsecc_host.station.values import Cause, Phase
from vsecc_host.v2g.tls import CIPHER_SUITE
from vsecc_sim import virtual_time
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation

CROWD = 50
OPENSSL = shutil.which("openssl")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Client = Callable[[SimulatedStation], Awaitable[None]]


# --- clients --------------------------------------------------------------------------------------------


async def connect(station: SimulatedStation, *, tls_port: bool = True) -> Streams:
    """TCP to one of outlet 1's ports."""
    v2g = station.app.evses[1].v2g
    return await asyncio.open_connection(v2g.sdp_address[0], v2g.tls_port if tls_port else v2g.tcp_port)


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """What the station still says before it closes; it must close."""
    async with asyncio.timeout(30.0):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


def context(station: SimulatedStation) -> ssl.SSLContext:
    """What a car does."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    assert station.v2g_root is not None
    made.load_verify_locations(station.v2g_root)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHER_SUITE)
    return made


class Hand:
    """A TLS client driven by hand, so that it can stop anywhere."""

    def __init__(self, made: ssl.SSLContext, streams: Streams) -> None:
        self.reader, self.writer = streams
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = made.wrap_bio(self._in, self._out)

    def flight(self) -> bytes:
        """What the client sends next."""
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._out.read()

    async def shake(self) -> None:
        """The whole handshake; ssl.SSLError as OpenSSL says."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.writer.write(self._out.read())
                data = await self.reader.read(16_384)
                if not data:
                    raise ssl.SSLError(0, "closed") from None
                self._in.write(data)
            except ssl.SSLError:
                self.writer.write(self._out.read())  # the alert
                raise
        self.writer.write(self._out.read())

    async def say(self, data: bytes) -> None:
        """Encrypted."""
        self.tls.write(data)
        self.writer.write(self._out.read())


async def by_hand(station: SimulatedStation, made: ssl.SSLContext | None = None) -> Hand:
    return Hand(made or context(station), await connect(station))


async def plain_v2g_on_the_tls_port(station: SimulatedStation) -> None:
    reader, writer = await connect(station)
    writer.write(handshake())
    await until_closed(reader)
    writer.close()


async def http_on_the_tls_port(station: SimulatedStation) -> None:
    reader, writer = await connect(station)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await until_closed(reader)
    writer.close()


async def tls_on_the_plain_port(station: SimulatedStation) -> None:
    reader, writer = await connect(station, tls_port=False)
    writer.write(Hand(context(station), (reader, writer)).flight())
    assert await until_closed(reader) == b""
    writer.close()


async def _refused(station: SimulatedStation, made: ssl.SSLContext, alert: str) -> None:
    hand = await by_hand(station, made)
    with pytest.raises(ssl.SSLError, match=alert):
        await hand.shake()
    await until_closed(hand.reader)
    hand.writer.close()


async def tls_1_1_only(station: SimulatedStation) -> None:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    await _refused(station, made, "(?i)alert.protocol.version")


async def tls_1_3_only(station: SimulatedStation) -> None:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    await _refused(station, made, "(?i)alert.protocol.version")


async def another_suite(station: SimulatedStation) -> None:
    made = context(station)
    made.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    await _refused(station, made, "(?i)alert.handshake.failure")


async def another_curve(station: SimulatedStation) -> None:
    made = context(station)
    made.set_ecdh_curve("secp384r1")
    await _refused(station, made, "(?i)alert.handshake.failure")


async def no_trust(station: SimulatedStation) -> None:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    hand = await by_hand(station, made)
    with pytest.raises(ssl.SSLCertVerificationError):
        await hand.shake()
    hand.writer.close()
    await asyncio.sleep(0.1)


async def silence(station: SimulatedStation) -> None:
    reader, writer = await connect(station)
    assert await until_closed(reader) == b""
    writer.close()


async def half_a_hello(station: SimulatedStation) -> None:
    hand = await by_hand(station)
    hello = hand.flight()
    hand.writer.write(hello[: len(hello) // 2])
    await until_closed(hand.reader)
    hand.writer.close()


async def a_hello_byte_by_byte(station: SimulatedStation) -> None:
    """Each byte in time, the whole much too late."""
    hand = await by_hand(station)
    for byte in hand.flight():
        hand.writer.write(bytes((byte,)))
        await asyncio.sleep(0.15)
        if hand.reader.at_eof():
            break
    await until_closed(hand.reader)
    hand.writer.close()


async def a_hello_without_end(station: SimulatedStation) -> None:
    """A handshake message that announces 16 MB."""
    reader, writer = await connect(station)
    writer.write(bytes.fromhex("160301400001ffffff") + bytes(0x4000 - 4))
    await until_closed(reader)
    writer.close()


async def stall_after_the_first_flight(station: SimulatedStation) -> None:
    hand = await by_hand(station)
    hand.writer.write(hand.flight())
    assert await hand.reader.read(16_384)  # server hello, certificate, key exchange
    await until_closed(hand.reader)
    hand.writer.close()


async def silence_after_the_handshake(station: SimulatedStation) -> None:
    hand = await by_hand(station)
    await hand.shake()
    await until_closed(hand.reader)
    hand.writer.close()


async def hang_up_half_way(station: SimulatedStation) -> None:
    hand = await by_hand(station)
    hand.writer.write(hand.flight())
    assert await hand.reader.read(16_384)
    hand.writer.transport.abort()
    await asyncio.sleep(0.1)


async def garbage_inside(station: SimulatedStation) -> None:
    hand = await by_hand(station)
    await hand.shake()
    await hand.say(b"\x01\xfe\x80\x01\x00\x00\x00\x04\xff\xff\xff\xff")
    await until_closed(hand.reader)
    hand.writer.close()


async def a_broken_record(station: SimulatedStation) -> None:
    hand = await by_hand(station)
    await hand.shake()
    hand.writer.write(b"\x17\x03\x03\x00\x40" + bytes(64))
    await until_closed(hand.reader)
    hand.writer.close()


async def din_inside(station: SimulatedStation) -> None:
    hand = await by_hand(station)
    await hand.shake()
    await hand.say(handshake())  # DIN SPEC 70121 alone
    await until_closed(hand.reader)
    hand.writer.close()


def _renegotiate(host: str, port: int) -> str:
    """OpenSSL's own client: a handshake, then R for another one; what it said."""
    assert OPENSSL is not None
    command = [OPENSSL, "s_client", "-connect", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    process = subprocess.Popen(
        [*command, "-tls1_2", "-cipher", CIPHER_SUITE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    for line in process.stdout:
        if "Extended master secret" in line:  # the last line about the session: now it reads commands
            break
    process.stdin.write("R\n")
    process.stdin.flush()
    try:
        return process.communicate(timeout=10.0)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0] + "(still connected)"


async def renegotiation(station: SimulatedStation) -> None:
    v2g = station.app.evses[1].v2g
    told = await asyncio.get_running_loop().run_in_executor(
        None, _renegotiate, v2g.sdp_address[0], v2g.tls_port
    )
    assert "RENEGOTIATING" in told and "no renegotiation" in told, told


async def a_crowd(station: SimulatedStation) -> None:
    """Many at once: one is served, the others are closed before any handshake."""
    hands = [await by_hand(station) for _ in range(CROWD)]
    done = await asyncio.gather(*(hand.shake() for hand in hands), return_exceptions=True)
    served = [hand for hand, result in zip(hands, done, strict=True) if result is None]
    assert len(served) == 1
    for hand in hands:
        hand.writer.close()
    await asyncio.sleep(0.1)


CLIENTS: dict[str, tuple[Client, Cause, str]] = {
    "plain V2G on the TLS port": (plain_v2g_on_the_tls_port, Cause.EV_PROTOCOL_ERROR, "TLS: "),
    "HTTP on the TLS port": (http_on_the_tls_port, Cause.EV_PROTOCOL_ERROR, "TLS: http request"),
    "TLS on the plain port": (tls_on_the_plain_port, Cause.EV_PROTOCOL_ERROR, "a TLS client hello on the"),
    "TLS 1.1 only": (tls_1_1_only, Cause.EV_PROTOCOL_ERROR, "TLS: unsupported protocol"),
    "TLS 1.3 only": (tls_1_3_only, Cause.EV_PROTOCOL_ERROR, "TLS: unsupported protocol"),
    "another suite": (another_suite, Cause.EV_PROTOCOL_ERROR, "TLS: no shared cipher"),
    "another curve": (another_curve, Cause.EV_PROTOCOL_ERROR, "TLS: no shared cipher"),
    "no trust": (no_trust, Cause.EV_PROTOCOL_ERROR, "TLS: tlsv1 alert unknown ca"),
    "silence": (silence, Cause.EV_TIMEOUT, "no request for 10 s"),
    "half a hello": (half_a_hello, Cause.EV_TIMEOUT, "no request for 10 s"),
    "a hello byte by byte": (a_hello_byte_by_byte, Cause.EV_TIMEOUT, "no request for 10 s"),
    "a hello without end": (a_hello_without_end, Cause.EV_PROTOCOL_ERROR, "TLS: excessive message size"),
    "stall after the first flight": (stall_after_the_first_flight, Cause.EV_TIMEOUT, "no request for 10 s"),
    "silence after the handshake": (silence_after_the_handshake, Cause.EV_TIMEOUT, "no request for 10 s"),
    "hang up half way": (hang_up_half_way, Cause.EV_PROTOCOL_ERROR, "TLS: the car left"),
    "garbage inside": (garbage_inside, Cause.EV_PROTOCOL_ERROR, "not decodable"),
    "a broken record": (a_broken_record, Cause.EV_PROTOCOL_ERROR, "TLS: "),
    "DIN inside": (din_inside, Cause.EV_PROTOCOL_ERROR, "no common protocol: urn:din:70121"),
    "renegotiation": (renegotiation, Cause.EV_PROTOCOL_ERROR, "TLS: sslv3 alert handshake failure"),
    "a crowd": (a_crowd, Cause.EV_DISCONNECTED, "connection closed by the EV"),
}


# --- the station ----------------------------------------------------------------------------------------


async def charging(station: SimulatedStation, evse: int) -> None:
    await virtual_time.settle(
        lambda: station.view(evse).phase is Phase.CHARGING and station.view(evse).power.current_a > 50.0
    )


async def next_car_charges(station: SimulatedStation) -> None:
    """Over TLS, at outlet 1, to its own end."""
    station.plug(1, profile="iso2-tls", target_soc_percent=20.1)
    await station.session_over(1)
    result = station.outlets[1].result
    assert result is not None and result.goal and result.tls, result
    await station.unplug(1)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("policy", ["offer", "require"])
def test_whatever_a_client_does_to_tls_the_station_goes_on(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", tls=True, capacity_wh=60_000.0)
        settings = {("ISO15118Ctrlr", "TlsPolicy"): policy}
        async with SimulatedStation(options, settings=settings) as station:
            ends: list[V2gSessionEnded] = []
            station.app.listen(
                lambda event: ends.append(event) if isinstance(event, V2gSessionEnded) else None
            )
            station.plug(2, profile="iso2-tls", target_soc_percent=100.0)
            await charging(station, 2)
            for name, (client, cause, detail) in CLIENTS.items():
                if client is renegotiation and OPENSSL is None:
                    continue
                if client is tls_on_the_plain_port and policy == "require":
                    continue  # there is nobody on that port, see the test of its refusal
                station.plug_external(1)
                await virtual_time.settle(lambda: station.view(1).phase is Phase.CONNECTED)
                ends.clear()
                caplog.clear()
                await client(station)
                await virtual_time.settle(lambda: bool(ends), within_s=20.0)
                assert [end.cause for end in ends] == [cause], (name, ends)
                assert ends[0].detail.startswith(detail) and "\n" not in ends[0].detail, (name, ends)
                assert not station.mcu.relay(1).closed, name
                assert not [r for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info], name
                await station.unplug(1, orderly=False)
                assert station.view(2).phase is Phase.CHARGING, name
            await next_car_charges(station)
            assert station.view(2).power.current_a > 50.0

    with caplog.at_level(logging.INFO):
        virtual_time.run(scene())


def replace_by(station: SimulatedStation, kind: str) -> None:
    """The station's certificate becomes another one of its PKI; "missing": its file is gone."""
    assert station.v2g_root is not None
    folder = station.v2g_root.parent
    for name in ("chain.pem", "key.pem"):
        (folder / "secc" / name).unlink(missing_ok=True)
        if kind != "missing":
            (folder / "secc" / name).write_bytes((folder / kind / name).read_bytes())
    for told in Path(folder / "secc").glob("*.crl.pem"):
        told.unlink()
    if kind == "secc-revoked":
        told = folder / kind / "revoked.crl.pem"
        (folder / "secc" / told.name).write_bytes(told.read_bytes())


BAD = {
    "secc-expired": "expired on",
    "secc-not-yet-valid": "is not valid before",
    "secc-wrong-purpose": "of the wrong purpose",
    "secc-revoked": "was revoked on",
    "missing": "No such file",
}


@pytest.mark.parametrize("policy", ["offer", "require"])
def test_a_certificate_that_goes_bad_while_a_car_charges(policy: str) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", tls=True, capacity_wh=60_000.0)
        settings = {("ISO15118Ctrlr", "TlsPolicy"): policy}
        async with SimulatedStation(options, settings=settings) as station:
            assert station.v2g_root is not None
            folder = station.v2g_root.parent
            shutil.copytree(folder / "secc", folder / "secc-good")
            station.plug(2, profile="iso2-tls", target_soc_percent=100.0)
            await charging(station, 2)
            for kind, problem in BAD.items():
                replace_by(station, kind)
                if policy == "require":
                    # THEN the free outlet is out of service and says why, at once
                    await virtual_time.settle(lambda: station.view(1).phase is Phase.FAULTED, within_s=2.0)
                    assert station.view(1).cause is Cause.NO_CERTIFICATE, kind
                    assert problem in station.view(1).cause_detail, kind
                else:
                    # THEN a car that can do without charges without
                    station.plug(1, profile="iso2-tls", tls="try", target_soc_percent=20.1)
                    await station.session_over(1)
                    result = station.outlets[1].result
                    assert result is not None and result.goal and not result.tls, (kind, result)
                    await station.unplug(1)
                assert station.view(2).phase is Phase.CHARGING, kind
                # WHEN a good one is there again, the next car charges over TLS
                replace_by(station, "secc-good")
                await virtual_time.settle(lambda: station.view(1).phase is Phase.IDLE, within_s=2.0)
                await next_car_charges(station)

    virtual_time.run(scene())


def test_with_tls_required_the_plain_port_serves_nobody() -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", tls=True, capacity_wh=60_000.0)
        settings = {("ISO15118Ctrlr", "TlsPolicy"): "require"}
        async with SimulatedStation(options, settings=settings) as station:
            station.plug_external(1)
            await virtual_time.settle(lambda: station.view(1).phase is Phase.CONNECTED)
            for _ in range(CROWD):
                reader, writer = await connect(station, tls_port=False)
                assert await until_closed(reader) == b""
                writer.close()
            await station.unplug(1, orderly=False)
            await next_car_charges(station)

    virtual_time.run(scene())
