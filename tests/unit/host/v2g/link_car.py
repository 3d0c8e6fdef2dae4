"""A car in another network namespace, run as a program: a discovery or a short session; prints one line."""

from __future__ import annotations

import asyncio
import socket
import sys

from unit.host.v2g.car import handshake, request
from unit.host.v2g.given import MAC

from vsecc_host.v2g import sdp
from vsecc_host.v2g.exi import Protocol, decode
from vsecc_host.v2g.exi import din70121 as m
from vsecc_sim.replay.channel import connector


def ask(interface: str, source: str) -> str:
    """Whether a request from this source address is answered within a second."""
    scope_id = socket.if_nametoindex(interface)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as car:
        car.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, scope_id)
        car.bind((source, 0, 0, scope_id if source.startswith("fe80") else 0))
        car.settimeout(1.0)
        car.sendto(sdp.encode_request(sdp.Security.NONE), (sdp.MULTICAST_GROUP, sdp.PORT, 0, scope_id))
        try:
            data, sender = car.recvfrom(100)
        except TimeoutError:
            return "silence"
    response = sdp.decode_response(data)
    assert response is not None
    told = socket.inet_ntop(socket.AF_INET6, response.address)
    return f"answer from {sender[0].partition('%')[0]} says {told}"


async def session(interface: str) -> str:
    """Discovery, handshake, setup, stop."""
    channel = await connector(f"sdp://[{sdp.MULTICAST_GROUP}%{interface}]:{sdp.PORT}")()
    await channel.exchange(handshake(), 2.0)
    raw = await channel.exchange(request(m.SessionSetupReq(MAC), b"\0"), 2.0)
    assert raw is not None
    session_id = decode(Protocol.DIN, raw[8:]).header.session_id
    raw = await channel.exchange(request(m.SessionStopReq(), session_id), 2.0)
    assert raw is not None
    await channel.close()
    return str(decode(Protocol.DIN, raw[8:]).body.response_code.name)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    print(ask(*words) if verb == "ask" else asyncio.run(session(*words)))
