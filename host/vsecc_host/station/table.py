"""All rules of the EVSE machine: what each input means in each phase. Nothing else decides on a next phase.

A row lists every phase, so a pair without a rule cannot be written; `step_for` still refuses one by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vsecc_host.station.values import Cause, Phase


class Input(Enum):
    """What the machine can see; events become one or more of these in `observe`."""

    CP_A = "car unplugged"
    CP_B = "CP to B"
    CP_LEFT = "CP from C/D to B"
    CP_CD = "CP to C/D"
    CP_BAD = "CP to E, F or unknown"
    CP_DRIVEN_F = "CP to F, as driven"
    RELAY_CLOSED = "safety relay closed"
    RELAY_OPENED = "safety relay opened"
    FAULT_LATCHED = "port fault latched"
    FAULT_RELEASED = "port fault released"
    MCU_UP = "MCU link up"
    MCU_LOST = "MCU link lost"
    CONTACTORS_CLOSED = "contactors closed"
    CONTACTORS_OPENED = "contactors opened"
    MEASURED = "power measured"
    CURRENT_LOW = "current below 1 A"
    ISOLATION_LOST = "isolation fault measured"
    TOO_HOT = "over-temperature"
    INOPERATIVE = "power inoperative"
    POWER_LOST = "power lost or refusing"
    POWER_LIMITS = "power limits told"
    OUTPUT_DEAD = "closed output below 60 V"
    OUTPUT_FREE = "open output below 60 V, operative"
    ISOLATION_OK = "cable check good"
    ISOLATION_BAD = "cable check bad"
    PILOT_WANTED = "pilot wanted for matching"
    MATCHING_FAILED = "matching failed, again soon"
    MATCHING_OVER = "matching given up"
    LINKED = "powerline link"
    MODEM = "powerline modem told"
    SESSION = "V2G session started"
    PARAMETERS = "EV parameters"
    CABLE_CHECK = "cable check asked"
    PRE_CHARGE = "pre-charge asked"
    START = "charge start asked"
    GO_ON = "charge start without cable check"
    TARGET = "charge target"
    RENEGOTIATE = "renegotiation asked"
    EV_STOP = "charge stop asked"
    WELDING = "welding detection asked"
    EV_ERROR = "EV error code"
    ENDED = "V2G session ended"
    NOT_ALLOWED = "asked without authorization"
    OUT_OF_ORDER = "asked out of order"
    VOLTAGE_BAD = "voltage cannot be supplied"
    REQUEST_BAD = "request above told limits"
    ACCEPT = "authorization accepted"
    REJECT = "authorization rejected"
    STOP = "stop asked by people"
    EMERGENCY = "emergency stop"
    NEW_TERMS = "renegotiation wished by people"
    LIMIT = "named limit changed"
    BLOCKED = "something forbids charging"
    FREE_EMPTY = "nothing forbids, no car"
    FREE_PLUGGED = "nothing forbids, car waits"
    FREE_HELD = "nothing forbids, unplug first"
    OFF = "output off and V2G over"
    T_STALE = "timer: power status stale"
    T_DEAD = "timer: power status gone"
    T_INOPERATIVE = "timer: inoperative too long"
    T_STUCK = "timer: contactors did not open"
    T_DRIVEN_F = "timer: pilot back from F"
    T_CP = "timer: CP C did not come"
    T_RELAY = "timer: relay did not close"
    T_CONTACTORS = "timer: contactors did not close"
    T_CABLE_CHECK = "timer: cable check too long"
    T_PRE_CHARGE = "timer: pre-charge too long"
    T_OVER = "timer: above limits too long"
    T_SILENCE = "timer: no charge target"
    T_RAMP = "timer: current did not fall"
    T_STOP = "timer: EV did not stop"
    T_PILOT = "timer: pilot goes off"
    T_END = "timer: V2G did not end"
    T_RESTART = "timer: pause over"


@dataclass(frozen=True, slots=True)
class Step:
    """One cell: the action (a name in `actions.ACTIONS`), the phase it leads to, the cause it records."""

    action: str
    to: Phase | None = None
    cause: Cause = Cause.NONE  # NONE in a trip: the one `observe` saw


class UnexpectedInput(LookupError):
    """A pair of phase and input without a rule: a mistake of ours, found by the table's test."""


SESSION_PHASES = (Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING, Phase.STOPPING)
ENERGY_PHASES = (Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING)


