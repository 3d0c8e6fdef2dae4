"""Writes the tables of docs/v2g.md from the code: `python -m vsecc_host.v2g.tables_doc docs/v2g.md`."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from vsecc_host import generated_parts
from vsecc_host.v2g import machine
from vsecc_host.v2g.dc import times
from vsecc_host.v2g.dc.table import markdown
from vsecc_host.v2g.din70121 import times as din_times
from vsecc_host.v2g.din70121.protocol import DIN
from vsecc_host.v2g.iso2 import times as iso2_times
from vsecc_host.v2g.iso2.protocol import ISO2

_CONSTANT = re.compile(r"^([A-Z_]+_S) = ([\d.]+)(?: +# (.*))?$")


def timers() -> str:
    """Every time constant with its unit and reason, as written beside it in the code."""
    lines = ["| constant | in | seconds | meaning |", "| --- | --- | --- | --- |"]
    for module, protocol in ((machine, "both"), (times, "both"), (din_times, "DIN"), (iso2_times, "-2")):
        above: list[str] = []
        for line in inspect.getsource(module).splitlines():
            found = _CONSTANT.match(line)
            if found:
                reason = " ".join(filter(None, [*above, found[3]]))
                lines.append(f"| `{found[1]}` | {protocol} | {float(found[2]):g} | {reason} |")
            above = [*above, line[2:]] if line.startswith("# ") else []
    return "\n".join(lines) + "\n"


def updated(text: str) -> str:
    """The document with its generated parts brought up to date."""
    parts = {
        "states": markdown(DIN.table, DIN.names),
        "states-iso2": markdown(ISO2.table, ISO2.names),
        "timers": timers(),
    }
    return generated_parts.updated(text, parts)


def main() -> None:
    """Rewrite the file named on the command line."""
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text()))


if __name__ == "__main__":
    main()
