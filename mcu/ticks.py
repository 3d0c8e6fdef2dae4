"""Microseconds that wrap at 2^30 (17.9 min), counted as the link counts its milliseconds.

Nothing else compares ticks; differences hold within 8.9 min. The arithmetic never leaves a small integer, so
it allocates nothing, near a wrap included (rule S5).
"""

from vsecc_link.ticks import add, diff

__all__ = ("add", "diff")