def _trip(cause: Cause = Cause.NONE) -> Step:
    return Step("trip", Phase.STOPPING, cause)


___ = Step("skip")  # means nothing in this phase
NOT = Step("note")  # its value was noted, nothing follows
PLG = Step("plug", Phase.CONNECTED)
UNP = Step("unplug", Phase.IDLE)
FPL = Step("plug_faulted")
FUN = Step("unplug_faulted")
GRT = Step("grant")
CLO = Step("close")
CLA = Step("close_again")
OPN = Step("open")
CHK = Step("check")
PAS = Step("passed")
BLK = Step("block", Phase.FAULTED)
FRE = Step("free", Phase.IDLE)
ARM = Step("arm", Phase.CONNECTED)
HLD = Step("hold", Phase.FINISHED)
GRE = Step("greet")
REB = Step("reboot", Phase.STOPPING, Cause.MCU_LINK_LOST)
REF = Step("refuse")
BEG = Step("begin", Phase.SETUP)
CAB = Step("cable", Phase.CABLE_CHECK)
PRE = Step("aim_pre_charge", Phase.PRE_CHARGE)
STA = Step("start", Phase.CHARGING)
AIM = Step("aim_charge")
EAS = Step("ease")
RET = Step("aim_again")
REN = Step("renegotiate", Phase.SETUP)
TRM = Step("wish_terms")
RMP = Step("ramp", Phase.STOPPING)
BRK = Step("break_off", Phase.STOPPING)
END = Step("note_end")
CON = Step("conclude", Phase.FINISHED)
FIN = Step("finish", Phase.FINISHED)
GIV = Step("give_up")
ASK = Step("ask_stop")
HRD = Step("stop_hard", Phase.STOPPING)
STK = Step("stuck")
DIS = Step("dismiss", Phase.FINISHED)
KEE = Step("keep_out")
WAK = Step("wake")
PIL = Step("pilot_off")
MAT = Step("match_pilot")
ROU = Step("error_pilot")
MFA = Step("matching_failed")
MOV = Step("matching_over", Phase.FINISHED)
LNK = Step("linked")
T_C = _trip(Cause.CP_LEFT_C)
T_F = _trip(Cause.PORT_FAULT)
T_M = _trip(Cause.MCU_LINK_LOST)
T_I = _trip(Cause.ISOLATION_FAULT)
T_H = _trip(Cause.OVER_TEMPERATURE)
T_P = _trip(Cause.POWER_INOPERATIVE)
T_O = _trip(Cause.EV_PROTOCOL_ERROR)
T_V = _trip(Cause.VOLTAGE_NOT_SUPPORTED)
T_L = _trip(Cause.LIMITS_EXCEEDED)
T_A = _trip(Cause.NOT_AUTHORIZED)
T_E = _trip(Cause.EMERGENCY_INPUT)
T_S = _trip(Cause.POWER_STALE)
T_N = _trip(Cause.CP_NOT_C)
T_R = _trip(Cause.RELAY_NOT_CLOSED)
T_K = _trip(Cause.POWER_REFUSED)
T_T = _trip(Cause.CABLE_CHECK_TIMEOUT)
T_U = _trip(Cause.PRE_CHARGE_TIMEOUT)
T_X = _trip()

