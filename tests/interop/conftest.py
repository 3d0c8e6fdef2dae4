"""Gets the peers once, where interop tests are asked for."""

from __future__ import annotations

import os

from vsecc_bench import ecog
from vsecc_bench.peers import PeerUnavailable

# Modules read this when they are imported, as a user may name an interpreter of their own.
if os.environ.get("VSECC_INTEROP") and not os.environ.get("VSECC_ECOG_PYTHON"):
    try:
        os.environ["VSECC_ECOG_PYTHON"] = str(ecog.installed(print))
    except PeerUnavailable as reason:
        print(f"no EcoG package: {reason}")
