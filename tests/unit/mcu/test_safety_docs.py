"""The tables and diagrams of docs/safety.md follow from the code: each is found by running it.

`PYTHONPATH=.:protocol:tests python tests/unit/mcu/test_safety_docs.py --write` writes them anew.
"""

import sys

from unit.mcu.boards import Bench

import mcu
from mcu import self_test
from mcu.changes import Changes
from mcu.safety import BLOCKING, CONTACT_TIME_US, Contact, PortGuard, Relay
from vsecc_link import messages as m

DOCUMENT = "docs/safety.md"
INPUTS = ("device fit", "no fault latched", "CP in C/D", "PP", "CC1", "grant alive")
ALL_HOLD = (1 << len(INPUTS)) - 1


class Contacts:
    """A hal with one contact."""

    def __init__(self):
        self.contact = False

    def relay_feed(self, relay):
        pass

    def relay_drop(self, relay):
        pass

    def relay_feedback(self, relay):
        return self.contact


class Pilot:
    """Stands in for monitor and driver: neither pends anything."""

    def __init__(self):
        self.is_energy = False
        self.faults = 0
        self.state = m.CP_A
        self.mode = m.PILOT_STEADY_POSITIVE

    def set(self, mode, duty):
        return True


# ---- port guard ----


class GuardWalk:
    """A guard under inputs that are set by mask, bit 0 the first of INPUTS."""

    def __init__(self):
        self.pilot, changes = Pilot(), Changes()
        self.contacts = (Contact(((1, 1),), 0), Contact(((1, 1),), 0))
        relay = Relay(Contacts(), 2, changes)
        self.guard = PortGuard(self.pilot, self.pilot, relay, changes, self.contacts[0], (self.contacts[1],))
        self.guard.begin()

    def tick(self, mask):
        """The reason after one tick; a latched fault goes only with its bit set again, a grant likewise."""
        guard = self.guard
        self.pilot.faults = 0 if mask & 2 else 1 << m.FAULT_CP_LEVEL
        self.pilot.is_energy = mask & 4 != 0
        self.contacts[0].ok = mask & 8 != 0
        guard.cc1_ok = mask & 16 != 0
        guard.granted = mask & 32 != 0
        guard.tick(0, not mask & 1)
        return guard.relay.reason


def reason_for(mask):
    """What the first tick of a guard says when just the inputs of the mask hold."""
    return GuardWalk().tick(mask)


def guard_table():
    """One row per reason: what must hold for it, by all 64 combinations."""
    lines = ["| reason | " + " | ".join(INPUTS) + " |", "|---" * (len(INPUTS) + 1) + "|"]
    for reason in range(len(m.OPEN_NAMES)):
        masks = [mask for mask in range(ALL_HOLD + 1) if reason_for(mask) == reason]
        if not masks:
            continue
        cells = []
        for bit in range(len(INPUTS)):
            values = [mask >> bit & 1 for mask in masks]
            cells.append("any" if min(values) != max(values) else "yes" if values[0] else "**no**")
        lines.append("| " + m.OPEN_NAMES[reason] + " | " + " | ".join(cells) + " |")
    return "\n".join(lines)


LOST = ("device fault", "a fault", "CP leaves C/D", "PP lost", "CC1 lost", "grant withdrawn")
BACK = ("device fit", "CLEAR_FAULTS in A or B", "CP in C/D", "", "", "GRANT")


def guard_diagram():
    """What opens a closed relay and what the guard says when that is gone again, found by doing it."""
    lines = ["stateDiagram-v2", '    state "%s" as r%d' % (m.OPEN_NAMES[m.OPEN_NOT], m.OPEN_NOT)]
    edges = []
    for bit in range(len(INPUTS)):
        walk = GuardWalk()
        assert walk.tick(ALL_HOLD) == m.OPEN_NOT
        lost = walk.tick(ALL_HOLD & ~(1 << bit))
        line = '    state "%s" as r%d' % (m.OPEN_NAMES[lost], lost)
        if line not in lines:
            lines.append(line)
        edges.append("    r%d --> r%d: %s" % (m.OPEN_NOT, lost, LOST[bit]))
        if BACK[bit]:
            if lost == m.OPEN_FAULT:
                walk.pilot.faults = 0
                assert walk.guard.clear_faults(0) is None
            grant = 0 if bit < len(INPUTS) - 1 else 1 << bit
            back = walk.tick(ALL_HOLD >> 1 | grant)
            edges.append("    r%d --> r%d: %s" % (lost, back, BACK[bit]))
    return "\n".join(lines + edges)


# ---- relay ----

RELAY_STATES = {
    (False, False, 0): "open",
    (True, False, 0): "closing",
    (True, True, 0): "closed",
    (False, True, 0): "opening",
    (True, False, 1 << m.FAULT_RELAY_NO_CLOSE): m.FAULT_NAMES[m.FAULT_RELAY_NO_CLOSE],
    (False, True, 1 << m.FAULT_RELAY_WELDED): m.FAULT_NAMES[m.FAULT_RELAY_WELDED],
}
RELAY_EVENTS = ("decided to close", "decided to open", "contact closes", "contact opens", "time")