I = Input  # noqa: E741 - one letter keeps the table readable
# fmt: off
_ROWS: dict[Input, tuple[Step, Step, Step, Step, Step, Step, Step, Step, Step]] = {
    #                    IDLE CONN SETUP CABL PREC CHAR STOP FINI FAUL
    I.CP_A:              (NOT, UNP, UNP, UNP, UNP, UNP, UNP, UNP, FUN),
    I.CP_B:              (PLG, NOT, NOT, NOT, NOT, NOT, NOT, NOT, FPL),
    I.CP_LEFT:           (PLG, NOT, OPN, T_C, T_C, T_C, OPN, NOT, NOT),
    I.CP_CD:             (PLG, NOT, NOT, GRT, NOT, NOT, NOT, WAK, FPL),
    I.CP_BAD:            (NOT, NOT, T_F, T_C, T_C, T_C, OPN, NOT, NOT),
    I.CP_DRIVEN_F:       (NOT, NOT, T_F, T_C, T_C, T_C, OPN, NOT, NOT),
    I.RELAY_CLOSED:      (NOT, NOT, NOT, CLO, NOT, NOT, NOT, NOT, NOT),
    I.RELAY_OPENED:      (NOT, NOT, OPN, T_X, T_X, T_X, OPN, NOT, NOT),
    I.FAULT_LATCHED:     (NOT, NOT, T_F, T_F, T_F, T_F, OPN, NOT, NOT),
    I.FAULT_RELEASED:    (NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT),
    I.MCU_UP:            (GRE, GRE, REB, REB, REB, REB, GRE, GRE, GRE),
    I.MCU_LOST:          (NOT, NOT, T_X, T_X, T_X, T_X, OPN, NOT, NOT),
    I.CONTACTORS_CLOSED: (NOT, NOT, NOT, CHK, NOT, NOT, NOT, NOT, NOT),
    I.CONTACTORS_OPENED: (NOT, NOT, OPN, T_P, T_P, T_P, OPN, NOT, NOT),
    I.MEASURED:          (NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT),
    I.CURRENT_LOW:       (___, ___, ___, ___, ___, ___, OPN, ___, ___),
    I.ISOLATION_LOST:    (___, ___, T_I, ___, T_I, T_I, NOT, ___, ___),
    I.TOO_HOT:           (NOT, NOT, T_H, T_H, T_H, T_H, NOT, NOT, NOT),
    I.INOPERATIVE:       (NOT, NOT, OPN, T_P, T_P, T_P, NOT, NOT, NOT),
    I.POWER_LOST:        (NOT, NOT, T_X, T_X, T_X, T_X, NOT, NOT, NOT),
    I.POWER_LIMITS:      (NOT, NOT, NOT, NOT, NOT, RET, NOT, NOT, NOT),
    I.OUTPUT_DEAD:       (___, ___, ___, CHK, ___, ___, ___, ___, ___),
    I.OUTPUT_FREE:       (___, ___, ___, CLA, ___, ___, ___, ___, ___),
    I.ISOLATION_OK:      (___, ___, ___, PAS, ___, ___, ___, ___, ___),
    I.ISOLATION_BAD:     (___, ___, ___, T_I, ___, ___, ___, ___, ___),
    I.PILOT_WANTED:      (___, MAT, ___, ___, ___, ___, ___, ROU, ___),
    I.MATCHING_FAILED:   (___, MFA, ___, ___, ___, ___, ___, ___, ___),
    I.MATCHING_OVER:     (___, MOV, ___, ___, ___, ___, ___, ___, ___),
    I.LINKED:            (___, LNK, ___, ___, ___, ___, ___, ___, ___),
    I.MODEM:             (NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT),
    I.SESSION:           (REF, BEG, BEG, T_O, T_O, T_O, ___, REF, REF),
    I.PARAMETERS:        (___, ___, NOT, NOT, NOT, NOT, NOT, ___, ___),
    I.CABLE_CHECK:       (___, ___, CAB, NOT, ___, ___, ___, ___, ___),
    I.PRE_CHARGE:        (___, ___, ___, PRE, PRE, ___, ___, ___, ___),
    I.START:             (___, ___, ___, ___, STA, NOT, ___, ___, ___),
    I.GO_ON:             (___, ___, STA, ___, ___, ___, ___, ___, ___),
    I.TARGET:            (___, ___, ___, ___, ___, AIM, ___, ___, ___),
    I.RENEGOTIATE:       (___, ___, NOT, T_O, T_O, REN, ___, ___, ___),
    I.EV_STOP:           (___, ___, OPN, RMP, RMP, RMP, NOT, ___, ___),
    I.WELDING:           (___, ___, ___, ___, ___, ___, NOT, ___, ___),
    I.EV_ERROR:          (___, ___, NOT, NOT, NOT, NOT, NOT, ___, ___),
    I.ENDED:             (___, NOT, CON, BRK, BRK, BRK, END, ___, ___),
    I.NOT_ALLOWED:       (___, ___, T_A, T_A, T_A, T_A, ___, ___, ___),
    I.OUT_OF_ORDER:      (___, ___, T_O, T_O, T_O, T_O, ___, ___, ___),
    I.VOLTAGE_BAD:       (___, ___, T_V, T_V, T_V, T_V, ___, ___, ___),
    I.REQUEST_BAD:       (___, ___, ___, ___, T_L, T_L, ___, ___, ___),
    I.ACCEPT:            (___, NOT, NOT, NOT, NOT, NOT, ___, WAK, ___),
    I.REJECT:            (___, NOT, NOT, ASK, ASK, ASK, ___, ___, ___),
    I.STOP:              (___, DIS, ASK, ASK, ASK, ASK, NOT, KEE, ___),
    I.EMERGENCY:         (___, DIS, T_E, T_E, T_E, T_E, OPN, KEE, ___),
    I.NEW_TERMS:         (___, ___, ___, ___, ___, TRM, ___, ___, ___),
    I.LIMIT:             (NOT, NOT, NOT, NOT, NOT, RET, NOT, NOT, NOT),
    I.BLOCKED:           (BLK, BLK, T_X, T_X, T_X, T_X, ___, BLK, NOT),
    I.FREE_EMPTY:        (___, ___, ___, ___, ___, ___, ___, ___, FRE),
    I.FREE_PLUGGED:      (___, ___, ___, ___, ___, ___, ___, ___, ARM),
    I.FREE_HELD:         (___, ___, ___, ___, ___, ___, ___, ___, HLD),
    I.OFF:               (___, ___, ___, ___, ___, ___, FIN, ___, ___),
    I.T_STALE:           (___, ___, T_S, T_S, T_S, T_S, OPN, ___, ___),
    I.T_DEAD:            (NOT, NOT, T_S, T_S, T_S, T_S, NOT, NOT, NOT),
    I.T_INOPERATIVE:     (NOT, NOT, T_P, T_P, T_P, T_P, NOT, NOT, NOT),
    I.T_STUCK:           (STK, STK, STK, STK, STK, STK, STK, STK, STK),
    I.T_DRIVEN_F:        (NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT, NOT),
    I.T_CP:              (___, ___, ___, T_N, ___, ___, ___, ___, ___),
    I.T_RELAY:           (___, ___, ___, T_R, ___, ___, ___, ___, ___),
    I.T_CONTACTORS:      (___, ___, ___, T_K, ___, ___, ___, ___, ___),
    I.T_CABLE_CHECK:     (___, ___, ___, T_T, ___, ___, ___, ___, ___),
    I.T_PRE_CHARGE:      (___, ___, ___, ___, T_U, ___, ___, ___, ___),
    I.T_OVER:            (___, ___, T_L, ___, T_L, T_L, ___, ___, ___),
    I.T_SILENCE:         (___, ___, ___, ___, ___, EAS, ___, ___, ___),
    I.T_RAMP:            (___, ___, ___, ___, ___, ___, OPN, ___, ___),
    I.T_STOP:            (___, ___, HRD, HRD, HRD, HRD, ___, ___, ___),
    I.T_PILOT:           (___, ___, ___, ___, ___, ___, PIL, PIL, ___),
    I.T_END:             (___, ___, ___, ___, ___, ___, GIV, ___, ___),
    I.T_RESTART:         (___, ___, ___, ___, ___, ___, ___, ARM, ___),
}
# fmt: on

