"""What is wrong with the board itself: one mask of DEVICE_* bits, written by whoever supervises a part."""


class DeviceFaults:
    """Present faults that concern no port; every change is noted for the report to the host."""

    def __init__(self, changes):
        self._changes = changes
        self.mask = 0
        self.ticks = 0

    def set(self, fault, present, now):
        """One fault (DEVICE_*) is there or gone."""
        bit = 1 << fault
        self.replace(bit, bit if present else 0, now)

    def replace(self, among, mask, now):
        """All faults of the mask `among` are as in `mask`."""
        mask = self.mask & ~among | mask & among
        if mask != self.mask:
            self.mask = mask
            self.ticks = now
            self._changes.note()
