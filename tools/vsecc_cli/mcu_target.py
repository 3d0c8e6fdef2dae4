"""What the verbs that work at the console of a controller share: where it is, and errors as one line."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vsecc_cli.errors import CommandError, UsageError

if TYPE_CHECKING:
    from vsecc_mcu.flash import Target

_BAR = 30


def add_target(parser: argparse.ArgumentParser, *, port_required: bool = True) -> None:
    """The options that say which device."""
    parser.add_argument(
        "--port",
        metavar="PORT",
        required=port_required,
        help="its USB console: /dev/ttyACM0, pty:///PATH, tcp://HOST:PORT",
    )
    parser.add_argument(
        "--link",
        metavar="URL",
        help="its line to the host, if free: an orderly stop, and HELLO at the end",
    )
    parser.add_argument("--force", action="store_true", help="go on when nobody answers on --link")
    parser.add_argument(
        "--wait", metavar="S", type=float, default=3.0, help="wait so long for the port, default 3"
    )
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")


def check_named(args: argparse.Namespace) -> None:
    """UsageError when neither the console nor the line to the host is named."""
    if not args.port and not args.link:
        raise UsageError("name the device: --port, or --link for its line to the host")


def target_of(args: argparse.Namespace) -> Target:
    """The device the options name."""
    from vsecc_mcu.flash import Target

    return Target(port=args.port, link=args.link, force=args.force, wait_s=args.wait)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """What goes wrong at a device is one line for the user."""
    from vsecc_host.mcu_flash.errors import FlashError
    from vsecc_mcu.build import BuildError

    try:
        yield
    except (FlashError, BuildError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        print("vsecc: interrupted; the device starts a complete program", file=sys.stderr)
        raise


def progress_bar(quiet: bool) -> Callable[[str, int, int], None]:
    """A bar on a terminal, one line a step elsewhere; always on stderr."""
    last = [""]

    def show(step: str, done: int, total: int) -> None:
        if quiet:
            return
        if sys.stderr.isatty() and total:
            filled = _BAR * done // total
            end = "\n" if done >= total else ""
            text = (
                f"\r{_STEPS.get(step, step):24} [{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}{end}"
            )
            print(text, end="", file=sys.stderr, flush=True)
        elif step != last[0]:
            print(_STEPS.get(step, step), file=sys.stderr, flush=True)
        last[0] = step

    return show


_STEPS = {
    "stopped": "stopped, relays open",
    "copy": "copying on the device",
    "send": "sending",
    "verify": "checking on the device",
    "start": "waiting for the program",
}
