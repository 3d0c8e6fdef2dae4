"""One matching session: an EV host MAC and its run id, from CM_SLAC_PARM.REQ to CM_SLAC_MATCH.REQ.

`TABLE` says which request is heard in which state; every other is ignored, as ISO 15118-3 wants it. A session
that waits in vain fails silently.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from vsecc_host.slac import messages as m
from vsecc_host.slac import times
from vsecc_host.slac.attenuation import STAND_IN_DB, Attenuation, Averaging
from vsecc_host.slac.config import SlacConfig


class SessionState(StrEnum):
    """What the session waits for."""

    PARAMETERS = "parameters"  # CM_START_ATTEN_CHAR.IND
    SOUNDING = "sounding"  # profiles
    REPORTED = "reported"  # CM_ATTEN_CHAR.RSP
    ACCEPTED = "accepted"  # CM_VALIDATE.REQ or CM_SLAC_MATCH.REQ
    VALIDATING = "validating"  # second CM_VALIDATE.REQ
    TOGGLING = "toggling"  # B-C-B toggles
    VALIDATED = "validated"  # CM_SLAC_MATCH.REQ
    MATCHED = "matched"
    FAILED = "failed"


S = SessionState
Answer = list[m.Message]


class Session:
    """Times are monotonic s. `answer` gives None for an ignored message, else what to send to the EV."""

    def __init__(self, ev_mac: bytes, run_id: bytes, config: SlacConfig) -> None:
        self.ev_mac = ev_mac
        self.run_id = run_id
        self.state = S.PARAMETERS
        self.deadline: float | None = None
        self.sounding_since = 0.0
        self.sounds_heard = 0
        self.attenuation: Attenuation | None = None
        self.failure = ""  # what it waited for in vain
        self._config = config
        self._averaging = Averaging()
        self._expected = m.SOUNDS
        self._restart_by = 0.0  # a START until then begins anew
        self._sends_left = 0
        self._match_by = 0.0
        self._toggles = 0

    @property
    def validating(self) -> bool:
        """The pilot's toggles belong to this session."""
        return self.state in (S.VALIDATING, S.TOGGLING)

    @property
    def validates(self) -> bool:
        """CM_VALIDATE.REQ is heard in this state."""
        return m.ValidateReq in TABLE[self.state]

    # --- messages -----------------------------------------------------------------------------------------

    def parameters(self, now: float) -> m.SlacParmCnf:
        """CM_SLAC_PARM.REQ, first or again. Only a START makes it a restart: it may be a late copy."""
        if self.state is S.PARAMETERS:
            self.deadline = now + times.MATCH_SEQUENCE_S
        else:
            self._restart_by = now + times.MATCH_SEQUENCE_S
        return m.SlacParmCnf(self.ev_mac, self.run_id)

    def answer(self, message: m.Message, now: float) -> Answer | None:
        """A valid message of this session's EV."""
        handler = TABLE[self.state].get(type(message))
        return handler(self, message, now) if handler is not None else None

    def profile(self, message: m.AttenProfileInd, now: float) -> Answer | None:
        """One sound as the modem heard it."""
        if self.state is not S.SOUNDING or not self._averaging.add(message.groups_db):
            return None
        unmeasured = self._averaging.unmeasured if self._config.stand_in_attenuation else 0
        if max(self._averaging.sounds, unmeasured) >= self._expected:
            return self._report(now)
        return []

    def toggled(self) -> None:
        """The pilot went B-C-B."""
        if self.state is S.TOGGLING:
            self._toggles += 1

    def matched(self) -> None:
        """CM_SLAC_MATCH.REQ answered."""
        self.state = S.MATCHED
        self.deadline = None

    def tick(self, now: float) -> Answer:
        """The deadline passed."""
        if self.deadline is None or now < self.deadline:
            return []
        handler = _TIMEOUT.get(self.state)
        if handler is not None:
            return handler(self, now)
        self._fail(now)
        return []

    # --- handlers of the table ----------------------------------------------------------------------------

    def _start(self, message: m.StartAttenCharInd, now: float) -> Answer | None:
        if self.state is not S.PARAMETERS and now >= self._restart_by:
            return None
        self.state = S.SOUNDING
        self.sounding_since = now
        self.sounds_heard = 0
        self.attenuation = None
        self._restart_by = 0.0
        self._averaging = Averaging()
        self._expected = message.num_sounds
        window_s = min(max(times.SOUND_WINDOW_S, 0.1 * message.time_out), times.SOUND_WINDOW_MAX_S)
        self.deadline = now + window_s + times.STRAGGLERS_S
        return []

    def _sound(self, message: m.MnbcSoundInd, now: float) -> Answer:
        self.sounds_heard += 1
        return []

    def _response(self, message: m.AttenCharRsp, now: float) -> Answer:
        return self._accepted()

    def _accepted(self) -> Answer:
        """The car knows our attenuation; also where a car goes back to that gives up validating."""
        self.state = S.ACCEPTED
        self.deadline = self._match_by
        return []

    def _validate(self, message: m.ValidateReq, now: float) -> Answer | None:
        """First step, or the first step again; the second one is not heard before it."""
        if message.timer or message.result != m.ValidateResult.READY:
            return None
        self.state = S.VALIDATING
        self.deadline = now + times.MATCH_SEQUENCE_S
        self._sends_left = times.MATCH_RETRIES
        return [m.ValidateCnf(0, m.ValidateResult.READY)]

    def _validate_more(self, message: m.ValidateReq, now: float) -> Answer | None:
        if message.result != m.ValidateResult.READY:
            return self._accepted()
        if message.timer == 0:
            return self._validate(message, now)
        self.state = S.TOGGLING
        self._toggles = 0
        self.deadline = now + min((message.timer + 1) * times.TOGGLE_UNIT_S, times.TOGGLE_WINDOW_MAX_S)
        return []

    def _validate_again(self, message: m.ValidateReq, now: float) -> Answer:
        if message.result != m.ValidateResult.READY:
            return self._accepted()
        return [m.ValidateCnf(self._toggles, m.ValidateResult.SUCCESS)]

    # --- deadlines ----------------------------------------------------------------------------------------

    def _report(self, now: float) -> Answer:
        """Profiles are in or their time is over; nothing heard: the EV tries again on its own."""
        stand_in_db = STAND_IN_DB if self._config.stand_in_attenuation else b""
        self.attenuation = self._averaging.result(self._config.attenuation_offset_db, stand_in_db)
        if self.attenuation is None:
            self._fail(now)
            return []
        self.state = S.REPORTED
        self._sends_left = times.MATCH_RETRIES
        self._match_by = now + times.MATCH_SESSION_S
        self.deadline = now + times.MATCH_RESPONSE_S
        return [self._characteristics()]

    def _report_again(self, now: float) -> Answer:
        if not self._sends_left:
            self._fail(now)
            return []
        self._sends_left -= 1
        self.deadline = now + times.MATCH_RESPONSE_S
        return [self._characteristics()]

    def _confirm_again(self, now: float) -> Answer:
        if not self._sends_left:
            self._fail(now)
            return []
        self._sends_left -= 1
        self.deadline = now + times.MATCH_SEQUENCE_S
        return [m.ValidateCnf(0, m.ValidateResult.READY)]

    def _count(self, now: float) -> Answer:
        self.state = S.VALIDATED
        self.deadline = now + times.MATCH_SEQUENCE_S
        return [m.ValidateCnf(self._toggles, m.ValidateResult.SUCCESS)]

    def _fail(self, now: float) -> None:
        """Waited in vain; a car that asked to start over keeps its time for the START."""
        if now < self._restart_by:
            self.state, self.deadline = S.PARAMETERS, self._restart_by
            return
        self.failure = _MISSING.get(self.state, "")
        self.state = S.FAILED
        self.deadline = None

    def _characteristics(self) -> m.AttenCharInd:
        assert self.attenuation is not None, "reported only with an attenuation"
        return m.AttenCharInd(
            self.ev_mac, self.run_id, self.attenuation.num_sounds, bytes(self.attenuation.groups_db)
        )

    def _match(self, message: m.SlacMatchReq, now: float) -> Answer:
        """Heard in this state; the port answers it, for it holds the key."""
        return []


