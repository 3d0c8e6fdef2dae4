"""TLS without sockets: what is negotiated, what is refused, what is wrong with our files."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.host.pki import made

from vsecc_host.settings.store import Settings
from vsecc_host.v2g.config import TlsConfig, TlsPolicy, V2gConfig
from vsecc_host.v2g.tls import CIPHER_SUITE, TlsChannel, TlsCredentials, TlsError, server_context
from vsecc_host.wiring import v2g_config


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.folder(tmp_path_factory.mktemp("tls"))


def credentials(pki: Path, kind: str = "secc", at: float = made.NOW.timestamp()) -> TlsCredentials:
    folder = pki / "v2g" / kind
    return TlsCredentials(folder / "chain.pem", folder / "key.pem", wall_clock=lambda: at)


def channel(pki: Path, kind: str = "secc") -> TlsChannel:
    folder = pki / "v2g" / kind
    return TlsChannel(server_context(folder / "chain.pem", folder / "key.pem"))


class CarTls:
    """The car's end, made of the standard library's client context and the V2G root."""

    def __init__(self, pki: Path, ciphers: str = CIPHER_SUITE, root: str = "v2g/root.pem") -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(pki / root)
        context.set_ciphers(ciphers)
        self.context = context
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def connect(self, station: TlsChannel, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
        """Shake hands; the established connection, or the error of either end."""
        tls = self.context.wrap_bio(self.incoming, self.outgoing, session=session)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.exchange(station)
                continue
            self.exchange(station)
            return tls

    def exchange(self, station: TlsChannel, piece: int = 1 << 20) -> bytes:
        """Bytes both ways; what the station got out of it."""
        data, plain = self.outgoing.read(), b""
        while data:
            plain += station.receive(data[:piece])
            data = data[piece:]
        self.incoming.write(station.take())
        return plain


@pytest.mark.clause("ISO15118-2 table 7")
def test_the_mandatory_suite_and_version(pki: Path) -> None:
    station = channel(pki)
    tls = CarTls(pki).connect(station)
    assert station.established
    assert station.summary == "TLSv1.2 ECDHE-ECDSA-AES128-SHA256"
    assert tls.cipher() == (CIPHER_SUITE, "TLSv1.2", 128)
    certificate = tls.getpeercert()
    assert certificate is not None and (("commonName", "DEVSESECC1"),) in certificate["subject"]


def test_a_car_that_offers_more_gets_the_mandatory_suite(pki: Path) -> None:
    station = channel(pki)
    assert CarTls(pki, ciphers="ALL").connect(station).version() == "TLSv1.2"
    assert station.summary.endswith(CIPHER_SUITE)


@pytest.mark.parametrize("option", [ssl.OP_NO_TICKET, ssl.OP_ALL], ids=["by id", "by ticket"])
def test_no_session_is_resumed(pki: Path, option: ssl.Options) -> None:
    ours, car = credentials(pki), CarTls(pki)
    car.context.options |= option
    sessions = []
    for _ in range(2):
        context = ours.context()
        assert context is not None
        station = TlsChannel(context)
        tls = car.connect(station, sessions[-1] if sessions else None)
        assert tls.session is not None and not tls.session_reused
        sessions.append(tls.session)
        station.close()  # OpenSSL forgets what was not closed in good order
        car.exchange(station)
        tls.unwrap()
        car.exchange(station)
    assert sessions[0].id != sessions[1].id


def test_bytes_both_ways_in_any_pieces(pki: Path) -> None:
    station, car = channel(pki), CarTls(pki)
    tls = car.connect(station)
    message = bytes(range(256)) * 20
    tls.write(message)
    assert car.exchange(station, piece=7) == message
    for answer in (b"one", b"two"):
        station.send(answer)
    car.exchange(station)
    assert (tls.read(99), tls.read(99)) == (b"one", b"two")  # a record for each message


def test_either_end_says_when_it_is_done(pki: Path) -> None:
    station, car = channel(pki), CarTls(pki)
    tls = car.connect(station)
    station.close()
    car.exchange(station)
    assert tls.read(10) == b""
    assert not station.closed
    tls.unwrap()
    car.exchange(station)
    assert station.closed


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes.fromhex("01fe800100000004") + b"EXI!", "wrong version number|unsupported|packet length"),
        (b"GET / HTTP/1.1\r\n\r\n", "http request"),
        (bytes(64), "wrong version number|unsupported|packet length"),
    ],
)
def test_plain_bytes_are_no_handshake(pki: Path, data: bytes, reason: str) -> None:
    with pytest.raises(TlsError, match=reason):
        channel(pki).receive(data)


def test_a_car_without_our_suite_is_told(pki: Path) -> None:
    station, car = channel(pki), CarTls(pki, ciphers="ECDHE-RSA-AES256-GCM-SHA384")
    with pytest.raises(TlsError, match="no shared cipher"):
        car.connect(station)
    assert station.take()[:1] == b"\x15"  # an alert


def test_a_car_of_tls_1_3_only_is_refused(pki: Path) -> None:
    car = CarTls(pki, ciphers="ALL")
    car.context.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises(TlsError, match="unsupported protocol"):
        car.connect(channel(pki))


def test_a_car_that_does_not_trust_us_is_heard(pki: Path) -> None:
    station, car = channel(pki), CarTls(pki, root="csms/root.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        car.connect(station)
    with pytest.raises(TlsError, match="unknown ca"):
        car.exchange(station)


def test_a_broken_record_ends_the_connection(pki: Path) -> None:
    station, car = channel(pki), CarTls(pki)
    tls = car.connect(station)
    tls.write(b"hello")
    record = bytearray(car.outgoing.read())
    record[-1] ^= 1
    with pytest.raises(TlsError, match="bad record mac"):
        station.receive(bytes(record))


@pytest.mark.parametrize("kind", ["secc-expired", "secc-not-yet-valid", "secc-wrong-purpose"])
def test_the_leaves_we_refuse_to_present_are_refused_by_a_car(pki: Path, kind: str) -> None:
    assert credentials(pki, kind).context() is None
    with pytest.raises(ssl.SSLCertVerificationError):
        CarTls(pki).connect(channel(pki, kind))


def test_a_car_that_knows_the_revocation_list_refuses_the_revoked_leaf(pki: Path) -> None:
    for kind, accepted in (("secc", True), ("secc-revoked", False)):
        car = CarTls(pki)
        car.context.load_verify_locations(pki / "v2g/secc-revoked/revoked.crl.pem")
        car.context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        if accepted:
            assert car.connect(channel(pki, kind)).version() == "TLSv1.2"
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
                car.connect(channel(pki, kind))


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_arrives_only_a_tls_error_comes_out(pki: Path, data: st.DataObject) -> None:
    station, car = channel(pki), CarTls(pki)
    established = data.draw(st.booleans())
    if established:
        tls = car.connect(station)
        tls.write(b"hello")
    else:
        tls = car.context.wrap_bio(car.incoming, car.outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
    sent = bytearray(car.outgoing.read())
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(sent) - 1), st.integers(0, 255)), max_size=4)
    ):
        sent[at] = value
    sent += data.draw(st.binary(max_size=300))
    with suppress(TlsError):
        while sent:
            station.receive(bytes(sent[:50]))
            del sent[:50]


# --- our files ------------------------------------------------------------------------------------------


def test_good_files(pki: Path) -> None:
    good = credentials(pki)
    assert good.problem() == "" and good.hint == ""
    until = made.NOW + timedelta(days=made.LEAF_DAYS)
    assert good.summary == f"DEVSESECC1, until {until:%Y-%m-%d}"
    assert good.context() is not None


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("secc-expired", "certificate DEVSESECC1 expired on "),
        ("secc-not-yet-valid", "certificate DEVSESECC1 is not valid before "),
        ("secc-wrong-purpose", "certificate DEVSESECC1 is of the wrong purpose"),
        ("secc-revoked", "certificate DEVSESECC1 was revoked on "),
        ("nothing", "nothing/chain.pem: No such file or directory"),
    ],
)
def test_problems_by_name(pki: Path, kind: str, problem: str) -> None:
    bad = credentials(pki, kind)
    assert problem in bad.problem() and "\n" not in bad.problem()
    assert bad.context() is None


def test_nothing_configured() -> None:
    assert TlsCredentials(Path(), Path()).problem() == "no certificate chain is configured"


def test_a_key_of_somebody_else(pki: Path) -> None:
    mixed = TlsCredentials(pki / "v2g/secc/chain.pem", pki / "v2g/secc-expired/key.pem")
    assert mixed.problem() == "the private key does not belong to certificate DEVSESECC1"


def test_the_clock_decides_at_every_use(pki: Path) -> None:
    now = made.NOW.astimezone(UTC)
    clock = [0.0]
    folder = pki / "v2g/secc"
    used = TlsCredentials(folder / "chain.pem", folder / "key.pem", wall_clock=lambda: clock[0])
    assert "not valid before" in used.problem()  # a clock that was never set
    clock[0] = now.timestamp()
    assert used.context() is not None
    clock[0] = (now + timedelta(days=made.LEAF_DAYS, seconds=1)).timestamp()
    assert "expired" in used.problem() and used.context() is None


def test_changed_files_are_read_again(pki: Path, tmp_path: Path) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    used = TlsCredentials(chain, key, wall_clock=made.NOW.timestamp)
    assert "No such file" in used.problem()
    # WHEN only half of the pair is there, it is said; the whole pair works without a restart
    chain.write_bytes(made.data("v2g/secc/chain.pem"))
    assert "key.pem: No such file" in used.problem()
    key.write_bytes(made.data("v2g/secc/key.pem"))
    assert used.context() is not None
    # WHEN a revocation list is put beside it that names another leaf, nothing changes; one that does counts
    (tmp_path / "other.crl.pem").write_bytes(made.data("v2g/secc-revoked/revoked.crl.pem"))
    assert used.context() is not None
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).write_bytes(made.data(f"v2g/secc-revoked/{name}"))
    assert used.context() is None and "was revoked on" in used.problem()
    (tmp_path / "other.crl.pem").unlink()
    assert used.context() is not None
    # WHEN a file goes away between the judgement and the connection
    judged = used.problem
    used.problem = lambda: judged() and ""  # type: ignore[method-assign]
    chain.write_bytes(b"rubbish")
    assert used.context() is None
    del used.problem
    assert used.context() is None and "no PEM certificate" in used.problem()


# --- policy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "tls", "offered"),
    [
        (TlsPolicy.OFF, False, ("din", "iso2")),
        (TlsPolicy.OFFER, False, ("din", "iso2")),
        (TlsPolicy.OFFER, True, ("iso2",)),
        (TlsPolicy.REQUIRE, True, ("iso2",)),
        (TlsPolicy.REQUIRE, False, ()),
    ],
)
def test_din_never_runs_over_tls(policy: TlsPolicy, tls: bool, offered: tuple[str, ...]) -> None:
    config = V2gConfig(protocols=("din", "iso2"), tls=TlsConfig(policy=policy))
    assert config.offered(tls=tls) == offered


@pytest.mark.parametrize(
    ("chain", "key", "expected"),
    [
        ("/c/chain.pem", "/k/key.pem", (Path("/c/chain.pem"), Path("/k/key.pem"))),
        ("/c/chain.pem", "", (Path("/c/chain.pem"), Path("/c/key.pem"))),
        ("{folder}", "", (Path("{folder}/chain.pem"), Path("{folder}/key.pem"))),
    ],
)
def test_settings(chain: str, key: str, expected: tuple[Path, Path], tmp_path: Path) -> None:
    chosen = Settings()
    chosen.set_for_run("ISO15118Ctrlr", "TlsPolicy", "offer")
    chosen.set_for_run("ISO15118Ctrlr", "TlsCertificateChain", chain.format(folder=tmp_path))
    chosen.set_for_run("ISO15118Ctrlr", "TlsPrivateKey", key)
    tls = v2g_config(chosen, 1).tls
    assert tls.policy is TlsPolicy.OFFER
    assert [tls.chain, tls.key] == [Path(str(path).format(folder=tmp_path)) for path in expected]


def test_without_settings_there_is_no_tls() -> None:
    assert v2g_config(Settings(), 1).tls.policy is TlsPolicy.OFF
