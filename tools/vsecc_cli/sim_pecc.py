"""`vsecc sim pecc`: power electronics behind PEP-WS, and a judge of the SECC that talks to them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vsecc_cli import numbers
from vsecc_cli.errors import UsageError

if TYPE_CHECKING:
    from vsecc_sim.pecc.scenario import Scenario
    from vsecc_sim.pecc.simulator import PeccSimulator
    from vsecc_sim.pecc.values import News

_LINE_EVERY_S = 2.0  # between two lines of figures while something flows


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `sim pecc`."""
    parser = subparsers.add_parser(
        "pecc",
        help="the PECC simulator alone",
        description="Power electronics for any SECC that speaks PEP-WS 1.2 to 1.8; judges its conduct, "
        "exit status 1 when it broke a rule.",
        epilog="example: vsecc sim pecc --listen ws://127.0.0.1:8080 --charge-points 2 --chart charge.svg",
    )
    parser.add_argument(
        "--listen",
        metavar="URL",
        default="ws://127.0.0.1:8080",
        help="ws://HOST:PORT[/PREFIX]; the prefix is /chargepoint, its number follows",
    )
    parser.add_argument("--charge-points", metavar="N", type=int, default=1, help="outlets, a URL each")
    parser.add_argument(
        "--version", metavar="V", help="the only PEP version accepted, such as 1.2 (default: 1.2 to 1.8)"
    )
    parser.add_argument("--scenario", metavar="FILE", type=Path, help="ratings, load, faults; TOML or JSON")
    parser.add_argument(
        "--supervision",
        choices=["closed", "open", "ev-state"],
        help="the CP/PP supervision input without a wire: fixed, or following evConnectionState",
    )
    parser.add_argument("--control", metavar="HOST:PORT", help="faults and limits live, over HTTP")
    parser.add_argument("--duration", metavar="S", type=numbers.seconds, help="end after so many seconds")
    parser.add_argument("--chart", metavar="FILE", type=Path, help="write voltage and current over time, SVG")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, the report as the last")
    parser.add_argument("--faults", action="store_true", help="list the faults and end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT, SIGTERM or the duration is over; 0 when the SECC kept the rules."""
    if args.faults:
        return _list_faults()
    if args.charge_points < 1:
        raise UsageError("--charge-points must be at least 1")
    if args.chart is not None and not args.chart.parent.is_dir():
        raise UsageError(f"--chart: there is no folder {args.chart.parent}")
    listen = _address(args.listen)
    control = None if args.control is None else _host_and_port("--control", args.control)
    return asyncio.run(_serve(args, _scenario(args), listen, control))


def _list_faults() -> int:
    from vsecc_sim.pecc.faults import FAULTS

    for name, kind in FAULTS.items():
        usual = "" if kind.value is None else f" ({kind.value:g})"
        print(f"{name:<24} {kind.where:<8} {'once' if kind.once else '':<5} {kind.what}{usual}")
    return 0


def _scenario(args: argparse.Namespace) -> Scenario:
    from dataclasses import replace

    from vsecc_host.pep.versions import version_of
    from vsecc_sim.pecc.scenario import Scenario, load_scenario

    scenario = load_scenario(args.scenario) if args.scenario else Scenario()
    if args.version is not None:
        try:
            version = version_of(args.version)
        except ValueError as error:
            raise UsageError(f"--version: {error}") from error
        manners = replace(scenario.config.manners, versions=(version.text,))
        scenario = replace(scenario, config=replace(scenario.config, manners=manners))
    if args.supervision is not None:
        scenario = replace(scenario, supervision=args.supervision)
    numbers = [step.charge_point or 1 for step in scenario.steps]
    if max(numbers, default=1) > args.charge_points:
        raise UsageError(f"the scenario needs --charge-points {max(numbers)}")
    return scenario


def _address(listen: str) -> tuple[str, int, str]:
    """Host, port (0: a free one) and prefix of --listen."""
    url = urlsplit(listen)
    if url.scheme != "ws" or url.hostname is None:
        raise UsageError(f"--listen takes ws://HOST:PORT, not {listen}")
    host, port = _host_and_port("--listen", url.netloc)
    return host, port, url.path.rstrip("/") or "/chargepoint"


def _host_and_port(option: str, where: str) -> tuple[str, int]:
    address = urlsplit(f"//{where}")
    try:
        host, port = address.hostname, address.port
    except ValueError as error:
        raise UsageError(f"{option} {where}: {error}") from error
    if host is None or port is None:
        raise UsageError(f"{option} takes HOST:PORT, not {where}")
    return host, port


async def _serve(
    args: argparse.Namespace,
    scenario: Scenario,
    listen: tuple[str, int, str],
    control_at: tuple[str, int] | None,
) -> int:
    from vsecc_sim.pecc.control import PeccControl
    from vsecc_sim.pecc.simulator import PeccSimulator

    screen = Screen(as_json=args.json)
    host, port, prefix = listen
    stopped = asyncio.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, stopped.set)
    simulator = PeccSimulator(
        scenario,
        charge_points=args.charge_points,
        host=host,
        port=port,
        prefix=prefix,
        on_news=screen.news,
    )
    async with simulator:
        for number in simulator.links:
            screen.say({"charge_point": number, "url": simulator.url(number)})
        control = PeccControl(simulator)
        if control_at is not None:
            await control.start(*control_at)
            screen.say({"control": f"http://{control_at[0]}:{control.port}/sim/state"})
        figures = asyncio.get_running_loop().create_task(screen.follow(simulator))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), args.duration)
        figures.cancel()
        await control.stop()
    return _finish(args, simulator, screen)


