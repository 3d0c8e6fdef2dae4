"""Electrics of control pilot and proximity contact, IEC 61851-1 Annex A: pure, deterministic by seed.

Source of +-12 V behind 1 kOhm, line capacitance, and in the car a diode with 2.74 kOhm (B), 1.3 kOhm more in
parallel (C) or 270 Ohm more in parallel (D). Voltages in mV, times in us, resistances in ohm.
"""

from __future__ import annotations

import math

SOURCE_MV = 12000
SOURCE_OHM = 1000.0
DIODE_MV = 700
PERIOD_US = 1000
# Generator 300..1600 pF plus a cable of up to 1500 pF.
CAPACITANCE_PF = 1300.0
SHORT_OHM = 5.0

B_OHM = 2740.0
C_OHM = 1 / (1 / B_OHM + 1 / 1300.0)
D_OHM = 1 / (1 / B_OHM + 1 / 270.0)
STATE_OHM = {"A": None, "B": B_OHM, "C": C_OHM, "D": D_OHM}

STUCK_POSITIVE = "stuck_positive"
STUCK_NEGATIVE = "stuck_negative"
SHORT = "short"
DIODE = "diode"
OPEN = "open"
LINE_FAULTS = (SHORT, DIODE, OPEN, STUCK_POSITIVE, STUCK_NEGATIVE)

# Type 2 plug on a fixed cable; the inlet side of the network as in a type 1 car, which our PP input copies.
PLUG_OHM = 1500.0
PP_SUPPLY_MV = 5000
PP_PULL_UP_OHM = 330.0
PP_PULL_DOWN_OHM = 2700.0

_MASK = 0xFFFFFFFF


class PilotLine:
    """One pilot line: what the car does to it, its faults, and the voltage anywhere in the pilot period."""

    def __init__(
        self, *, seed: int = 0, noise_mv: float = 0.0, capacitance_pf: float = CAPACITANCE_PF
    ) -> None:
        """An unplugged line; `noise_mv` is the standard deviation of the measurement noise."""
        self.seed = seed
        self.noise_mv = noise_mv
        self.capacitance_pf = capacitance_pf
        self.source_mv = SOURCE_MV
        self.source_ohm = SOURCE_OHM
        self.resistance_ohm: float | None = None
        self.faults: set[str] = set()

    def set_state(self, state: str) -> None:
        """A (unplugged), B, C or D, with the standard's resistors."""
        if state not in STATE_OHM:
            raise ValueError(f"EV state {state!r}: not one of {', '.join(STATE_OHM)}")
        self.resistance_ohm = STATE_OHM[state]

    def set_fault(self, fault: str, active: bool) -> None:
        """Switches one of LINE_FAULTS on or off."""
        if fault not in LINE_FAULTS:
            raise ValueError(f"pilot fault {fault!r}: not one of {', '.join(LINE_FAULTS)}")
        (self.faults.add if active else self.faults.discard)(fault)

    def plateau_mv(self, positive: bool) -> float:
        """The settled voltage while the source is at its positive or negative level."""
        if STUCK_POSITIVE in self.faults:
            return float(self.source_mv)
        if STUCK_NEGATIVE in self.faults:
            return float(-self.source_mv)
        source = float(self.source_mv if positive else -self.source_mv)
        if SHORT in self.faults:
            return source * SHORT_OHM / (SHORT_OHM + self.source_ohm)
        resistance = self._load_ohm(positive)
        if resistance is None:
            return source
        drop = 0 if DIODE in self.faults else DIODE_MV
        return source - (source - drop) * self.source_ohm / (self.source_ohm + resistance)

    def _load_ohm(self, positive: bool) -> float | None:
        """The car's resistance as the source sees it, None where its diode or an open line blocks."""
        if OPEN in self.faults or not (positive or DIODE in self.faults):
            return None
        return self.resistance_ohm

    def time_constant_us(self, positive: bool) -> float:
        """How fast the line follows an edge towards the given level."""
        load = self._load_ohm(positive)
        ohm = self.source_ohm if load is None else self.source_ohm * load / (self.source_ohm + load)
        return ohm * self.capacitance_pf * 1e-6

    def voltage_mv(self, phase_us: float, duty_permille: int, period_us: float = PERIOD_US) -> float:
        """The noiseless voltage at a time after the rising edge, the waveform being in its steady rhythm."""
        if duty_permille <= 0 or duty_permille >= 1000:
            return self.plateau_mv(duty_permille > 0)
        phase = phase_us % period_us
        high_us = period_us * duty_permille / 1000
        positive = phase < high_us
        since_us = phase if positive else phase - high_us
        target, origin = self.plateau_mv(positive), self.plateau_mv(not positive)
        # The other side had its whole plateau to settle: what is left after that is far below a millivolt.
        return target + (origin - target) * math.exp(-since_us / self.time_constant_us(positive))

    def sample_mv(
        self, at_us: float, phase_us: float, duty_permille: int, period_us: float = PERIOD_US
    ) -> int:
        """The voltage as a converter reads it: waveform plus the noise of that moment."""
        value = self.voltage_mv(phase_us, duty_permille, period_us)
        return round(value + self.noise_mv * unit_noise(self.seed, int(at_us * 8)))

    def measured_mv(self, positive: bool, at_us: int, samples: int = 1) -> int:
        """A plateau averaged over `samples` readings, noise included."""
        noise = self.noise_mv * unit_noise(self.seed, at_us * 8 + positive) / math.sqrt(max(samples, 1))
        return round(self.plateau_mv(positive) + noise)


class ProximityLine:
    """PP input: 5 V through 330 ohm with 2.7 kohm to PE, and in the plug a resistor to PE."""

    def __init__(self) -> None:
        """A plug of a fixed CCS 2 cable."""
        self.resistance_ohm: float | None = PLUG_OHM

    def voltage_mv(self) -> int:
        """The input voltage; None for the resistance is a broken wire."""
        conductance = 1 / PP_PULL_DOWN_OHM
        if self.resistance_ohm is not None:
            conductance += 1 / max(self.resistance_ohm, 0.1)
        return round(PP_SUPPLY_MV / (1 + PP_PULL_UP_OHM * conductance))


def unit_noise(seed: int, moment: int) -> float:
    """A repeatable value of about unit variance for a seed and a moment, whatever was asked before."""
    mixed = (moment * 0x9E3779B1 + seed * 0x85EBCA6B + 0x27D4EB2F) & _MASK
    total = 0
    for _ in range(3):
        mixed ^= mixed >> 15
        mixed = (mixed * 0x2C1B3C6D) & _MASK
        mixed ^= mixed >> 12
        total += mixed & 0xFFFF
    # Three uniform values summed: standard deviation 0.5 of a value's full range.
    return (total / 65536 - 1.5) * 2
