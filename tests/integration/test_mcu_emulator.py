"""The emulator as a service: real processes, real sockets and ptys, the wall clock or the loop's own time."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from unit.tools.mcu.twin import HostTwin

from mcu.boards import common
from vsecc_link import messages
from vsecc_sim import virtual_time
from vsecc_sim.mcu.interpreter import InterpreterUnavailable, find_micropython
from vsecc_sim.mcu.service import McuEmulator
from vsecc_sim.mcu.worker import NICENESS

STEP_S = 0.005
WITHIN_S = 10.0
NO_MICROPYTHON = "no MicroPython here: `vsecc sim interpreter --fetch` gets one"
needs_micropython = pytest.mark.skipif(find_micropython() is None, reason=NO_MICROPYTHON)
INTERPRETERS = [pytest.param("micropython", marks=needs_micropython), "cpython"]


class Bench:
    """An emulator with a host twin connected to its address."""

    def __init__(self, mcu, reader, writer):
        self.mcu = mcu
        self.host = HostTwin()
        self._loop = asyncio.get_running_loop()
        self._reader, self._writer = reader, writer
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._pace())]

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, mcu):
        """Connects by TCP for the duration."""
        address, port = mcu.url.removeprefix("tcp://").split(":")
        reader, writer = await asyncio.open_connection(address, int(port))
        bench = cls(mcu, reader, writer)
        try:
            yield bench
        finally:
            for task in bench._tasks:
                task.cancel()
            writer.close()

    def _ms(self):
        return int(self._loop.time() * 1000)

    async def _receive(self):
        while data := await self._reader.read(4096):
            self._writer.write(self.host.step(data, self._ms()))

    async def _pace(self):
        while True:
            self._writer.write(self.host.step(b"", self._ms()))
            await asyncio.sleep(STEP_S)

    async def until(self, condition, what):
        """Waits for a condition; its failure tells what happened on the board."""
        end_s = self._loop.time() + WITHIN_S
        while not condition():
            assert self._loop.time() < end_s, (
                what + ": " + " | ".join(map(str, self.mcu.trace.entries()[-15:]))
            )
            await asyncio.sleep(STEP_S)

    async def charge(self, port=1):
        """From nothing to a closed relay."""
        await self.until(lambda: self.host.hello is not None, "hello")
        self.mcu.ev(port).set_state("B")
        await self.until(lambda: self.host.cp_state(port) == messages.CP_B, "state B")
        self.host.send(messages.SET_PILOT, port, messages.PILOT_PWM, 50)
        await self.until(lambda: self.mcu.pilot_duty_permille(port) == 50, "PWM")
        self.host.granted |= 1 << port - 1
        self.mcu.ev(port).set_state("C")
        await self.until(lambda: self.mcu.relay(port).closed, "relay closed")

    def took_us(self, name, since):
        """Emulated time between the newest `since` entry and the first drop of REL1 after it."""
        begin = self.mcu.trace.last(since)
        entry = self.mcu.trace.first_after(begin.at_us, name, False)
        return entry.at_us - begin.at_us


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.clause("S1", "S2")
async def test_whole_pilot_sequence_over_tcp(interpreter):
    async with McuEmulator(interpreter=interpreter) as mcu, Bench.on(mcu) as bench:
        await bench.charge()
        assert bench.host.hello[8].startswith(interpreter)
        assert mcu.interpreter.name.lower() == interpreter
        mcu.ev(1).set_state("B")
        await bench.until(lambda: not mcu.relay(1).closed, "relay open")
        assert bench.took_us("relay1.drive", "ev1") <= 10_000


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.clause("S4")
async def test_killed_interpreter_opens_the_relay_and_comes_back(interpreter):
    async with McuEmulator(interpreter=interpreter) as mcu, Bench.on(mcu) as bench:
        await bench.charge()
        os.kill(mcu.pid, signal.SIGKILL)
        await bench.until(lambda: not mcu.relay(1).closed, "relay open")
        await bench.until(lambda: bench.host.ups == 2, "second session")
        assert not mcu.relay(1).closed


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.clause("S4")
async def test_hung_firmware_is_dropped_and_reset(interpreter):
    async with McuEmulator(interpreter=interpreter) as mcu, Bench.on(mcu) as bench:
        await bench.charge()
        mcu.inject("mcu-hang")
        await bench.until(lambda: mcu.boots == 2, "restart")
        assert bench.took_us("relay1.drive", "fault.mcu-hang") <= 21_000
        reset = mcu.trace.last("reset")
        hang = mcu.trace.last("fault.mcu-hang")
        assert reset.value == 1 and reset.at_us - hang.at_us <= 500_000


@pytest.mark.clause("S3")
async def test_host_that_hangs_up_opens_the_relay():
    async with McuEmulator() as mcu:
        async with Bench.on(mcu) as bench:
            await bench.charge()
        gone = mcu.trace.entries()[-1].at_us
        end_s = time.monotonic() + WITHIN_S
        while mcu.relay(1).closed:
            assert time.monotonic() < end_s
            await asyncio.sleep(STEP_S)
        assert mcu.trace.last("relay1.drive").at_us - gone < 1_000_000


async def test_pty_carries_the_same_bytes(tmp_path):
    path = tmp_path / "mcu"
    async with McuEmulator(f"pty://{path}") as mcu:
        assert mcu.url == f"pty://{path}"
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        host, loop = HostTwin(), asyncio.get_running_loop()
        try:
            end_s = loop.time() + WITHIN_S
            while host.hello is None:
                assert loop.time() < end_s
                data = b""
                with contextlib.suppress(BlockingIOError):
                    data = os.read(fd, 4096)
                os.write(fd, host.step(data, int(loop.time() * 1000)))
                await asyncio.sleep(STEP_S)
        finally:
            os.close(fd)
    assert not path.is_symlink()


async def test_a_second_host_takes_over():
    async with McuEmulator() as mcu, Bench.on(mcu) as first:
        await first.until(lambda: first.host.hello is not None, "hello")
        async with Bench.on(mcu) as second:
            await second.until(lambda: second.host.hello is not None, "hello of the second host")
            receiving_first, receiving_second = first._tasks[0], second._tasks[0]
            await first.until(receiving_first.done, "end of the first host's line")
            assert not receiving_second.done()


async def test_address_in_use_is_told_by_its_reason():
    async with McuEmulator() as mcu:
        with pytest.raises(OSError, match="in use"):
            await McuEmulator(mcu.url).start()


async def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="auto, micropython, cpython"):
        McuEmulator(interpreter="pypy")
    with pytest.raises((OSError, ValueError), match="neither"):
        await McuEmulator("ftp://x").start()
    mcu = McuEmulator()
    with pytest.raises(ValueError, match="cp-short"):
        mcu.inject("nothing")


async def test_missing_micropython_is_an_error_only_when_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROPYTHON", str(tmp_path / "absent"))
    with pytest.raises(InterpreterUnavailable, match="--fetch"):
        await McuEmulator(interpreter="micropython").start()
    async with McuEmulator(interpreter="auto") as mcu:
        assert mcu.interpreter.name == "CPython"


def test_virtual_time_refuses_a_process_that_cannot_follow():
    with pytest.raises(ValueError, match="real time only"):
        virtual_time.run(McuEmulator(interpreter="micropython").start())


def test_virtual_time_follows_the_loop_alone_and_repeats():
    async def main():
        loop = asyncio.get_running_loop()
        async with McuEmulator() as mcu, Bench.on(mcu) as bench:
            await bench.charge()
            began = loop.time()
            await asyncio.sleep(30.0)
            assert mcu.relay(1).closed
            mcu.ev(1).set_state("B")
            await bench.until(lambda: not mcu.relay(1).closed, "relay open")
            assert bench.took_us("relay1.drive", "ev1") <= 10_000
            assert loop.time() - began == pytest.approx(30.0, abs=0.2)
            return [entry for entry in mcu.trace.entries() if entry.name.startswith("relay1")]

    first = virtual_time.run(main())
    assert virtual_time.run(main()) == first


@pytest.mark.parametrize("interpreter", INTERPRETERS)
async def test_board_and_chip_go_first_where_the_system_allows_it(interpreter):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, before - 1)
    except OSError:
        pytest.skip("only root may be faster than others")
    os.setpriority(os.PRIO_PROCESS, 0, before)
    async with McuEmulator("tcp://127.0.0.1:0", interpreter=interpreter) as mcu, Bench.on(mcu) as bench:
        await bench.until(lambda: bench.host.hello is not None, "HELLO")
        assert os.getpriority(os.PRIO_PROCESS, mcu.pid) == NICENESS
    assert os.getpriority(os.PRIO_PROCESS, 0) == before  # this process is as it was


def crash_file_of_this_computer():
    path = Path(common.CRASH_FILE)
    return path.stat() if path.exists() else None


@pytest.mark.parametrize("interpreter", INTERPRETERS)
async def test_a_crash_is_told_after_the_restart_and_kept_outside_the_root_of_this_computer(interpreter):
    def told():
        return "".join(message[-1] for message in bench.host.received if message[0] == messages.CRASH)

    before = crash_file_of_this_computer()
    async with McuEmulator(interpreter=interpreter) as mcu, Bench.on(mcu) as bench:
        await bench.until(lambda: bench.host.hello is not None, "hello")
        mcu.inject("mcu-exception")
        await bench.until(lambda: "injected" in told(), "crash report")
    assert crash_file_of_this_computer() == before


@needs_micropython
def test_ctrl_c_reaches_every_process_and_ends_without_a_traceback():
    command = [sys.executable, "-c", "from vsecc_cli.main import main; main()", "sim", "mcu"]
    emulator = subprocess.Popen(
        [*command, "--listen", "tcp://127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert emulator.stdout is not None and "tcp://" in emulator.stdout.readline()
    os.killpg(emulator.pid, signal.SIGINT)  # as a terminal does
    _, told = emulator.communicate(timeout=WITHIN_S)
    assert "Traceback" not in told, told
