"""Both ports charging and leaving for a long virtual time, across tick wraps; VSECC_SOAK_S sets how long."""

import os

from unit.mcu.boards import Bench
from unit.mcu.hosts import Host

from vsecc_link import messages as m
from vsecc_link.link import UP

DEFAULT_S = 40
ROUND_MS = 2000


def seconds():
    """CPython and MicroPython both have getenv, one of them without a default."""
    return int(os.getenv("VSECC_SOAK_S") or DEFAULT_S)


def one_round(host, number):
    """Port 1 and port 2 charge, shifted against each other; every fourth round ends by a trip."""
    bench = host.bench
    bench.plug(1, "B")
    host.cycles(30)
    host.send(m.SET_PILOT, 1, m.PILOT_PWM, 50)
    bench.plug(2, "B")
    host.cycles(30)
    host.send(m.SET_PILOT, 2, m.PILOT_PWM, 50)
    host.cycles(40)
    bench.plug(1, "C")
    bench.plug(2, "C")
    host.cycles(40)
    host.grant_relays = 3
    host.cycles(ROUND_MS - 400)
    assert bench.safety.relays_closed() == 3, number
    if number % 4 == 3:
        bench.plug(1, "B")
        host.cycles(5)
        assert bench.safety.relays_driven() == 2, number
    host.grant_relays = 0
    host.cycles(150)
    assert bench.safety.relays_driven() == 0, number
    bench.plug(1, "A")
    bench.plug(2, "A")
    host.send(m.SET_PILOT, 1, m.PILOT_STEADY_POSITIVE, 0)
    host.send(m.SET_PILOT, 2, m.PILOT_STEADY_POSITIVE, 0)
    host.cycles(110)


def test_soak_both_ports_across_a_tick_wrap():
    bench = Bench((1 << 30) - 20_000_000)
    host = Host(bench).link_up()
    host.grant_relays = 0
    end_us = bench.board.time_us + seconds() * 1_000_000
    number = 0
    sessions = []
    while bench.board.time_us < end_us:
        one_round(host, number)
        sessions += [kind for kind, _ in host.events if kind == UP]
        host.messages = []
        host.events = []
        host.wire_log = []
        bench.board.changes = []
        number += 1
    assert bench.safety.guards[0].faults == 0 and bench.safety.guards[1].faults == 0
    assert bench.control.cycle_overruns == 0 and host.link.up
    assert sessions == [UP]
