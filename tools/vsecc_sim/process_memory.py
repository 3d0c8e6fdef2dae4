"""Resident memory of a process, from the kernel (Linux)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Resident memory, MiB."""

    now_mib: float
    peak_mib: float


def memory_mib(pid: int | str = "self") -> Memory:
    """Memory of one process; OSError when it is gone."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return Memory(int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024)
