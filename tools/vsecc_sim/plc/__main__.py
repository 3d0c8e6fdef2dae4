"""`python -m vsecc_sim.plc`: a powerline on network namespaces, driven from the keyboard (root)."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from typing import Any

from vsecc_sim.plc import habits, namespaces
from vsecc_sim.plc.powerline import EV_INTERFACE, Powerline
from vsecc_sim.plc.shell import EvSlac
from vsecc_sim.plc.site import outlet_interface


def main() -> int:
    """Build, run until end of input, remove."""
    parser = argparse.ArgumentParser(prog="python -m vsecc_sim.plc", description=__doc__)
    parser.add_argument("--outlets", type=int, default=1, help="interfaces plc1.. in the station's namespace")
    parser.add_argument("--cars", type=int, default=1, help="namespaces with plc0 each")
    parser.add_argument("--join", type=float, default=0.4, help="seconds from equal keys to the link")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves through the same door as Ctrl-C
    try:
        with Powerline(outlets=args.outlets, cars=args.cars, join_s=args.join) as line:
            asyncio.run(_serve(line, args.outlets, args.cars))
    except namespaces.NamespacesUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


async def _serve(line: Powerline, outlets: int, cars: int) -> None:
    shell = line.shell()
    interfaces = [outlet_interface(number) for number in range(1, outlets + 1)]
    _tell("station", namespace=line.station, interfaces=interfaces)
    for number in range(1, cars + 1):
        _tell("car", number=number, namespace=line.car(number), interface=EV_INTERFACE)
    plugged: dict[int, EvSlac] = {}
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while command := (await reader.readline()).decode():
            try:
                _command(command.split(), line, plugged)
            except (AttributeError, KeyError, ValueError, TypeError, OSError) as error:
                _tell("error", text=f"{command.strip()}: {error!r}")
    finally:
        for number in list(plugged):
            plugged.pop(number).close()
        shell.close()


def _command(words: list[str], line: Powerline, plugged: dict[int, EvSlac]) -> None:
    """`plug N [HABITS]`, `unplug N`, `set MODEM FIELD JSON`."""
    match words:
        case ["plug", number, *names]:
            side = line.ev_socket(int(number))
            ev = EvSlac(
                side, habits.load(*names), lambda event: _tell("event", car=number, event=repr(event))
            )
            plugged[int(number)] = ev
            ev.begin()
        case ["unplug", number]:
            plugged.pop(int(number)).close()
        case ["set", modem, field, value]:
            manners = line.medium.modems[modem].manners
            kind: Any = type(getattr(manners, field))
            setattr(manners, field, kind(json.loads(value)))
        case []:
            pass
        case _:
            raise ValueError("plug N [HABITS], unplug N or set MODEM FIELD VALUE")


def _tell(what: str, **values: Any) -> None:
    print(json.dumps({"what": what, **values}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
