"""Figures of a growing series in bounded memory."""

from __future__ import annotations

import math
from collections import deque

# Newest samples kept for median and percentiles; count, mean and extremes are of all.
KEPT = 4096


class Series:
    """Count, mean, deviation and extremes of all samples, percentiles of the newest ones."""

    def __init__(self) -> None:
        self.count = 0
        self.min = math.inf
        self.max = -math.inf
        self._mean = 0.0
        self._squares = 0.0
        self._newest: deque[float] = deque(maxlen=KEPT)

    def add(self, value: float) -> None:
        """One more sample (Welford's update)."""
        self.count += 1
        self.min, self.max = min(self.min, value), max(self.max, value)
        step = value - self._mean
        self._mean += step / self.count
        self._squares += step * (value - self._mean)
        self._newest.append(value)

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def mean(self) -> float:
        """Of all samples."""
        return self._mean

    @property
    def deviation(self) -> float:
        """Standard deviation of all samples."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """Of the newest samples, nearest rank."""
        ordered = sorted(self._newest)
        return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]

    def milliseconds(self) -> dict[str, float]:
        """The figures of a series of seconds, in ms."""
        if not self.count:
            return {}
        figures = {
            "min": self.min,
            "mean": self.mean,
            "p50": self.percentile(50),
            "p99": self.percentile(99),
            "max": self.max,
            "deviation": self.deviation,
        }
        return {"count": self.count, **{name: round(value * 1000, 3) for name, value in figures.items()}}
