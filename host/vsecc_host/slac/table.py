"""All rules of one port's matching: what each input means in each state. Nothing else decides on a state.

A row lists every state, so a pair without a rule cannot be written. What a state does when it is entered
stands in port.py, one function per state.
"""

from __future__ import annotations

from enum import Enum, StrEnum

from vsecc_host.slac.events import MatchState


class PortState(StrEnum):
    """State of one port."""

    IDLE = "idle"  # no car, or nobody wants matching
    WAITING = "waiting"  # for the modem
    LISTENING = "listening"  # 5 %, no session yet
    MATCHING = "matching"  # at least one session
    JOINING = "joining"  # CM_SLAC_MATCH.CNF sent
    MATCHED = "matched"  # link
    PAUSED = "paused"  # X1, key kept
    RESUMING = "resuming"  # 5 % again, link awaited
    LOST = "lost"  # the layer above decides
    LEAVING = "leaving"  # X1 before E/F
    STEP_EF = "step_ef"
    STEP_X1 = "step_x1"  # X1 after E/F
    HELD = "held"  # until the cable was out


class PortInput(Enum):
    """What a port can see."""

    UNPLUGGED = "CP to A"
    CP_FAULT = "CP to E or F"
    START = "matching wanted"
    REST = "matching not wanted"
    TERMINATE = "D-LINK_TERMINATE"
    ERROR = "D-LINK_ERROR"
    PAUSE = "D-LINK_PAUSE"
    MODEM_READY = "modem ready"
    MODEM_LOST = "modem not ready"
    SESSION = "CM_SLAC_PARM.REQ"
    SESSIONS_OVER = "all sessions failed"
    MATCH = "CM_SLAC_MATCH.REQ"
    LINK_UP = "link up"
    LINK_DOWN = "link down"
    T_INIT = "timer: no SLAC"
    T_INIT_LAST = "timer: no SLAC, tries used up"
    T_JOIN = "timer: no link"
    T_JOIN_LAST = "timer: no link, runs used up"
    T_STEP = "timer: pilot step"
    T_STEP_EMPTY = "timer: pilot step, nobody waits"


P, I = PortState, PortInput  # noqa: E741 - the table reads like the figure in docs/slac.md

_UNMATCHED = (P.IDLE, P.WAITING, P.LISTENING, P.MATCHING)
_LINKED = (P.JOINING, P.MATCHED, P.PAUSED, P.RESUMING, P.LOST)
STEPS = (P.LEAVING, P.STEP_EF, P.STEP_X1)  # the pilot follows a routine of ours


def _to(target: PortState, *states: PortState) -> dict[PortState, PortState]:
    return dict.fromkeys(states, target)


# Input -> {state: next}. A state that is not named stays as it is.
_MOVES: dict[PortInput, dict[PortState, PortState]] = {
    # During E/F nobody sees the cable leave; the step looks when it is over.
    I.UNPLUGGED: _to(P.IDLE, *P),
    I.CP_FAULT: _to(P.IDLE, *_UNMATCHED, *_LINKED, P.HELD),
    # The cable stayed in: only state E or F lets the car match again.
    I.START: {P.IDLE: P.WAITING, P.PAUSED: P.RESUMING, P.LOST: P.LEAVING, P.HELD: P.LEAVING},
    # A port that nobody asked to listen answers no CM_SLAC_PARM.REQ: it would be somebody else's car.
    I.REST: {
        **_to(P.IDLE, P.WAITING, P.LISTENING, P.MATCHING),
        **_to(P.HELD, P.JOINING, P.MATCHED, P.RESUMING, P.LOST),
    },
    I.TERMINATE: _to(P.HELD, P.WAITING, P.LISTENING, P.MATCHING, *_LINKED, *STEPS),
    I.ERROR: _to(P.LEAVING, P.WAITING, P.LISTENING, P.MATCHING, *_LINKED, P.HELD),
    I.PAUSE: _to(P.PAUSED, P.MATCHED, P.RESUMING),
    I.MODEM_READY: {P.WAITING: P.LISTENING},
    I.MODEM_LOST: {
        **_to(P.WAITING, P.LISTENING, P.MATCHING),
        **_to(P.LEAVING, P.JOINING, P.RESUMING),
        **_to(P.LOST, P.MATCHED, P.PAUSED),
    },
    I.SESSION: {P.LISTENING: P.MATCHING},
    I.SESSIONS_OVER: {P.MATCHING: P.LISTENING},
    I.MATCH: {P.MATCHING: P.JOINING},
    I.LINK_UP: _to(P.MATCHED, P.JOINING, P.RESUMING),
    I.LINK_DOWN: {P.MATCHED: P.LOST},
    I.T_INIT: {P.LISTENING: P.STEP_EF},
    I.T_INIT_LAST: {P.LISTENING: P.HELD},
    I.T_JOIN: _to(P.LEAVING, P.JOINING, P.RESUMING),
    I.T_JOIN_LAST: _to(P.HELD, P.JOINING, P.RESUMING),
    I.T_STEP: {P.LEAVING: P.STEP_EF, P.STEP_EF: P.STEP_X1, P.STEP_X1: P.WAITING},
    I.T_STEP_EMPTY: {P.LEAVING: P.IDLE, P.STEP_X1: P.IDLE, P.STEP_EF: P.STEP_X1},
}

_FROM_ALMOST_EVERYWHERE = (I.UNPLUGGED, I.CP_FAULT, I.REST, I.TERMINATE, I.ERROR, I.T_STEP_EMPTY)

TABLE: dict[PortInput, dict[PortState, PortState]] = {
    seen: {state: moves.get(state, state) for state in P} for seen, moves in _MOVES.items()
}

MATCH_STATES: dict[PortState, MatchState] = {
    **dict.fromkeys(P, MatchState.UNMATCHED),
    P.MATCHING: MatchState.MATCHING,
    P.JOINING: MatchState.MATCHING,
    P.MATCHED: MatchState.MATCHED,
    P.PAUSED: MatchState.MATCHED,
    P.RESUMING: MatchState.MATCHED,
}


def step(state: PortState, seen: PortInput) -> PortState:
    """The next state."""
    return TABLE[seen][state]


def markdown() -> str:
    """The moves as docs/slac.md shows them."""
    lines = ["| input | from | to |", "| --- | --- | --- |"]
    for seen, moves in _MOVES.items():
        by_target: dict[PortState, list[str]] = {}
        for state, target in moves.items():
            if state is not target:
                by_target.setdefault(target, []).append(state.value)
        lines += [
            f"| {seen.value} | {', '.join(states)} | {target} |" for target, states in by_target.items()
        ]
    return "\n".join(lines) + "\n"


def mermaid() -> str:
    """The moves as a state diagram, without those that lead from almost everywhere to one state."""
    lines = ["stateDiagram-v2", "  [*] --> idle"]
    for seen, moves in _MOVES.items():
        if seen not in _FROM_ALMOST_EVERYWHERE:
            lines += [
                f"  {state.value} --> {target.value}: {seen.value.replace(':', '')}"
                for state, target in moves.items()
            ]
    return "\n".join(lines) + "\n"