Handler = Callable[[Session, Any, float], Answer | None]

_START: dict[type[Any], Handler] = {m.StartAttenCharInd: Session._start, m.MnbcSoundInd: Session._sound}
_MATCH: dict[type[Any], Handler] = {**_START, m.SlacMatchReq: Session._match}

TABLE: dict[SessionState, dict[type[Any], Handler]] = {
    S.PARAMETERS: {m.StartAttenCharInd: Session._start},
    S.SOUNDING: _START,
    # A MATCH.REQ before any RSP: the RSP was lost, the choice is made.
    S.REPORTED: {**_MATCH, m.AttenCharRsp: Session._response},
    S.ACCEPTED: {**_MATCH, m.ValidateReq: Session._validate},
    S.VALIDATING: {**_MATCH, m.ValidateReq: Session._validate_more},
    S.TOGGLING: _START,
    S.VALIDATED: {**_MATCH, m.ValidateReq: Session._validate_again},
    S.MATCHED: {m.SlacMatchReq: Session._match},
    S.FAILED: {},
}

_MISSING: dict[SessionState, str] = {
    S.PARAMETERS: "no CM_START_ATTEN_CHAR.IND",
    S.SOUNDING: "no sound was measured",
    S.REPORTED: "no CM_ATTEN_CHAR.RSP",
    S.ACCEPTED: "no CM_SLAC_MATCH.REQ: the car may have chosen another outlet",
    S.VALIDATING: "no second CM_VALIDATE.REQ",
    S.VALIDATED: "no CM_SLAC_MATCH.REQ after the validation",
}

_TIMEOUT: dict[SessionState, Callable[[Session, float], Answer]] = {
    S.SOUNDING: Session._report,
    S.REPORTED: Session._report_again,
    S.VALIDATING: Session._confirm_again,
    S.TOGGLING: Session._count,
}
