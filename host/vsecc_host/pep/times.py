"""Times of PEP-WS in seconds; names of the document beside them, the others are ours."""

from __future__ import annotations

REQUEST_TIMEOUT_S = 0.5  # PEP_REQUEST_TIMEOUT, both ends
RECONNECT_INTERVAL_S = 10.0  # PEP_WS_RECONNECT_INTERVAL, SECC
STATUS_INTERVAL_S = 0.2  # PEP_STATUS_UPDATE_INTERVAL, PECC
SECC_UNRESPONSIVE_S = 5.0  # PEP_SECC_UNRESPONSIVE_TIMEOUT, PECC
CABLE_CHECK_S = 37.0  # PE_CABLE_CHECK_TIME, from the request to the result known
PRE_CHARGE_S = 4.0  # PE_PRE_CHARGE_TIME, restarts with every preCharge target

STATUS_WATCHDOG_ENERGISED_S = 1.0  # five statuses missed: the session ends (S9)
STATUS_WATCHDOG_IDLE_S = 5.0  # then the connection counts as dead and is opened again
CONTACTORS_WATCHDOG_S = 5.0  # of the 40 s the EV gives the cable check
CABLE_CHECK_WATCHDOG_S = 37.5  # PE_CABLE_CHECK_TIME, two statuses and a reply
STANDBY_WATCHDOG_S = 10.0  # a transition to standby that lasts longer is a fault
VALID_BELIEVED_S = 0.4  # two statuses after the response an old "valid" cannot be meant
CONFIGURATION_POLL_S = 2.0  # limits move without notice while a session runs
