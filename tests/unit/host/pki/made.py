"""One complete test PKI for a whole test run, in memory and on disk."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from vsecc_host.pki.complete import Names, PkiFile, complete
from vsecc_sim.pki_folder import write_pki

NOW = datetime.now(UTC).replace(microsecond=0)
LEAF_DAYS = 90


@cache
def files() -> tuple[PkiFile, ...]:
    return tuple(complete(Names(), NOW, LEAF_DAYS))


def data(path: str) -> bytes:
    return next(file.data for file in files() if file.path == path)


def folder(parent: Path) -> Path:
    """The PKI as `vsecc pki` writes it."""
    write_pki(files(), parent / "pki")
    return parent / "pki"