PHASES = tuple(Phase)
TABLE: dict[tuple[Phase, Input], Step] = {
    (phase, seen): step for seen, row in _ROWS.items() for phase, step in zip(PHASES, row, strict=True)
}

# Facts of the plant: every phase must say what each of them means (checked by the test of this table).
PHYSICAL = tuple(Input)[: tuple(Input).index(Input.POWER_LIMITS)]

# In which phases a timer makes sense; entering any other phase drops it. Timers not named live everywhere.
TIMER_PHASES: dict[Input, tuple[Phase, ...]] = {
    Input.T_CP: (Phase.CABLE_CHECK,),
    Input.T_RELAY: (Phase.CABLE_CHECK,),
    Input.T_CONTACTORS: (Phase.CABLE_CHECK,),
    Input.T_CABLE_CHECK: (Phase.CABLE_CHECK,),
    Input.T_PRE_CHARGE: (Phase.PRE_CHARGE,),
    Input.T_OVER: (Phase.SETUP, Phase.PRE_CHARGE, Phase.CHARGING),
    Input.T_SILENCE: (Phase.CHARGING,),
    Input.T_STOP: (Phase.SETUP, *ENERGY_PHASES),
    Input.T_RAMP: (Phase.STOPPING,),
    Input.T_END: (Phase.STOPPING,),
    Input.T_PILOT: (Phase.STOPPING, Phase.FINISHED),
    Input.T_RESTART: (Phase.FINISHED,),
}


def step_for(phase: Phase, seen: Input) -> Step:
    """The rule for this input in this phase; raises UnexpectedInput when the table has none."""
    try:
        return TABLE[phase, seen]
    except KeyError:
        raise UnexpectedInput(f"{phase.value}: {seen.value}") from None
