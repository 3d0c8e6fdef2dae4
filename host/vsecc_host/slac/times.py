"""Timers, counters and limits of SLAC; names and values of ISO 15118-3 Table A.1 where it has them."""

from __future__ import annotations

# --- one session -------------------------------------------------------------------------------------------
MATCH_RESPONSE_S = 0.2  # TT_match_response: then CM_ATTEN_CHAR.IND again
MATCH_RETRIES = 2  # C_EV_match_retry: three sends in all
MATCH_SEQUENCE_S = 0.4  # TT_match_sequence: the peer's next request
MATCH_SESSION_S = 10.0  # TT_EVSE_match_session: end of sounding until CM_VALIDATE.REQ or CM_SLAC_MATCH.REQ
SOUND_WINDOW_S = 0.6  # TT_EVSE_match_MNBC, from the first CM_START_ATTEN_CHAR.IND
SOUND_WINDOW_MAX_S = 1.0  # a car may name more; TT_EV_atten_results (1.2 s) is the end of its patience
STRAGGLERS_S = 0.045  # profiles may lag behind their sound; inside TP_EVSE_avg_atten_calc (100 ms)
TOGGLE_UNIT_S = 0.1  # CM_VALIDATE.REQ timer
TOGGLE_WINDOW_MAX_S = 3.5  # TT_EVSE_vald_toggle

# --- one port ----------------------------------------------------------------------------------------------
MAX_SESSIONS = 16  # C_EVSE_match_parallel is 5; the rest is room for retries, and the bound against flooding
MAX_SESSIONS_PER_EV = 2  # a car and its retry: one car cannot use up the others' places
MATCH_JOIN_S = 12.0  # TT_match_join: CM_SLAC_MATCH.CNF until link
RESUME_S = 6.0  # T_conn_resume: wake-up until communication
LEAVE_S = 1.0  # TP_match_leave: X1 before E/F, meanwhile the network is left
PARTING_S = 0.8  # inside it: the last V2G answer still has to cross the network that is left
STEP_EF_S = 4.0  # T_step_EF
STEP_X1_S = 0.75  # X1 between E/F and 5 %
INIT_HLC_S = 0.2  # T_conn_init_HLC: state B after C, D, E or F before the invitation
DIGITAL_DUTY_PERMILLE = 50  # 5 %: digital communication required
DIGITAL_DUTY_RANGE = range(30, 71)  # what a car reads as 5 %

# --- the modem ---------------------------------------------------------------------------------------------
SET_KEY_ANSWER_S = 1.0
SET_KEY_PAUSE_S = 0.5  # a refusal comes when the key follows a match too quickly
SET_KEY_REFUSALS = 10
SET_KEY_SILENCES = 3  # then the modem is dead
KEY_IN_FORCE_S = 6.0  # an AR7420 restarts for about 5 s with a new key
DEAD_PAUSE_S = 2.0  # between tries with a dead modem
RESET_SILENCE_S = 1.0  # after VS_RS_DEV
LINK_POLL_S = (
    0.2  # an answer is judged at the next poll: D-LINK_READY 0.2..0.4 s after the link (TP 0.2..1 s)
)
LINK_POLLS_DOWN = 3  # in a row; a loss is known within 0.8 s
UNCONFIRMED_POLLS = 5  # without a network told: CM_SET_KEY.CNF alone is believed
IDLE_POLL_S = 5.0  # is the modem alive and does it still have our key
BLIND_POLLS = 5  # unanswered ones after which a modem is taken for one that cannot tell its link
