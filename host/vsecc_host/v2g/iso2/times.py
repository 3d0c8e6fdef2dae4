"""Times of ISO 15118-2 that DIN SPEC 70121 has not or has otherwise, in seconds, and why."""

# PowerDeliveryRes is due within 4.5 s and the EV gives up after 5: leaves 0.5 s for a slow loop and the line.
POWER_SWITCH_S = 4.0

# A back end answers within this; later it is a person who has to act, and the EV is told so (ADR 0042).
BACK_END_DECIDES_S = 5.0
