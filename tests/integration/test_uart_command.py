"""`vsecc mcu monitor|record|replay|inject` as processes: pty, TCP, MicroPython, kill -9, the screen."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte
import pytest
from unit.tools.uart.lines import charged, decoded

from vsecc_sim.mcu.interpreter import find_micropython
from vsecc_uart.recorder import Recorder
from vsecc_uart.recording import RecordingWriter, read_chunks
from vsecc_uart.values import MCU, Chunk, FrameRecord

VSECC = [sys.executable, "-m", "vsecc_cli.main"]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in (".", "protocol", "host", "tools")),
}
needs_micropython = pytest.mark.skipif(
    find_micropython() is None, reason="no MicroPython here: `vsecc sim interpreter --fetch` gets one"
)
WITHIN_S = 20.0


@contextmanager
def emulator(listen: str, interpreter: str, scenario: Path | None = None) -> Iterator[str]:
    """`vsecc sim mcu`; gives the URL it is reached by."""
    options = ["--scenario", str(scenario)] if scenario else []
    process = subprocess.Popen(
        [*VSECC, "sim", "mcu", "--listen", listen, "--interpreter", interpreter, "--json", *options],
        stdout=subprocess.PIPE, env=ENVIRONMENT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["listen"]
    finally:
        process.terminate()
        process.communicate(timeout=WITHIN_S)


def vsecc(*words: str, status: int = 0) -> str:
    run = subprocess.run(
        [*VSECC, "mcu", *words], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout if status == 0 else run.stdout + run.stderr


def recorded(path: Path, *, noisy: bool = False) -> Path:
    chunks = charged(400)
    if noisy:
        chunks.insert(len(chunks) // 2, Chunk(chunks[len(chunks) // 2].at_s, MCU, b"\xa5\x5a\xffnoise"))
    recorder = Recorder(RecordingWriter(path))
    for record in decoded(chunks):
        recorder.record(record)
    recorder.finish()
    return path


@pytest.mark.parametrize(
    ("listen", "interpreter"),
    [
        ("tcp://127.0.0.1:0", "cpython"),
        ("pty", "cpython"),
        pytest.param("pty", "micropython", marks=needs_micropython),
    ],
)
def test_monitor_record_and_inject_on_an_emulated_line(tmp_path: Path, listen: str, interpreter: str) -> None:
    url = f"pty://{tmp_path}/mcu" if listen == "pty" else listen
    with emulator(url, interpreter) as line:
        rows = [
            json.loads(row)
            for row in vsecc("monitor", line, "--json", "--duration", "2.5", "--stats").splitlines()
        ]
        hello = next(row for row in rows if row.get("message") == "HELLO")
        assert hello["fields"]["interpreter"].startswith(interpreter)
        assert sum(row.get("message") == "STATUS" for row in rows) > 40
        assert rows[-1]["what"] == "statistics"
        assert rows[-1]["grant_to_status_ms"]["count"] > 10
        out = tmp_path / "line.pcapng"
        figures = json.loads(
            vsecc("record", "--port", line, "--out", str(out), "--duration", "1.5", "--json")
        )
        assert figures["packets"] == len(list(read_chunks(out))) > 30
        assert "CP_STATE" in vsecc("monitor", str(out), "--filter", "CP_STATE")
        assert vsecc("inject", "--port", line, "SET_LED", "led=1", "pattern=green").startswith("acknowledged")
        report = json.loads(
            vsecc(
                "inject",
                "--port",
                line,
                "SET_PILOT",
                "port=1",
                "mode=PWM",
                "duty_permille=0",
                "--json",
                status=1,
            )
        )
        assert report["refusals"]


def test_a_recording_survives_kill_9(tmp_path: Path) -> None:
    out = tmp_path / "line.pcapng"
    with emulator("tcp://127.0.0.1:0", "cpython") as line:
        process = subprocess.Popen(
            [*VSECC, "mcu", "record", "--port", line, "--out", str(out)], env=ENVIRONMENT
        )
        until(lambda: out.exists() and out.stat().st_size > 5000)
        process.send_signal(signal.SIGKILL)
        process.wait()
    problems: list[str] = []
    records = decoded(read_chunks(out, problems))
    assert problems == []
    assert sum(isinstance(record, FrameRecord) and record.name == "STATUS" for record in records) > 10


def test_replay_as_host_keeps_the_relay_open_and_tells_the_differences(tmp_path: Path) -> None:
    scenario = tmp_path / "car.toml"
    scenario.write_text('[[step]]\nat_s = 0.1\nev = "C"\n')
    with emulator("tcp://127.0.0.1:0", "cpython", scenario) as line:
        text = vsecc("replay", str(recorded(tmp_path / "a.pcapng")), "--as", "host", "--port", line, status=1)
    assert "are sent empty: no relay closes" in text
    assert "missing  RELAY_STATE relay=1: closed=yes" in text


@pytest.mark.parametrize(
    ("words", "problem", "status"),
    [
        (["monitor"], "name one line", 2),
        (["monitor", "/dev/no-such-device"], "No such file", 1),
        (["monitor", "/dev/null", "--duration", "1"], "/dev/null: is no serial port", 1),
        (["monitor", "tcp://127.0.0.1:1"], "refused|Connect", 1),
        (["monitor", "tap:///no/such/tap"], "no host offers its line here: No such file.*/no/such/tap", 1),
        (["monitor", "FILE", "--filter", "prt==1"], "is it port", 2),
        (["monitor", "NOT"], "not a pcapng file", 1),
        (["monitor", "EMPTY"], "empty.pcapng: is empty", 1),
        (["monitor", "FILE", "--through", "tcp://127.0.0.1:0"], "must be one", 2),
        (["record", "FILE", "--out", "FILE"], "is the recording to be read", 2),
        (["record", "FILE", "--out", "OUT", "--size", "1x"], "no size", 2),
        (["replay", "FILE", "--as", "host"], "takes --port", 2),
        (["replay", "NOT", "--as", "host", "--port", "tcp://127.0.0.1:1"], "not a pcapng file", 1),
        (["inject", "--port", "tcp://127.0.0.1:1"], "name one thing", 2),
        (["inject", "--port", "tcp://127.0.0.1:1", "SET_LET"], "is it SET_LED", 2),
        (["inject", "--port", "tcp://127.0.0.1:1", "SET_LED", "led=9", "pattern=1"], "--raw sends it", 1),
        (["inject", "--port", "x", "GRANT", "stamp=1", "relays=1", "valid_ms=500"], "may close relays", 2),
        (["inject", "--port", "tcp://127.0.0.1:1", "--fault", "rain"], "there are flip", 2),
        (["inject", "--via", "/no/such", "--fault", "cut"], "no proxy listens here.*/no/such", 1),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, words: list[str], problem: str, status: int) -> None:
    import re

    good, bad = recorded(tmp_path / "good.pcapng"), tmp_path / "bad.pcapng"
    bad.write_bytes(b"this is no recording")
    empty = tmp_path / "empty.pcapng"
    empty.touch()
    places = {"FILE": str(good), "NOT": str(bad), "EMPTY": str(empty), "OUT": str(tmp_path / "out.pcapng")}
    run = subprocess.run(
        [*VSECC, "mcu", *(places.get(word, word) for word in words)],
        capture_output=True, text=True, timeout=30, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert run.returncode == status, run.stdout
    assert len(run.stderr.splitlines()) == 1
    assert re.search(problem, run.stderr), run.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.pcapng")
    run = subprocess.run(
        f"{' '.join(VSECC)} mcu monitor {path} | head -2",
        shell=True, capture_output=True, text=True, timeout=30, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert len(run.stdout.splitlines()) == 2
    assert "Traceback" not in run.stderr


# ---- the screen ----


class Terminal:
    """The command on a real pty, its picture kept by a terminal emulator."""

    def __init__(self, words: list[str], columns: int = 80, rows: int = 24, **environment: str) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update(ENVIRONMENT, TERM="xterm-256color", COLUMNS="", LINES="", **environment)
            del os.environ["COLUMNS"], os.environ["LINES"]
            os.execv(sys.executable, [*VSECC, "mcu", *words])
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def read(self, timeout_s: float) -> bool:
        """Take what the program drew; False when it ended."""
        if select.select([self._fd], [], [], timeout_s)[0]:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return False
            self.raw += data
            self._stream.feed(data)
        return True

    def picture(self) -> str:
        return "\n".join(row.rstrip() for row in self.screen.display)

    def shows(self, text: str) -> str:
        """Wait until the picture has the text."""
        end = time.monotonic() + WITHIN_S
        while text not in self.picture():
            assert time.monotonic() < end, f"{text!r} is not in\n{self.picture()}"
            self.read(0.1)
        return self.picture()

    def ends(self) -> int:
        end = time.monotonic() + WITHIN_S
        while self.read(0.1):
            assert time.monotonic() < end, self.picture()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_screen_on_80_by_24(tmp_path: Path) -> None:
    path = recorded(tmp_path / "line.pcapng", noisy=True)
    terminal = Terminal(["monitor", str(path)])
    terminal.shows(" recording | cyclic hidden | ")
    picture = terminal.shows("RELAY_STATE relay=1 closed=yes reason=closed")
    rows = picture.splitlines()
    assert len(rows) == 24
    assert rows[1].startswith("port 1  CP C         +6.00  -12.00 V  PWM 5.0 %")
    assert rows[2].startswith("port 2  CP A")
    assert rows[3].startswith("relays  REL1 CLOSED  REL2 open: CP left C/D  REL3 open: not granted")
    assert rows[4].startswith("grant   permits REL1")
    assert "errors length 1" in rows[6]
    assert "GRANT 12/s" in rows[7]
    assert "q Quit" in rows[-1]
    assert "STATUS" not in "\n".join(rows[10:-1])
    terminal.press("y")
    terminal.shows("STATUS")
    terminal.press("/")
    terminal.shows("e.g. CP_STATE")
    terminal.press("bad or prt==1\r")
    terminal.shows("no field prt; is it port?")
    terminal.press("\x7f" * 10 + "\r")
    terminal.shows("| filter bad")
    log = terminal.picture().splitlines()[10:-1]
    assert [row for row in log if row.strip(" ▊")] == [row for row in log if "BAD length" in row]
    terminal.press("s")
    terminal.shows("from mcu:")
    terminal.press("q")
    terminal.press("?")
    terminal.shows("Filter")
    terminal.press("q")
    terminal.resize(120, 18)
    terminal.shows("| filter bad")
    until(lambda: terminal.read(0.1) and len(terminal.picture().splitlines()) == 18)
    terminal.press("q")
    assert terminal.ends() == 0
    assert b"\x1b[?1049l" in terminal.raw, "the terminal is given back as it was"


def test_a_low_and_narrow_terminal_has_log_filter_and_its_mistakes(tmp_path: Path) -> None:
    path = recorded(tmp_path / "line.pcapng", noisy=True)
    terminal = Terminal(["monitor", str(path)], columns=40, rows=10)
    terminal.shows("port 1  CP C")
    terminal.shows("RELAY_STATE relay=1")
    assert "grant " not in terminal.picture() and "/" in terminal.picture().splitlines()[-1]
    terminal.press("/")
    terminal.shows("e.g. CP_STATE")
    terminal.press("bad or prt==1\r")
    terminal.shows("no field prt; is it port?")
    terminal.press("\x7f" * 10 + "\r")
    terminal.shows("| filter bad")
    terminal.shows("BAD length")
    terminal.resize(200, 60)
    terminal.shows("timing  ack p50")
    terminal.press("q")
    assert terminal.ends() == 0


def test_no_color_is_obeyed(tmp_path: Path) -> None:
    import re

    path = recorded(tmp_path / "line.pcapng")

    def colours(**environment: str) -> set[bytes]:
        terminal = Terminal(["monitor", str(path)], **environment)
        terminal.shows(" recording |")
        terminal.shows("HELLO")
        terminal.press("q")
        assert terminal.ends() == 0
        found = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)|[34]8;5;(\d+)", bytes(terminal.raw))
        return {b",".join(part) for part in found if len(set(part[:3])) > 1}

    assert colours(COLORTERM="truecolor")
    assert not colours(COLORTERM="truecolor", NO_COLOR="1")


def test_a_line_that_cannot_be_opened_gives_the_terminal_back() -> None:
    terminal = Terminal(["monitor", "tcp://127.0.0.1:1"])
    assert terminal.ends() == 1
    assert "refused" in terminal.picture() or "Connect" in terminal.picture()


def test_the_live_screen_follows_the_line_and_says_when_it_is_silent(tmp_path: Path) -> None:
    scenario = tmp_path / "car.toml"
    scenario.write_text('[[step]]\nat_s = 4.0\nev = "B"\n')
    with emulator("tcp://127.0.0.1:0", "cpython", scenario) as line:
        terminal = Terminal(["monitor", line])
        terminal.shows(" live |")
        terminal.shows("port 1  CP A")
        terminal.shows("port 1  CP B")
        terminal.shows("grant   permits nothing")
    terminal.shows("NO STATUS FROM THE MCU")
    terminal.press("\x03")
    assert terminal.ends() == 0
