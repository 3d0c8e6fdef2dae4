"""PIO program of the relay keep-alive: a charge pump that runs only while it is fed (rule S4).

A level would survive a soft reset or a stopped state machine; an AC-coupled driver holds only while the pin
toggles.
Each word fed sets (does not add) the number of pulses still to make; without food the pin parks low.
"""
# ruff: noqa: F821
# mypy: disable-error-code="name-defined"

import rp2

FREQUENCY_HZ = 640_000  # 16 cycles a pulse: 40 kHz, so that a dropped relay waits for a short rest only
PULSE_US = 25


@rp2.asm_pio(sideset_init=rp2.PIO.OUT_LOW)
def keep_alive():
    """Input: number of pulses less one. Output: side-set pin, 50 % duty."""
    wrap_target()
    pull(block).side(0)  # parked here while starved
    mov(x, osr).side(0)
    label("pulse")
    pull(noblock).side(1)[7]  # no new word: OSR <- X, the count goes on
    mov(x, osr).side(0)[6]
    jmp(x_dec, "pulse").side(0)
    wrap()
