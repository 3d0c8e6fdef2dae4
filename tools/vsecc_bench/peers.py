"""Peers run in virtual environments of their own, made on demand and kept in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

INSTALL_TIMEOUT_S = 600


class PeerUnavailable(Exception):
    """Why a peer cannot be measured here; shown as "not measured: ..."."""


def peer_python(name: str, packages: Sequence[str], progress: Callable[[str], None]) -> Path:
    """Interpreter of the peer's environment with `packages` from PyPI; raises PeerUnavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "vsecc" / "peers" / name
    python, stamp = folder / "bin" / "python", folder / "packages.txt"
    wanted = "\n".join([sys.version, *packages])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    progress(f"installing the peer {name} ({', '.join(packages)})")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise PeerUnavailable(
            f"{name} cannot be installed: {getattr(error, 'stderr', None) or error}"
        ) from error
    stamp.write_text(wanted)
    return python


def need_java() -> None:
    """Raises PeerUnavailable without a Java runtime."""
    if shutil.which("java") is None:
        raise PeerUnavailable("the EcoG package needs a Java runtime")
