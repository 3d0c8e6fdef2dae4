"""The nine PT1000 inputs as resistances; degrees are the host's business."""

from array import array

SENSORS = 9
# A PT1000 has 803 ohm at -50 and 2474 ohm at 400 degrees.
SHORT_MOHM = 400_000
OPEN_MOHM = 4_000_000


class Temperatures:
    """Newest resistance of each input, and which are open, short or valid (bit 0 = input 1)."""

    def __init__(self):
        self.resistance_mohm = array("i", [0] * SENSORS)
        self.open = 0
        self.short = 0
        self.valid = 0

    def feed(self, sensor, mohm):
        """One new reading of input `sensor`, counted from 1."""
        bit = 1 << sensor - 1
        self.resistance_mohm[sensor - 1] = mohm
        self.open = self.open | bit if mohm >= OPEN_MOHM else self.open & ~bit
        self.short = self.short | bit if mohm <= SHORT_MOHM else self.short & ~bit
        self.valid = self.valid & ~bit if (self.open | self.short) & bit else self.valid | bit

    def lose(self):
        """The converter is dead: nothing is known."""
        self.open = self.short = self.valid = 0
