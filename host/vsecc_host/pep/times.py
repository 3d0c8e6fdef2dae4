"""Times of PEP-WS in seconds; names of the document beside them, the others are ours."""

from __future__ import annotations

REQUEST_TIMEOUT_S = 0.5  # PEP_REQUEST_TIMEOUT, both ends
RECONNECT_INTERVAL_S = 10.0  # PEP_WS_RECONNECT_INTERVAL, SECC
STATUS_INTERVAL_S = 0.2  # PEP_STATUS_UPDATE_INTERVAL, PECC
SECC_UNRESPONSIVE_S = 5.0  # PEP_SECC_UNRESPONSIVE_TIMEOUT, PECC
CABLE_CHECK_S = 37.0  # PE_CABLE_CHECK_TIME, from the request to the result known
PRE_CHARGE_S = 4.0  # PE_PRE_CHARGE_TIME, restarts with every preCharge target

# Ours. The station itself watches: status older than 1 s in a session, contactors 5 s, cable check 37 s,
# pre-charge 6.5 s (station/state.py, station/config.py).
STATUS_WATCHDOG_S = 5.0  # without status the connection counts as dead and is opened again
VALID_BELIEVED_S = 0.4  # two statuses after the response an old "valid" cannot be meant
CLOSE_RETRY_S = 0.2  # CP/PP supervision refused; the relay may reach the power electronics a moment later
CLOSE_WINDOW_S = 2.0  # then closing has failed
RESET_AGAIN_S = 2.0  # contactors still closed, or the reset refused
CONFIGURATION_POLL_S = 2.0  # limits move without notice while a session runs
SESSION_INFO_INTERVAL_S = 0.2  # a car tells its remaining time several times a second