class RelayWalk:
    """A relay brought anywhere by a list of events."""

    def __init__(self, events):
        self.hal = Contacts()
        self.relay = Relay(self.hal, 1, Changes())
        self.now = 0
        self.mask = self.relay.supervise(0)
        for event in events:
            self.happen(event)

    def happen(self, event):
        if event < 2:
            self.relay.decide(m.OPEN_NO_GRANT if event else m.OPEN_NOT, self.now)
        elif event < 4:
            self.hal.contact = event == 2
        else:
            self.now += CONTACT_TIME_US
        self.mask = self.relay.supervise(self.now)

    def name(self):
        return RELAY_STATES[(self.relay.driven, self.relay.closed, self.mask)]


def relay_edges():
    """{(from, to): event}: breadth first over everything the code does."""
    edges = {}
    paths = {RelayWalk([]).name(): []}
    waiting = [[]]
    while waiting:
        path = waiting.pop(0)
        origin = RelayWalk(path).name()
        for event in range(len(RELAY_EVENTS)):
            target = RelayWalk(path + [event]).name()
            if target == origin:
                continue
            label = RELAY_EVENTS[event]
            edges[(origin, target)] = "%d ms" % (CONTACT_TIME_US // 1000) if label == "time" else label
            if target not in paths:
                paths[target] = path + [event]
                waiting.append(path + [event])
    return edges


def relay_diagram():
    lines = ["stateDiagram-v2", "    [*] --> open"]
    for (origin, target), event in sorted(relay_edges().items()):
        lines.append("    %s --> %s: %s" % (origin, target, event))
    return "\n".join(lines)


# ---- boot ----


def phase_cycles():
    """[(phase, cycles it took)] of a start with every contact open."""
    bench = Bench(tested=False)
    out = []
    while not bench.safety.is_tested:
        phase = bench.control.self_test.phase
        bench.cycles(1)
        if out and out[-1][0] == phase:
            out[-1] = (phase, out[-1][1] + 1)
        else:
            out.append((phase, 1))
    return out


def boot_diagram():
    lines = [
        "stateDiagram-v2",
        '    state "boot.py: pumps, pilots, locks low" as boot',
        '    state "memory and image checked, no relay driven" as heap',
    ]
    names = []
    for phase, _ in phase_cycles():
        names.append("p%d" % phase)
        lines.append('    state "%s" as p%d' % (self_test.PHASE_NAMES[phase], phase))
    lines.append('    state "%s" as p%d' % (self_test.PHASE_NAMES[2], 2))
    lines.append('    state "X1, monitors run, REL open until CP, PP, CC1, PWM and GRANT" as run')
    lines += ["    [*] --> boot: any reset", "    boot --> heap", "    heap --> p0"]
    for index, (_, cycles) in enumerate(phase_cycles()):
        target = names[index + 1] if index + 1 < len(names) else "run"
        lines.append("    %s --> %s: %d ms" % (names[index], target, cycles))
        if target == "run":
            lines.append("    %s --> p2: a contact is closed" % names[index])
    lines.append("    p2 --> run: contacts open, %d ms at most" % self_test.CONTACT_CYCLES)
    return "\n".join(lines)


def blocking_list():
    """Names of the device faults under which nothing closes."""
    names = [name for bit, name in enumerate(m.DEVICE_FAULT_NAMES) if BLOCKING >> bit & 1]
    return "Device faults that open every relay: " + ", ".join(names) + "."


PARTS = (
    ("guard-table", guard_table, False),
    ("blocking", blocking_list, False),
    ("guard", guard_diagram, True),
    ("relay", relay_diagram, True),
    ("boot", boot_diagram, True),
)


def path():
    return mcu.__file__.replace("\\", "/").rsplit("/", 2)[0] + "/" + DOCUMENT


def test_document_shows_what_the_code_does():
    try:
        with open(path()) as stream:
            text = stream.read()
    except OSError:  # the program without its documents
        return
    for name, make, _ in PARTS:
        assert make() in text, name


def test_closed_needs_everything_and_there_is_one_way_only():
    closing = [mask for mask in range(ALL_HOLD + 1) if reason_for(mask) == m.OPEN_NOT]
    assert closing == [ALL_HOLD]


def test_no_relay_state_lies_outside_the_diagram():
    names = set()
    for pair in relay_edges():
        names.update(pair)
    assert names == set(RELAY_STATES.values())


def write():
    """Replaces what stands between the marks of each part."""
    with open(path()) as stream:
        text = stream.read()
    for name, make, is_diagram in PARTS:
        begin, end = "<!-- generated: %s -->\n" % name, "<!-- end -->"
        start = text.index(begin) + len(begin)
        body = "```mermaid\n" + make() + "\n```\n" if is_diagram else make() + "\n"
        text = text[:start] + body + text[text.index(end, start) :]
    with open(path(), "w") as stream:
        stream.write(text)


if __name__ == "__main__" and "--write" in sys.argv:  # with tests/ in PYTHONPATH
    write()
