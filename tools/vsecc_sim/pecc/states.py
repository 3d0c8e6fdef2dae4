"""State machine of a charge point (the PEP document's proposal): what each input means in each state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from vsecc_host.pep.messages import ErrorCategory


class PeccState(StrEnum):
    """State of a charge point; the link is apart from it."""

    STANDBY = "standby"
    CABLE_CHECK = "cableCheck"
    PRE_CHARGE = "preCharge"
    CHARGE = "charge"
    POST_CHARGE = "postCharge"
    TRANSITION = "transition"  # on the way to standby: current down, contactors open, discharge
    INOPERATIVE = "inoperative"


ENERGY_STATES = (PeccState.CABLE_CHECK, PeccState.PRE_CHARGE, PeccState.CHARGE, PeccState.POST_CHARGE)


class Input(Enum):
    """What a charge point can see."""

    CONFIGURATION = "request configuration"
    CLOSE = "request contactorsStatus closed"
    OPEN = "request contactorsStatus open"
    CHECK = "request cableCheck"
    TO_PRE_CHARGE = "targetValues preCharge"
    TO_CHARGE = "targetValues charge"
    TO_POST_CHARGE = "targetValues postCharge"
    TO_STANDBY = "targetValues standby"
    RESET = "request reset"
    SECC_SILENT = "SECC silent for 5 s"
    LINK_LOST = "connection lost"
    SUPERVISION_LOST = "supervision input opened"
    FAULT = "fault of the power electronics"
    HEALED = "fault gone"
    CLEAN = "output discharged, contactors open"


@dataclass(frozen=True, slots=True)
class Step:
    """One cell: the action (a verb of the charge point), the next state, or the category of the refusal."""

    action: str = ""
    to: PeccState | None = None
    error: ErrorCategory | None = None
    details: str = ""


___ = Step()  # answered, nothing happens
CLO = Step("close", PeccState.CABLE_CHECK)
CHK = Step("check")
PRE = Step("aim", PeccState.PRE_CHARGE)
CHG = Step("aim", PeccState.CHARGE)
PST = Step("zero", PeccState.POST_CHARGE)
ZER = Step("zero")
LEV = Step("leave", PeccState.TRANSITION)  # to standby in good order
DRP = Step("drop", PeccState.TRANSITION)  # the hardware opened already
BRK = Step("break_down", PeccState.INOPERATIVE)
MEN = Step("mend", PeccState.TRANSITION)
RDY = Step("", PeccState.STANDBY)
X_I = Step(error=ErrorCategory.INOPERATIVE, details="not able to")
X_T = Step(error=ErrorCategory.INOPERATIVE, details="on the way to standby")
X_O = Step(error=ErrorCategory.GENERIC, details="contactors are open")
X_C = Step(error=ErrorCategory.GENERIC, details="no cable check at this point; reset first")

I = Input  # noqa: E741 - one letter keeps the table readable
# fmt: off
_ROWS: dict[Input, tuple[Step, Step, Step, Step, Step, Step, Step]] = {
    #                    STBY CABL PREC CHRG POST TRAN INOP
    I.CONFIGURATION:    (___, ___, ___, ___, ___, X_T, ___),
    I.CLOSE:            (CLO, ___, ___, ___, ___, X_T, X_I),
    I.OPEN:             (___, LEV, LEV, LEV, LEV, X_T, ___),
    I.CHECK:            (X_O, CHK, X_C, X_C, X_C, X_T, X_I),
    I.TO_PRE_CHARGE:    (___, PRE, PRE, ___, ___, X_T, X_I),
    I.TO_CHARGE:        (___, ___, CHG, CHG, ___, X_T, X_I),
    I.TO_POST_CHARGE:   (___, PST, PST, PST, PST, X_T, X_I),
    I.TO_STANDBY:       (___, ZER, ZER, ZER, ZER, X_T, X_I),
    I.RESET:            (___, LEV, LEV, LEV, LEV, X_T, ___),
    I.SECC_SILENT:      (___, LEV, LEV, LEV, LEV, ___, ___),
    I.LINK_LOST:        (___, LEV, LEV, LEV, LEV, ___, ___),
    I.SUPERVISION_LOST: (___, DRP, DRP, DRP, DRP, DRP, ___),
    I.FAULT:            (BRK, BRK, BRK, BRK, BRK, BRK, ___),
    I.HEALED:           (___, ___, ___, ___, ___, ___, MEN),
    I.CLEAN:            (___, ___, ___, ___, ___, RDY, ___),
}
# fmt: on

STATES = tuple(PeccState)
TABLE: dict[tuple[PeccState, Input], Step] = {
    (state, seen): step for seen, row in _ROWS.items() for state, step in zip(STATES, row, strict=True)
}
