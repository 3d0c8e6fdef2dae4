"""How a command with several examples shows its help."""

from __future__ import annotations

import argparse


class ExamplesFormatter(argparse.HelpFormatter):
    """Keeps the lines of an epilog that begins with `examples:`, wraps every other text."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text.rstrip()
        return super()._fill_text(text, width, indent)
