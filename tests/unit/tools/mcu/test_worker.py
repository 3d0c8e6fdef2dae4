"""The wall clock that waits, restart rules, and the host's end of the line."""

import socket
import time

import pytest

from vsecc_sim.mcu.board import CAUSE_COMMANDED, CAUSE_WATCHDOG, Board
from vsecc_sim.mcu.hostside import PtyHostSide, TcpHostSide, open_host_side
from vsecc_sim.mcu.restart import BOOT_US, Restart
from vsecc_sim.mcu.worker import HeldClock

LONG_AGO_US = 3_000_000


class FakeChip:
    """Only lives and dies."""

    def __init__(self):
        self.alive = True

    def kill(self):
        """Dies."""
        self.alive = False


def test_held_clock_leaves_the_wait_out_for_good():
    clock = HeldClock(LONG_AGO_US)
    assert clock.now_us(LONG_AGO_US - 1000) == LONG_AGO_US - 1000
    assert clock.held_us >= 1000
    now = clock.now_us(None)
    assert LONG_AGO_US - 1000 <= now < LONG_AGO_US + 1_000_000
    assert clock.now_us(now + 10**9) >= now


def test_first_start_is_at_once_and_only_one():
    board = Board()
    restart = Restart(board, FakeChip())
    assert restart.due() and board.boots == 1
    restart.check()
    assert not restart.due()


def test_reset_ends_the_chip_and_starts_it_after_the_boot_time():
    board, chip = Board(), FakeChip()
    restart = Restart(board, chip)
    assert restart.due()
    board.reset(CAUSE_COMMANDED)
    restart.check()
    assert not chip.alive and restart.boot_us == BOOT_US
    board.advance(BOOT_US - 1)
    assert not restart.due()
    board.advance(BOOT_US)
    assert restart.due() and board.boot_cause == CAUSE_COMMANDED


def test_death_is_left_to_an_armed_watchdog():
    board, chip = Board(), FakeChip()
    restart = Restart(board, chip)
    assert restart.due()
    board.watchdog_start(150_000)
    chip.kill()
    restart.check()
    assert restart.boot_us is None
    board.advance(150_000)
    restart.check()
    assert restart.boot_us == 150_000 + BOOT_US and board.reset_cause == CAUSE_WATCHDOG


def test_death_without_a_watchdog_is_noticed_by_the_emulator():
    board, chip = Board(), FakeChip()
    restart = Restart(board, chip)
    assert restart.due()
    chip.kill()
    restart.check()
    assert restart.boot_us == BOOT_US


@pytest.fixture
def tcp():
    side = open_host_side("tcp://127.0.0.1:0")
    assert isinstance(side, TcpHostSide)
    yield side
    side.close()


def connect(side):
    address, port = side.url.removeprefix("tcp://").split(":")
    return socket.create_connection((address, int(port)), timeout=5)


def received(side, wanted):
    """Bytes until there are as many as wanted."""
    data, end_s = b"", time.monotonic() + 5
    while len(data) < wanted and time.monotonic() < end_s:
        data += side.receive()
    return data


def test_tcp_carries_bytes_both_ways_and_survives_a_lost_host(tcp):
    tcp.send(b"nobody hears this")
    with connect(tcp) as host:
        host.sendall(b"abc")
        assert received(tcp, 3) == b"abc"
        tcp.send(b"xyz")
        assert host.recv(10) == b"xyz"
    end_s = time.monotonic() + 5
    while len(tcp.listeners()) == 2 and time.monotonic() < end_s:
        tcp.receive()
    assert len(tcp.listeners()) == 1
    with connect(tcp) as host:
        host.sendall(b"again")
        assert received(tcp, 5) == b"again"


def test_host_that_never_reads_loses_bytes_and_blocks_nobody(tcp):
    with connect(tcp) as host:
        host.sendall(b"a")
        assert received(tcp, 1) == b"a"
        for _ in range(2000):
            tcp.send(bytes(4096))


def test_pty_replaces_a_left_over_link_but_no_file(tmp_path):
    path = tmp_path / "mcu"
    path.symlink_to("/nowhere")
    side = open_host_side(f"pty://{path}")
    assert isinstance(side, PtyHostSide) and path.is_symlink()
    side.close()
    assert not path.is_symlink()
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        open_host_side(f"pty://{path}")
    assert path.read_text() == "precious"


@pytest.mark.parametrize("url", ["ftp://x", "tcp://127.0.0.1", "pty://"])
def test_other_addresses_are_refused(url):
    with pytest.raises(ValueError, match="neither"):
        open_host_side(url)
