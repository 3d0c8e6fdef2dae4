"""`vsecc sim ev`: a simulated car against any charger, over a PLC modem's interface or loopback."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from vsecc_cli import numbers
from vsecc_cli.errors import UsageError

if TYPE_CHECKING:
    from vsecc_sim.ev.result import EvResult, Progress
    from vsecc_sim.ev.scenario import Scenario
    from vsecc_sim.ev.simulator import EvSimulator

_LINE_EVERY_S = 2.0  # between two lines of one phase
_WISHES = {
    "stop": "the driver stops",
    "unplug": "the cable is pulled",
    "pause": "ISO 15118-2: the car pauses",
    "resume": "... and goes on under its old session id",
    "renegotiate": "ISO 15118-2: the car asks for new parameters",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `sim ev`."""
    parser = subparsers.add_parser(
        "ev",
        help="the EV simulator alone",
        description="Runs one session of a simulated car; exit status 0 only if it reached its goal.",
        epilog="example: vsecc sim ev --connect sdp://[::1]:15118 --profile ioniq --soc 40 --pause-after 20",
    )
    parser.add_argument("--connect", metavar="URL", help="iface://eth1 or sdp://[::1]:PORT")
    parser.add_argument("--profile", metavar="NAME", help="which real car to behave like, or a .toml file")
    parser.add_argument("--protocol", metavar="din|iso2", help="offer this one, whatever the profile offers")
    parser.add_argument("--tls", metavar="off|try|insist", help="ask for TLS, whatever the profile does")
    parser.add_argument("--v2g-root", metavar="FILE", help="V2G root certificate (PEM) the car trusts")
    parser.add_argument("--list", action="store_true", help="show the profiles")
    parser.add_argument("--soc", metavar="PERCENT", type=numbers.percent, help="state of charge at the start")
    parser.add_argument("--target-soc", metavar="PERCENT", type=numbers.percent, help="where it has enough")
    parser.add_argument("--capacity", metavar="WH", type=numbers.watt_hours, help="another battery")
    parser.add_argument("--scenario", metavar="FILE", help="faults and timing as data (TOML)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same random choices")
    parser.add_argument("--json", action="store_true", help="the result as one JSON line at the end")
    _add_events(parser)
    parser.set_defaults(run=run)


def _add_events(parser: argparse.ArgumentParser) -> None:
    events = parser.add_argument_group("what happens on the way", "times in seconds from the start")
    for verb, text in _WISHES.items():
        events.add_argument(f"--{verb}-after", metavar="S", type=numbers.seconds, help=text)
    events.add_argument(
        "--misbehave",
        metavar="STEP:DO[,KEY=VALUE]",
        action="append",
        default=[],
        help="go wrong, as often as given: current_demand:stall,nth=20,for_s=3",
    )


def run(args: argparse.Namespace) -> int:
    """One session."""
    if args.list:
        return _list()
    if args.connect is None:
        raise UsageError("--connect is needed: iface://eth1 or sdp://[::1]:PORT")
    result = asyncio.run(_session(args))
    if args.json:
        print(json.dumps(result.as_json()), flush=True)
    return 0 if result.goal else 1


def _list() -> int:
    from vsecc_sim.ev.profiles import load_profile, profile_names

    for name in profile_names(None):
        profile = load_profile(name)
        print(f"{name:<14} {profile.what} (ends {profile.expected_end})")
    return 0


def _scenario(args: argparse.Namespace) -> Scenario:
    from dataclasses import replace

    from vsecc_sim.ev.misbehave import read_act
    from vsecc_sim.ev.scenario import load_scenario, parse_scenario

    if args.scenario is not None:
        scenario = load_scenario(args.scenario, args.profile)
    else:
        scenario = parse_scenario({}, args.profile)
    given = {
        "protocol": args.protocol,
        "tls": args.tls,
        "soc_percent": args.soc,
        "target_soc_percent": args.target_soc,
        "capacity_wh": args.capacity,
        **{f"{verb}_after_s": getattr(args, f"{verb}_after") for verb in _WISHES},
    }
    acts = (*scenario.misbehave, *map(read_act, args.misbehave))
    return replace(
        scenario, misbehave=acts, **{key: value for key, value in given.items() if value is not None}
    )


async def _session(args: argparse.Namespace) -> EvResult:
    from vsecc_sim.ev.simulator import EvSimulator

    scenario = _scenario(args)
    screen = Screen(to_stderr=args.json)
    car = EvSimulator.of_scenario(
        scenario, sdp=args.connect, on_progress=screen.show, seed=args.seed, v2g_root=args.v2g_root
    )
    screen.say(f"{scenario.profile.name}: {scenario.profile.what}, SoC {car.soc_percent:.0f} %")
    _later(scenario, car, screen)
    result = await car.run()
    screen.finish(result)
    return result


def _later(scenario: Scenario, car: EvSimulator, screen: Screen) -> None:
    from vsecc_sim.ev.simulator import NotPossible

    def attempt(verb: Callable[[], None]) -> None:
        try:
            verb()
        except NotPossible as error:
            screen.say(f"not done: {error}")

    plan = (
        (scenario.stop_after_s, car.request_stop),
        (scenario.unplug_after_s, car.unplug),
        (scenario.pause_after_s, car.pause),
        (scenario.resume_after_s, car.resume),
        (scenario.renegotiate_after_s, car.renegotiate),
    )
    for after_s, verb in plan:
        if after_s is not None:
            asyncio.get_running_loop().call_later(after_s, attempt, verb)


class Screen:
    """A line per phase and every two seconds, on stderr when stdout carries JSON."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._out = sys.stderr if to_stderr else sys.stdout
        self._phase: str | None = None
        self._shown_s = 0.0

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=self._out, flush=True)

    def show(self, progress: Progress) -> None:
        """The newest figures, when it is time for a line."""
        if progress.phase == self._phase and progress.at_s - self._shown_s < _LINE_EVERY_S:
            return
        self._phase, self._shown_s = progress.phase, progress.at_s
        volts, amperes = progress.voltage_v, progress.current_a
        self.say(
            f"{progress.at_s:8.2f} s  {progress.phase:<12} {volts:6.1f} V {amperes:6.1f} A "
            f"{volts * amperes / 1000:6.1f} kW  SoC {progress.soc_percent:5.1f} %  "
            f"{progress.energy_wh:7.1f} Wh"
        )

    def finish(self, result: EvResult) -> None:
        """What came out."""
        spoken = f"{result.protocol or 'no session'}{' over TLS' if result.tls else ''}"
        verdict = "goal reached" if result.goal else "goal missed"
        self.say(
            f"{verdict}: {result.end}, {spoken}, {result.energy_wh:.1f} Wh, "
            f"SoC {result.soc_start:.1f} -> {result.soc_end:.1f} %"
        )
        for error in result.errors:
            self.say(f"error: {error}")
