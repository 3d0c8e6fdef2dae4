"""Flash, update, power cut and rollback on an emulated device: `python -m vsecc_mcu.demo` prints it all.

Nothing but the remarks is written by hand: every line of output is what the commands printed. `--write` puts
it into docs/flashing.md.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from vsecc_cli.main import main as vsecc
from vsecc_host.mcu_flash.coming_up import ask
from vsecc_mcu.bench import Bench
from vsecc_mcu.build import PACKAGES
from vsecc_sim.mcu.firmware import SHIMS, search_path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "flashing.md"
BEGIN, END = "<!-- transcript begin -->\n```\n", "```\n<!-- transcript end -->"
NEXT_VERSION = "0.1.1"
ASK_TIMEOUT_S = 10.0


class Output(io.StringIO):
    """What a command prints; something happens when it says a certain word."""

    def __init__(self, word: str = "", action: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._word, self._action = word, action

    def write(self, text: str) -> int:
        """As any stream."""
        if self._action and self._word in text:
            action, self._action = self._action, None
            action()
        return super().write(text)


class Story:
    """Runs commands of `vsecc` against a device and keeps what they print."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.text = ""
        self._names = {"PORT": bench.port, "LINK": bench.link, "NEXT": str(folder), "...": str(SHIMS)}

    def remark(self, text: str) -> None:
        """A line for the reader."""
        self.text += f"# {text}\n"

    def run(self, command: str, output: Output | None = None) -> None:
        """One command line; PORT, LINK and NEXT stand for the device's addresses and the next sources."""
        output = output or Output()
        argv = command
        for name in ("PORT", "LINK", "NEXT"):
            argv = argv.replace(name, self._names[name])
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = vsecc(shlex.split(argv))
        text = output.getvalue()
        for name, value in self._names.items():
            text = text.replace(value, name)
        self.text += f"$ vsecc {command}\n{text}" + (f"(exit status {status})\n" if status else "") + "\n"


def transcript() -> str:
    """The whole story, told by a real run."""
    with tempfile.TemporaryDirectory(prefix="vsecc-demo-") as folder, Bench(Path(folder)) as bench:
        story = Story(bench, next_sources(Path(folder) / "next"))
        story.remark("a new device: MicroPython and no files")
        story.run("mcu flash --port PORT")
        story.run("mcu info --port PORT")
        story.remark("the next version; power goes when it is being sent")
        story.run("mcu flash --port PORT --source NEXT", Output("sending", bench.power_off))
        story.remark("power is back: the version before runs")
        bench.power_on()
        ask(bench.link, ASK_TIMEOUT_S)
        story.run("mcu info --link LINK")
        story.remark("once more; what arrived the first time is not written again")
        story.run("mcu flash --port PORT --source NEXT")
        story.remark("back to the version before")
        story.run("mcu rollback --port PORT")
        story.remark("the program meets an error that it does not handle")
        ask(bench.link, ASK_TIMEOUT_S)
        bench.inject("mcu-exception")
        ask(bench.link, ASK_TIMEOUT_S)
        story.run("mcu info --port PORT")
        return story.text


def next_sources(folder: Path) -> Path:
    """The same program under the next version number."""
    for source in map(Path, search_path()):
        for package in PACKAGES:
            if (source / package).is_dir():
                shutil.copytree(
                    source / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
                )
    file = folder / "mcu" / "image.py"
    text = file.read_text(encoding="utf-8")
    start = text.index('VERSION = "')
    file.write_text(text[:start] + f'VERSION = "{NEXT_VERSION}"' + text[text.index("\n", start) :], "utf-8")
    return folder


def main() -> int:
    """Print it, or put it into the page."""
    text = transcript().rstrip() + "\n"
    if "--write" not in sys.argv[1:]:
        sys.stdout.write(text)
        return 0
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + text + END + after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
