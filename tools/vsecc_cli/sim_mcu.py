"""`vsecc sim mcu`: the real firmware on an emulated board, reachable like a serial port."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsecc_cli import numbers
from vsecc_cli.errors import CommandError

if TYPE_CHECKING:
    from vsecc_sim.mcu.service import McuEmulator
    from vsecc_sim.mcu.trace import Entry


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `sim mcu`."""
    parser = subparsers.add_parser(
        "mcu",
        help="the MCU emulator alone",
        description="Runs the firmware on an emulated board; the host connects by TCP or to a pty.",
        epilog="example: vsecc sim mcu --listen tcp://127.0.0.1:5700 --scenario plug_in.toml",
    )
    parser.add_argument(
        "--listen", metavar="URL", default="tcp://127.0.0.1:5700", help="tcp://HOST:PORT or pty://PATH"
    )
    parser.add_argument(
        "--scenario", metavar="FILE", type=Path, help="timed EV states, faults and inputs, TOML or JSON"
    )
    parser.add_argument(
        "--flash", metavar="FILE", type=Path, help="boot from this flash (made if absent) like a real chip"
    )
    parser.add_argument(
        "--console", metavar="URL", default="pty:///tmp/vsecc-console", help="where --flash shows its console"
    )
    parser.add_argument("--interpreter", choices=["auto", "micropython", "cpython"], default="auto")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same noise")
    parser.add_argument("--duration", metavar="S", type=numbers.seconds, help="end after so many seconds")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until interrupted or the duration is over."""
    from vsecc_sim.mcu.scenario import load_scenario

    steps = load_scenario(args.scenario) if args.scenario else []
    return asyncio.run(_serve(args, steps))


async def _serve(args: argparse.Namespace, steps: list[dict[str, Any]]) -> int:
    from vsecc_sim.mcu.interpreter import InterpreterUnavailable
    from vsecc_sim.mcu.service import FlashSettings, McuEmulator

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    flash = FlashSettings(args.flash, args.console) if args.flash else None
    mcu = McuEmulator(
        args.listen, interpreter=args.interpreter, seed=args.seed, in_process=False, flash=flash
    )
    try:
        await mcu.start()
    except (InterpreterUnavailable, OSError, ValueError) as error:
        raise CommandError(str(error)) from error
    ready = {"listen": mcu.url, "interpreter": mcu.interpreter.describe()}
    _say(args, {**ready, "console": mcu.console_url} if mcu.console_url else ready)
    for entry in mcu.trace.entries():
        _tell(args, entry)
    mcu.on_change.append(lambda entry: _tell(args, entry))
    play = loop.create_task(_play(mcu, steps))
    waits = [loop.create_task(stop.wait()), loop.create_task(mcu.ended())]
    try:
        await asyncio.wait(waits, timeout=args.duration, return_when=asyncio.FIRST_COMPLETED)
        if waits[1].done():
            raise CommandError("the emulator process ended")
    finally:
        for task in (play, *waits):
            task.cancel()
        await mcu.stop()
    return 0


async def _play(mcu: McuEmulator, steps: list[dict[str, Any]]) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    for step in steps:
        await asyncio.sleep(max(0.0, start + step["at_s"] - loop.time()))
        port = step.get("port", 1)
        if "ev" in step:
            mcu.ev(port).set_state(step["ev"])
        elif "ohm" in step:
            mcu.ev(port).set_resistance(step["ohm"])
        elif "fault" in step:
            mcu.inject(step["fault"], step.get("active", True), port=port, value=step.get("value"))
        else:
            mcu.drive_inputs(step["inputs"])


def _tell(args: argparse.Namespace, entry: Entry) -> None:
    _say(args, {"at_s": entry.at_us / 1e6, "name": entry.name, "value": entry.value})


def _say(args: argparse.Namespace, line: dict[str, Any]) -> None:
    if args.json:
        text = json.dumps(line)
    elif "listen" in line:
        console = f", console at {line['console']}" if "console" in line else ""
        text = f"MCU on {line['interpreter']}, host at {line['listen']}{console}"
    else:
        text = f"{line['at_s']:10.3f} s  {line['name']} {line['value']}"
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
