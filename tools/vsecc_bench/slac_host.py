"""The SLAC service as a process, for `vsecc bench slac`: verbs on stdin, what happened on stdout."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from vsecc_host.runtime.clock import loop_clock
from vsecc_host.runtime.trace import Trace
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import ModemChanged, ModemState, SlacFailed, SlacMatched
from vsecc_host.slac.service import SlacService
from vsecc_host.station.values import CpState


def _report(event: Any, _cause: int) -> None:
    if isinstance(event, ModemChanged) and event.state is ModemState.READY:
        print("ready", flush=True)
    elif isinstance(event, SlacMatched):
        print("matched", event.ev_mac, flush=True)
    elif isinstance(event, SlacFailed):
        print("failed", flush=True)


async def main(interface: str) -> None:
    """Serve one outlet until stdin closes."""
    config = SlacConfig(interface=interface)
    service = SlacService(evse_id=1, config=config, trace=Trace(loop_clock()), on_event=_report)
    await service.start()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == b"plug":
            service.cp_changed(CpState.B, 50)
            service.begin()
        else:
            service.cp_changed(CpState.A, 0)
    await service.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
