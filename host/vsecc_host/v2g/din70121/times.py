"""Times of DIN SPEC 70121 that ISO 15118-2 has not or has otherwise, in seconds, and why."""

READY_TO_CHARGE_S = 148.0  # V2G_SECC_ReadyToCharge_Performance_Time, setup to PowerDelivery; the EV: 150

# PowerDeliveryRes is due within 1.5 s and the EV gives up after 2: leaves 0.3 s for a slow loop and the line.
POWER_SWITCH_S = 1.2
