"""A test PKI as files: for `vsecc pki`, for simulated stations and for tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from vsecc_host.pki.complete import Names, PkiFile, complete

LEAF_DAYS = 90
_PRIVATE, _PUBLIC = 0o600, 0o644


def make_pki(folder: Path, names: Names | None = None, leaf_days: int = LEAF_DAYS) -> None:
    """A fresh complete PKI in an empty folder."""
    write_pki(complete(names or Names(), datetime.now(UTC).replace(microsecond=0), leaf_days), folder)


def write_pki(files: Sequence[PkiFile], folder: Path, *, force: bool = False) -> None:
    """Write the files; FileExistsError, and nothing written, when one of them exists without `force`."""
    existing = [file.path for file in files if (folder / file.path).exists()]
    if existing and not force:
        raise FileExistsError(f"{folder} already holds {len(existing)} of these files ({existing[0]}, ...)")
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, file.data, _PRIVATE if file.private else _PUBLIC)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Never readable by others in between, never half written: a new file takes the name when it is whole."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(data)
    new.replace(path)