def _finish(args: argparse.Namespace, simulator: PeccSimulator, screen: Screen) -> int:
    from vsecc_sim.pecc.chart import render_svg
    from vsecc_sim.pecc.report import as_text

    if args.chart is not None:
        for number in simulator.links:
            path = args.chart if number == 1 else args.chart.with_stem(f"{args.chart.stem}-{number}")
            path.write_text(render_svg(simulator.point(number), simulator.scenario.name), encoding="utf-8")
    report = simulator.report()
    print(json.dumps(report) if screen.as_json else as_text(report), flush=True)
    return 0 if report["ok"] else 1


class Screen:
    """A line per change, and one with figures now and then while something flows."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._began_s = asyncio.get_running_loop().time()

    def news(self, number: int, news: News) -> None:
        """Something happened at a charge point."""
        at_s = round(news.at - self._began_s, 3)
        self.say({"at_s": at_s, "charge_point": number, "what": news.what, "text": news.text})

    def say(self, line: dict[str, Any]) -> None:
        """One line."""
        sys.stdout.write((json.dumps(line) if self.as_json else _text(line)) + "\n")
        sys.stdout.flush()

    async def follow(self, simulator: PeccSimulator) -> None:
        """Figures of every outlet that is energised."""
        while not self.as_json:
            for number in simulator.links:
                stage = simulator.point(number).stage
                if stage.closed:
                    volts, amperes = stage.voltage_v, stage.current_a
                    kilowatts = volts * amperes / 1000
                    sys.stdout.write(
                        f"{'':10}  {number}  {volts:6.1f} V {amperes:6.1f} A {kilowatts:6.1f} kW "
                        f"{stage.temperature_c:5.1f} C\n"
                    )
            sys.stdout.flush()
            await asyncio.sleep(_LINE_EVERY_S)


def _text(line: dict[str, Any]) -> str:
    if "url" in line:
        return f"charge point {line['charge_point']}: {line['url']}"
    if "control" in line:
        return f"control API: {line['control']}"
    return f"{line['at_s']:8.2f} s  {line['charge_point']}  {line['what']:<8} {line['text']}"
