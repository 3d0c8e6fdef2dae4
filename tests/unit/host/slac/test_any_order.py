"""Any valid frames, pilot states, requests and modem answers in any order at any time: what must hold.

`Line` is the port's surroundings and judges every frame it sends; the rules are what may happen next.
Whatever happened, the next car is matched.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from unit.host.slac.rig import MODEM, OWN, ROUNDING_S, START_S, mac, randomness

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_host.slac.config import SlacConfig
from vsecc_host.slac.events import DlinkReady, MatchStateChanged, PilotRequest, SlacMatched
from vsecc_host.slac.machine import SlacMachine
from vsecc_host.slac.session import SessionState
from vsecc_host.slac.table import MATCH_STATES, PortState
from vsecc_host.slac.times import MAX_SESSIONS, MAX_SESSIONS_PER_EV, SET_KEY_ANSWER_S
from vsecc_host.station.values import CpState, PilotMode

CARS = [mac(3, number) for number in range(1, 4)]
RUNS = [b"TESLA EV", bytes(8)]
NEXT_CAR, NEXT_RUN = mac(3, 200), b"next car"
PAUSES_S = [0.0, 0.001, 0.045, 0.1, 0.199, 0.2, 0.4, 0.645, 0.8, 1.0, 3.5, 4.0, 6.0, 10.0, 12.0, 40.0]
MAX_ROUNDS = 50  # of question and answer in one moment
MAX_REASONS = 16

# States that wait for something: there must be a moment at which they stop waiting.
AWAITING = set(PortState) - {
    PortState.IDLE,
    PortState.WAITING,
    PortState.MATCHED,
    PortState.PAUSED,
    PortState.LOST,
    PortState.HELD,
}
ANSWERING = {PortState.LISTENING, PortState.MATCHING, PortState.JOINING}

# Mostly one car, so that what it says meets its own session.
cars = st.sampled_from([CARS[0], CARS[0], *CARS])
runs = st.sampled_from([RUNS[0], *RUNS])


class Act(Enum):
    """What a car may say or let pass."""

    PARAMETERS = auto()
    START = auto()
    LONG_START = auto()
    BEGUN = auto()
    SOUND = auto()
    UNMEASURED = auto()
    MEASURED = auto()
    RESPONSE = auto()
    VALIDATE = auto()
    VALIDATE_MORE = auto()
    VALIDATE_FAILED = auto()
    CHOOSE = auto()
    CHOOSE_ANOTHER = auto()
    AMPLITUDES = auto()
    MOMENT = auto()
    WINDOW = auto()


class Line(RuleBasedStateMachine):
    """One port, its modem, three cars that say what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START_S
        self.connected = True
        self.modem_well = True
        self.joined = False  # a car's modem is in our network
        self.key_in_modem = m.SetKeyReq(bytes(7), bytes(16))
        self.taken: set[bytes] = set()  # keys the modem took
        self.asked_at = -SET_KEY_ANSWER_S  # CM_SET_KEY.REQ still without an answer
        self.given: dict[bytes, tuple[bytes, bytes]] = {}  # network key -> the session that got it
        self.reported: set[tuple[bytes, bytes]] = set()
        self.links: list[bool] = []
        self.matches: list[SlacMatched] = []
        self.match_state = MATCH_STATES[PortState.IDLE]
        self.pilot = PilotMode.STEADY_POSITIVE

    @initialize(
        config=st.builds(
            SlacConfig,
            validation=st.booleans(),
            wake_retries=st.integers(0, 2),
            matching_runs=st.integers(3, 5),
            stand_in_attenuation=st.booleans(),
        )
    )
    def begin(self, config: SlacConfig) -> None:
        self.machine = SlacMachine(evse_id=1, config=config, randomness=randomness())
        self.machine.connected(OWN, self.now)
        self.settle()
        self.plug()

    # --- what the port does is judged ---------------------------------------------------------------------

    def settle(self) -> None:
        """Frames and events of this moment; a healthy modem answers at once."""
        for _ in range(MAX_ROUNDS):
            events, frames = self.machine.take()
            for event in events:
                self.heard(event)
            if not frames and not events:
                return
            for raw in frames:
                frame = codec.decode(raw)
                assert frame is not None and frame.source == OWN
                if frame.destination == m.LOCAL_MODEM:
                    self.to_modem(frame.message)
                else:
                    self.to_car(frame)
        raise AssertionError("port and modem never come to rest")

    def heard(self, event: Any) -> None:
        if isinstance(event, DlinkReady):
            assert event.link or self.links[-1:] == [True], "a loss is told once, and only of a link"
            self.links.append(event.link)
        elif isinstance(event, SlacMatched):
            self.matches.append(event)
        elif isinstance(event, MatchStateChanged):
            assert event.state is not self.match_state, "a change that is none"
            self.match_state = event.state
        elif isinstance(event, PilotRequest):
            self.pilot = event.mode

    def to_car(self, frame: codec.Frame) -> None:
        message = frame.message
        if isinstance(message, m.AmpMapCnf):
            assert self.machine._port.matched is not None
            assert frame.destination == self.machine._port.matched.ev_mac
            return
        port = self.machine._port
        assert port.wanted and self.connected, "answers a car nobody asked for"
        if isinstance(message, m.SlacParmCnf):
            assert port.cp.plugged, "answers a neighbour's car"
            assert message.forwarding_sta == frame.destination
        elif isinstance(message, m.AttenCharInd):
            assert message.source_address == frame.destination
            assert message.num_sounds > 0 and len(message.groups_db) == m.GROUPS
            self.reported.add((frame.destination, message.run_id))
        elif isinstance(message, m.SlacMatchCnf):
            self.key_given(frame.destination, message)

    def key_given(self, ev: bytes, confirm: m.SlacMatchCnf) -> None:
        session = (ev, confirm.run_id)
        assert (confirm.ev_mac, confirm.evse_mac) == (ev, OWN)
        assert session in self.reported, "a match without a report of the attenuation"
        assert self.given.setdefault(confirm.nmk, session) == session, "one key for two cars"
        assert self.machine.modem.ready and confirm.nmk == self.machine.modem.key.nmk
        assert confirm.nmk in self.taken, "a key the modem never took"

    def to_modem(self, message: m.Message) -> None:
        if isinstance(message, m.SetKeyReq):
            assert self.now - self.asked_at >= SET_KEY_ANSWER_S - ROUNDING_S, "two requests at a time"
            self.asked_at = self.now
        if not (self.modem_well and self.connected):
            return
        answer: m.Message | None = None
        if isinstance(message, m.SetKeyReq):
            self.joined = self.joined and self.key_in_modem == message
            self.key_in_modem = message
            self.taken.add(message.new_key)
            answer = m.SetKeyCnf(1)
        elif isinstance(message, m.SwVerReq):
            answer = m.SwVerCnf("MAC-QCA7005")
        elif isinstance(message, m.NwInfoReq):
            answer = m.NwInfoCnf(self.network())
        elif isinstance(message, m.LinkStatusReq):
            answer = m.LinkStatusCnf(int(self.joined))
        if answer is not None:
            self.says(answer, MODEM, OWN)

    def network(self) -> m.Network:
        far = (m.NetworkStation(mac(4, 1), CARS[0]),) if self.joined else ()
        return m.Network(self.key_in_modem.nid, m.Role.COORDINATOR, far)

    # --- what may happen ----------------------------------------------------------------------------------

    def says(self, message: m.Message, source: bytes, to: bytes = m.BROADCAST) -> None:
        if not self.connected:
            return
        if isinstance(message, m.SetKeyCnf):
            self.asked_at = -SET_KEY_ANSWER_S
        if isinstance(message, m.SlacParmReq) and (source, message.run_id) not in self.machine._port.sessions:
            self.reported.discard((source, message.run_id))
        self.machine.receive(codec.encode(to, source, message), self.now)

    def car(self, message: m.Message, ev: bytes) -> None:
        self.says(message, ev)
        self.settle()
        self.check()

    @rule(ev=cars, run=runs, acts=st.lists(st.sampled_from([*Act]), min_size=1, max_size=8))
    def says_in_a_row(self, ev: bytes, run: bytes, acts: list[Act]) -> None:
        """What one car says, in its order or in none."""
        for act in acts:
            ACTS[act](self, ev, run)

    def hears(self, ev: bytes, run: bytes, profile: bytes, sounds: int = 1) -> None:
        for _ in range(sounds):
            self.car(m.MnbcSoundInd(0, run, bytes(16)), ev)
            self.says(m.AttenProfileInd(ev, profile), MODEM)
            self.settle()
        self.check()

    def begins(self, ev: bytes, run: bytes) -> None:
        """The window is open."""
        self.car(m.SlacParmReq(run), ev)
        self.car(m.StartAttenCharInd(ev, run), ev)

    def measures(self, ev: bytes, run: bytes) -> None:
        """A whole run up to the report."""
        self.begins(ev, run)
        self.hears(ev, run, bytes([30] * m.GROUPS), m.SOUNDS)

    @rule(ev=cars, run=runs, validates=st.booleans())
    def joins(self, ev: bytes, run: bytes, validates: bool = False) -> None:
        """A whole matching, and the car's modem joins."""
        self.measures(ev, run)
        self.car(m.AttenCharRsp(ev, run), ev)
        if validates:
            self.car(m.ValidateReq(0), ev)
            self.car(m.ValidateReq(5), ev)
            self.wait(0.6)
        self.car(m.SlacMatchReq(ev, OWN, run), ev)
        self.joined = self.machine.state is PortState.JOINING
        self.wait(0.4)

    @rule()
    def plug(self) -> None:
        """A car is plugged, matching wanted."""
        self.machine.cp_changed(CpState.B, 0, self.now)
        self.machine.start(self.now)
        self.settle()
        self.pilot_follows()

    @rule(many=st.integers(1, 40))
    def flood(self, many: int) -> None:
        for number in range(many):
            self.car(m.SlacParmReq(number.to_bytes(8, "big")), mac(5, number % 30))

    @rule(state=st.sampled_from([*CpState]))
    def pilot_shows(self, state: CpState) -> None:
        self.machine.cp_changed(state, 50 if self.pilot is PilotMode.PWM else 0, self.now)
        self.settle()

    @rule()
    def pilot_follows(self) -> None:
        """What was asked of the pilot is there."""
        states = {PilotMode.STEADY_NEGATIVE: CpState.F}
        self.pilot_shows(states.get(self.pilot, CpState.B))

    @rule(verb=st.sampled_from(["start", "rest", "terminate", "error", "pause"]))
    def asked_from_above(self, verb: str) -> None:
        getattr(self.machine, verb)(self.now)
        self.settle()

    @precondition(lambda self: self.connected)
    @rule()
    def interface_goes(self) -> None:
        self.connected = False
        self.asked_at = -SET_KEY_ANSWER_S
        self.machine.disconnected("gone", self.now)
        self.settle()

    @precondition(lambda self: not self.connected)
    @rule()
    def interface_comes(self) -> None:
        self.connected = True
        self.machine.connected(OWN, self.now)
        self.settle()

    @rule(well=st.booleans())
    def modem(self, well: bool) -> None:
        self.modem_well = well

    @rule(result=st.sampled_from([0, 1, 0x0F]))
    def modem_confirms(self, result: int) -> None:
        """Unasked, late or refusing."""
        self.taken.add(self.machine.modem._asked.nmk)
        self.says(m.SetKeyCnf(result), MODEM, OWN)
        self.settle()

    @precondition(lambda self: self.machine.modem.mac == MODEM)
    @rule(ev=cars, stations=st.booleans())
    def stranger_plays_modem(self, ev: bytes, stations: bool) -> None:
        far = (m.NetworkStation(mac(4, 9), ev),) if stations else ()
        network = m.Network(self.machine.modem.key.nid, m.Role.COORDINATOR, far)
        before = self.machine.modem.phase, self.machine.modem.link
        for message in (m.SetKeyCnf(1), m.NwInfoCnf(network), m.LinkStatusCnf(1), m.SwVerCnf("stranger")):
            self.machine.receive(codec.encode(OWN, ev, message), self.now)
        assert before == (self.machine.modem.phase, self.machine.modem.link)
        self.settle()

    @rule(nid=st.binary(min_size=7, max_size=7))
    def modem_forgets(self, nid: bytes) -> None:
        self.key_in_modem = m.SetKeyReq(nid, bytes(16))
        self.joined = False

    @rule(joined=st.booleans())
    def link(self, joined: bool) -> None:
        self.joined = joined

    @rule(seconds=st.sampled_from(PAUSES_S))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.machine.next_deadline()) is not None and at <= end + ROUNDING_S:
            self.now = max(self.now, at)
            for _ in range(MAX_ROUNDS):
                self.machine.tick(self.now)
                self.settle()
                at = self.machine.next_deadline()
                if at is None or at > self.now:
                    break
            else:
                raise AssertionError("a deadline stays behind")
        self.now = max(end, self.now)
        self.check()

    # --- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        self.memory_is_bounded()
        self.one_car_at_most_is_matched()
        self.whoever_waits_has_a_deadline()
        self.an_outlet_without_a_car_is_idle_and_answers_only_when_wanted()

    def memory_is_bounded(self) -> None:
        sessions = self.machine.sessions
        assert len(sessions) <= MAX_SESSIONS
        assert all(sum(s.ev_mac == ev for s in sessions) <= MAX_SESSIONS_PER_EV for ev in CARS)
        assert len(self.machine.ignored) <= MAX_REASONS

    def one_car_at_most_is_matched(self) -> None:
        matched = [s for s in self.machine.sessions if s.state is SessionState.MATCHED]
        if self.machine.state in (PortState.JOINING, PortState.MATCHED):
            assert [*matched] == [self.machine._port.matched] == [*self.machine.sessions]
        elif self.machine.state in (PortState.LISTENING, PortState.MATCHING):
            assert matched == [] and self.machine._port.matched is None

    def whoever_waits_has_a_deadline(self) -> None:
        state, modem = self.machine.state, self.machine.modem
        if state in AWAITING:
            assert self.machine.next_deadline() is not None, state
        if state is PortState.MATCHING:
            assert self.machine.sessions, "matching with nobody"
        for session in self.machine.sessions:
            assert session.state is SessionState.MATCHED or session.deadline is not None, session.state
        if self.connected and not modem.ready:
            assert modem.next_deadline() is not None, "a modem nobody tries any more"
        if self.connected and state is PortState.WAITING and modem.ready:
            assert self.machine._port.next_deadline() is not None, "waits for what is there"

    def an_outlet_without_a_car_is_idle_and_answers_only_when_wanted(self) -> None:
        port = self.machine._port
        if port.cp is CpState.A:
            assert self.machine.state is PortState.IDLE
        if self.machine.state in ANSWERING:
            assert port.wanted and self.machine.modem.ready
        assert self.match_state is MATCH_STATES[self.machine.state]

    def teardown(self) -> None:
        """Whatever happened: unplugged, with a modem that works, the port is ready for the next car."""
        if not hasattr(self, "machine"):
            return
        self.modem_well = True
        if not self.connected:
            self.interface_comes()
        self.pilot_shows(CpState.A)
        self.joined = False
        self.wait(20.0)
        assert (self.machine.state, self.machine.sessions) == (PortState.IDLE, ())
        assert self.machine.modem.ready
        self.plug()
        assert self.pilot is PilotMode.PWM
        self.joins(NEXT_CAR, NEXT_RUN)
        assert self.matches[-1].ev_mac == NEXT_CAR.hex().upper()
        assert self.machine.state is PortState.MATCHED
        assert self.links[-1]


