"""Verbs of `vsecc mcu`: one row each, in the form of the table in `main.py`, which takes them in."""

from __future__ import annotations

SUMMARY = "the real-time controller: flash, look inside, listen on its line"

# verb -> (module, what --help says in the list)
VERBS: dict[str, tuple[str, str]] = {}
