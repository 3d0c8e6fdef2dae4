"""asyncio shell of the player: as host it opens a line, as MCU it offers one."""

from __future__ import annotations

import asyncio

from vsecc_host import transport
from vsecc_host.runtime.pump import Pump
from vsecc_sim.mcu.hostside import open_host_side
from vsecc_uart.player import Player
from vsecc_uart.sources import Stream

# Without a session for this long there is nobody to play to.
SESSION_WITHIN_S = 10.0
_LOOK_S = 0.02


class NobodyThere(OSError):
    """The peer never began a session."""


async def play_as_host(player: Player, url: str) -> None:
    """Until the player is finished; OSError when the line cannot be opened, NobodyThere without a session."""
    stream, _ = await transport.open_stream(url, lambda: Stream(lambda data: pump.feed(data)))
    pump: Pump = Pump(
        player, lambda data: None if stream.is_closing() else stream.write(data), lambda _: None
    )
    try:
        player.connected(asyncio.get_running_loop().time())
        pump.poke()
        await _until_done(player, url, stream.is_closing)
    finally:
        pump.close()
        transport.abandon(stream)


async def play_as_mcu(player: Player, offer: str, ready: asyncio.Future[str] | None = None) -> None:
    """Offer tcp://HOST:PORT or pty://PATH to a host; `ready` gets the URL it is reached by."""
    loop = asyncio.get_running_loop()
    side = open_host_side(offer)
    watched: set[int] = set()
    pump: Pump = Pump(player, side.send, lambda _: None)

    def readable() -> None:
        data = side.receive()
        watch()
        if data:
            pump.feed(data)

    def watch() -> None:
        wanted = set(side.listeners())
        for fd in watched - wanted:
            loop.remove_reader(fd)
        for fd in wanted - watched:
            loop.add_reader(fd, readable)
        watched.clear()
        watched.update(wanted)

    watch()
    try:
        if ready is not None:
            ready.set_result(side.url)
        await _until_done(player, side.url, lambda: False)
    finally:
        pump.close()
        for fd in watched:
            loop.remove_reader(fd)
        side.close()


async def _until_done(player: Player, url: str, is_closed: object) -> None:
    """Polled: the end depends on time alone, and a player is watched, not listened to."""
    assert callable(is_closed)
    loop = asyncio.get_running_loop()
    give_up = loop.time() + SESSION_WITHIN_S
    while not player.finished:
        if player.link.up:
            give_up = loop.time() + SESSION_WITHIN_S
        elif loop.time() > give_up:
            raise NobodyThere(f"{url}: no session for {SESSION_WITHIN_S:.0f} s" + _why(player))
        if is_closed():
            raise NobodyThere(f"{url}: closed by the peer")
        await asyncio.sleep(_LOOK_S)


def _why(player: Player) -> str:
    return f"; {player.trouble[-1]}" if player.trouble else ""
