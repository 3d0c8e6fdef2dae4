"""Where the reference data lies: captures of real cars, vectors, schemas. Not part of this repository."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(os.environ.get("VSECC_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CAPTURES = SHARED / "captures"
