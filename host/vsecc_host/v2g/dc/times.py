"""Times of a DC session in both protocols, in seconds, and why each has its value."""

SEQUENCE_S = 60.0  # V2G_SECC_Sequence_Timeout: no request after an answer
COMMUNICATION_SETUP_S = 18.0  # V2G_SECC_CommunicationSetup_Performance_Time; the EV gives up after 20
ONGOING_S = 55.0  # V2G_SECC_Ongoing_Performance_Time of charge parameters; the EV gives up after 60
CABLE_CHECK_S = 38.0  # V2G_SECC_CableCheck_Performance_Time, first request to Finished; the EV: 40
PRE_CHARGE_S = 5.0  # V2G_SECC_PreCharge_Performance_Time, first request to the voltage; the EV: 7
CP_STATE_DETECTION_S = 1.5  # V2G_SECC_CPState_Detection_Timeout: how long an answer waits for the pilot

# Charge loop: nothing in the standard but the 60 s above bounds how long current flows to a silent car. Cars
# ask every 17..250 ms; the longest retransmission gap that still heals is about a second. See ADR 0010.
LOOP_RAMP_DOWN_S = 1.5  # the current goes to zero; a car that comes back finds its target followed again
LOOP_SILENCE_S = 10.0  # the session is over

LIMITS_SETTLE_S = 5.0  # limits must have left the told schedule for so long before we ask to renegotiate
RENEGOTIATE_EVERY_S = 60.0  # each costs the car a cable check without current; limits may flap

STOP_GRACE_S = 3.0  # beyond NotificationMaxDelay before a car that ignores it is cut off (Alpitronic: 0.1)
POWER_STALE_S = 1.0  # S9: older measurements are not reported and end the session
