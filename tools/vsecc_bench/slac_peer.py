"""pyslac as a process, for `vsecc bench slac`; runs in the peer's environment, imports nothing of ours.

In its favour: its log is off, its pause of 10 s after CM_SET_KEY is cut, the key is set once.
"""

import asyncio
import logging
import sys

import pyslac.session  # type: ignore[import-not-found, unused-ignore]
from pyslac.environment import Config  # type: ignore[import-not-found, unused-ignore]


async def main(interface: str) -> None:
    """One session per line "plug"; other lines are for machines that know unplugging."""
    logging.disable(logging.CRITICAL)
    pyslac.session.SLAC_SETTLE_TIME = 0.1
    config = Config(slac_init_timeout=50)
    session = pyslac.session.SlacEvseSession("1", interface, config)
    await session.evse_set_key()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() != "plug":
            print("ready", flush=True)
            continue
        try:
            await session.evse_slac_parm()
            await session.atten_charac_routine()
            print("matched", session.pev_mac.hex().upper(), flush=True)
        except Exception as error:
            print("failed", repr(error), flush=True)
        session.reset()
        session.evse_mac = pyslac.session.get_if_hwaddr(interface)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
