"""Rule S7, any mixture of bad frames: nothing moves an output, the session goes on, counters tell."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.mcu.boards import Bench
from unit.mcu.hosts import Host

from vsecc_link import cbor, frame
from vsecc_link import messages as m

SETTLE_MS = 3 * frame.FRAME_TIMEOUT_MS

small = st.integers(0, 3)
fields = st.one_of(
    st.integers(-(1 << 40), 1 << 40),
    st.integers(0, 600),
    st.booleans(),
    st.text(max_size=8),
    st.binary(max_size=8),
)
forged = st.tuples(
    st.just("forge"),
    st.one_of(st.sampled_from(sorted(m.CATALOGUE)), st.integers(0, 255)),
    st.lists(fields, max_size=5),
    st.sampled_from((frame.RELIABLE, frame.CYCLIC, frame.HANDSHAKE, 5)),
    st.integers(0, 3),  # added to the session number
)
# Commands a host may give, told in a way that must not count: another session, a used number, a bad check.
commands = st.tuples(
    st.just("command"),
    st.sampled_from(
        (
            (m.GRANT, 9, 3, 500),
            (m.SET_PILOT, 1, m.PILOT_STEADY_NEGATIVE, 0),
            (m.SET_PILOT, 2, m.PILOT_PWM, 50),
            (m.SET_OUTPUTS, 0xFFFF, 0xFFFF),
            (m.SET_LOCK, 1, True),
            (m.RESET, 0x5AFE),
        )
    ),
    st.sampled_from(("session", "number", "check")),
)
spoiled = st.tuples(
    st.just("spoil"),
    st.integers(0, 1000),
    st.sampled_from(("flip", "drop", "double", "cut")),
    st.integers(0, 4000),
)
actions = st.lists(
    st.one_of(
        forged,
        commands,
        spoiled,
        st.tuples(st.just("bytes"), st.binary(min_size=1, max_size=80)),
        st.tuples(st.just("replay"), st.integers(0, 1000)),
        st.tuples(st.just("wait"), st.integers(1, 60)),
    ),
    min_size=1,
    max_size=25,
)


def ready():
    """A session whose port 1 is in C under PWM without a grant."""
    host = Host(Bench()).link_up()
    host.grant_relays = 0
    host.bench.plug(1, "B")
    host.cycles(30)
    host.send(m.SET_PILOT, 1, m.PILOT_PWM, 50)
    host.cycles(60)
    host.bench.plug(1, "C")
    host.cycles(60)
    assert host.bench.board.duty[1:] == [50, 1000]
    return host


def outputs(bench):
    board = bench.board
    return board.duty[:], board.outputs, board.leds[1:], board.locks[:], board.feeds[:], board.reset_with


def complaints(bench):
    """Frames and messages that were not taken."""
    link = bench.link.link
    return link.parser.bad + link.refused + bench.link.refused


def forge(host, action):
    """(bytes, complaints due) of a well-formed frame with wild contents.

    In this very session and with a number of its own only what no host may say: whoever can write frames with
    session, number and check in order is the host.
    """
    _, message_id, values, kind, session = action
    message = (message_id, *values)
    try:
        payload = cbor.encode(message)[: frame.PAYLOAD_MAX]
    except cbor.CborError:
        payload, message = b"\xff", (0,)
    own, peer = host.link.session
    if kind == frame.HANDSHAKE:
        return frame.build(kind, 7, 1, 0, payload), 1
    allowed = m.check(message) is None and m.CATALOGUE[message_id][1] == "host"
    if session == 0 and not allowed and kind != 5:
        if kind == frame.RELIABLE:
            return b"", int(host.link._sender.push(payload))
        host.link._cyclic_number += 1
        return frame.build(kind, peer, host.link._cyclic_number, 0, payload), 1
    return frame.build(kind, peer + max(session, 1) & 0xFFFF, own, 0, payload), 1


def command(host, message, wrong):
    """A right command with one thing wrong about its frame."""
    peer = host.link.session[1]
    cyclic = m.CATALOGUE[message[0]][2] == m.CYCLIC
    number = 1 if wrong == "number" else 5000
    kind = frame.CYCLIC if cyclic else frame.RELIABLE
    data = bytearray(frame.build(kind, peer + (wrong == "session") & 0xFFFF, number, 0, cbor.encode(message)))
    if wrong == "check":
        data[-2] ^= 4
    return bytes(data)


def spoil(data, kind, at):
    data = bytearray(data)
    at %= len(data)
    if kind == "flip":
        data[at] ^= 1 << at % 8
    elif kind == "drop":
        del data[at]
    elif kind == "double":
        data.insert(at, data[at])
    else:
        del data[at:]
    return bytes(data)


def deliver(host, action):
    """Puts the action on the line; number of whole frames that must be complained about."""
    wire = host.wire_log
    if action[0] == "wait":
        host.cycles(action[1])
        return 0
    if action[0] == "bytes":
        data, frames = action[1], 0
    elif action[0] == "replay":
        data, frames = wire[action[1] % len(wire)], 0
    elif action[0] == "spoil":
        data, frames = spoil(wire[action[1] % len(wire)], action[2], action[3]), 0
    elif action[0] == "command":
        # Reliable frames with an old number are duplicates: acknowledged, not complained about.
        cyclic = action[1][0] == m.GRANT
        frames = 1 if action[2] != "number" or cyclic else 0
        data = command(host, action[1], action[2])
    else:
        data, frames = forge(host, action)
    host.bench.board.received += data
    host.cycles(1)
    return frames


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_s7_no_mixture_of_bad_frames_moves_an_output(steps):
    host = ready()
    bench = host.bench
    before, complained = outputs(bench), complaints(bench)
    bad = sum(deliver(host, step) for step in steps)
    host.cycles(SETTLE_MS)
    assert outputs(bench) == before
    assert complaints(bench) - complained >= bad
    assert bench.safety.guards[0].monitor.state == m.CP_C and not bench.safety.guards[0].faults
    # The good host still has its session, and its next grant counts.
    host.grant_relays = 1
    host.grant()
    host.cycles(5)
    assert host.link.up and bench.safety.relays[0].driven


def test_a_right_frame_among_them_does_move_it():
    """The harness can see an output move: the same command, with nothing wrong about it."""
    host = ready()
    before = outputs(host.bench)
    host.send(m.SET_OUTPUTS, 1, 1)
    host.cycles(5)
    assert outputs(host.bench) != before
