"""The state table and diagram of docs/mcu.md follow from `NEXT`; run this file to print them anew."""

import mcu
from mcu.cp_control import BAND_NAMES, ENTER_PERIODS, LEAVE_PERIODS, NEXT, OTHER_PERIODS
from vsecc_link.messages import CP_A, CP_C, CP_D, CP_F, CP_NAMES

DOCUMENT = "docs/mcu.md"


def table():
    """Markdown table: row = confirmed state, column = band of the reading."""
    lines = ["| state | " + " | ".join(BAND_NAMES) + " |", "|---" * (len(BAND_NAMES) + 1) + "|"]
    for state in range(len(NEXT)):
        cells = []
        for target in NEXT[state]:
            cells.append("." if target == state else CP_NAMES[target])
        lines.append("| " + CP_NAMES[state] + " | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def periods(state, target):
    """Readings it takes to go from one state to the other."""
    if state in (CP_C, CP_D) and target not in (CP_C, CP_D):
        return LEAVE_PERIODS
    return ENTER_PERIODS if target in (CP_C, CP_D) else OTHER_PERIODS


def diagram():
    """Mermaid state diagram of the plugged states: one arrow per pair that some band connects."""
    lines = ["stateDiagram-v2"]
    for state in range(CP_A, CP_F):
        for target in range(CP_A, CP_F):
            bands = [BAND_NAMES[band] for band in range(len(BAND_NAMES)) if NEXT[state][band] == target]
            if target != state and bands:
                label = "%s, %d ms" % (" or ".join(bands), periods(state, target))
                lines.append("    %s --> %s: %s" % (CP_NAMES[state], CP_NAMES[target], label))
    return "\n".join(lines)


def document():
    root = mcu.__file__.replace("\\", "/").rsplit("/", 2)[0]
    try:
        with open(root + "/" + DOCUMENT) as stream:
            return stream.read()
    except OSError:
        return None


def test_document_shows_the_table_of_the_code():
    text = document()
    assert text is None or table() in text


def test_document_shows_the_diagram_of_the_code():
    text = document()
    assert text is None or diagram() in text


if __name__ == "__main__":
    print(table())
    print(diagram())