ACTS: dict[Act, Callable[[Line, bytes, bytes], None]] = {
    Act.PARAMETERS: lambda line, ev, run: line.car(m.SlacParmReq(run), ev),
    Act.START: lambda line, ev, run: line.car(m.StartAttenCharInd(ev, run), ev),
    Act.LONG_START: lambda line, ev, run: line.car(m.StartAttenCharInd(ev, run, 255, 255), ev),
    Act.BEGUN: Line.begins,
    Act.SOUND: lambda line, ev, run: line.hears(ev, run, b"\xff" * m.GROUPS),
    Act.UNMEASURED: lambda line, ev, run: line.hears(ev, run, b""),
    Act.MEASURED: Line.measures,
    Act.RESPONSE: lambda line, ev, run: line.car(m.AttenCharRsp(ev, run), ev),
    Act.VALIDATE: lambda line, ev, run: line.car(m.ValidateReq(0), ev),
    Act.VALIDATE_MORE: lambda line, ev, run: line.car(m.ValidateReq(5), ev),
    Act.VALIDATE_FAILED: lambda line, ev, run: line.car(m.ValidateReq(5, m.ValidateResult.FAILURE), ev),
    Act.CHOOSE: lambda line, ev, run: line.car(m.SlacMatchReq(ev, OWN, run), ev),
    Act.CHOOSE_ANOTHER: lambda line, ev, run: line.car(m.SlacMatchReq(ev, mac(1, 9), run), ev),
    Act.AMPLITUDES: lambda line, ev, run: line.car(m.AmpMapReq(2, b"\x11"), ev),
    Act.MOMENT: lambda line, ev, run: line.wait(0.2),
    Act.WINDOW: lambda line, ev, run: line.wait(0.645),
}

TestLine = Line.TestCase
TestLine.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
