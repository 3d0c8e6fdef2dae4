"""`vsecc run`: the host service on real hardware or against simulators reached by URL."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `run`."""
    parser = subparsers.add_parser(
        "run",
        help="the host service",
        description="Runs the host until SIGTERM or SIGINT.",
        epilog="example: vsecc run --config /etc/vsecc.toml --state /var/lib/vsecc",
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="configuration, TOML")
    parser.add_argument(
        "--state", metavar="DIR", type=Path, help="where settings changed at run time are kept"
    )
    parser.add_argument("--factory", metavar="FILE", type=Path, help="factory defaults, JSON list")
    parser.add_argument("--evses", type=int, choices=[1, 2], default=2, help="outlets in use")
    parser.add_argument(
        "--report", metavar="FILE", type=Path, help="write answers, memory and loop figures at exit, JSON"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    return asyncio.run(_serve(args))


async def _serve(args: argparse.Namespace) -> int:
    from vsecc_host.app import App
    from vsecc_host.records.uart_tap import open_tap
    from vsecc_host.runtime.loop_watch import LoopWatch
    from vsecc_host.settings.store import Settings
    from vsecc_sim.process_memory import memory_mib

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stopped.set)
    settings = Settings.load(factory=args.factory, config=args.config, state_dir=args.state)
    app = App(settings, evses=range(1, args.evses + 1))
    recorder = _recorder(app) if args.report else None
    watch = LoopWatch()
    tap = await open_tap(app.trace, args.state)
    try:
        await app.start()
        watch.start()
        for number, evse in app.evses.items():
            host, port = evse.v2g.sdp_address
            print(f"EVSE {number}: SDP on [{host}]:{port}", flush=True)
        print("vsecc is up", flush=True)
        await stopped.wait()
    finally:
        await app.stop()
        if tap is not None:
            await tap.stop()
    if recorder is not None:
        figures = {
            "answers": recorder.answers(),
            "longest_block_ms": watch.longest_block_s * 1000,
            "memory": memory_mib()._asdict(),
        }
        args.report.write_text(json.dumps(figures))
    return 0


def _recorder(app: Any) -> Any:
    from vsecc_sim.station.recorder import Recorder

    return Recorder(app)
