"""What happened before a reset: kept over it in a file and the chip's registers, told to host and person.

A fatal error writes its report once the outputs are safe. A watchdog reset leaves no time for that: the loop
keeps where it is and how long it runs in registers, and the next start makes the report.
"""

import sys

from vsecc_link import messages

TEXT_MAX = 960  # eight parts of a CRASH message
PART = 120
CAUSE_WATCHDOG = 1  # indices into RESET_NAMES
CAUSE_FATAL = 3
# Registers of the hardware interface that survive a reset.
STARTS = 1  # low byte: starts since the program proved itself (boot.py); next byte: reports since power-on
PROGRESS = 2
ROUNDS = 3
ROUND_MS = 16
# Flash wears: so many reports a power-on, further ones only after a run that lasted.
REPORTS_MAX = 8
LONG_RUN_MS = 600_000
_STARTS_MARK = 0x2A5A0000
_MARK = 0x3FFF0000
FRAMES = 16
last_cause = None  # why this run was started: index into RESET_NAMES
STAGES = ("control path", "inputs and host line")


class Frames:
    """The last messages that came and went, newest last; noting one allocates nothing."""

    def __init__(self):
        self._ids = bytearray(FRAMES)
        self._count = 0

    def note(self, message_id):
        """A message was obeyed or queued."""
        self._ids[self._count % FRAMES] = message_id
        self._count += 1

    def text(self):
        """Names, separated by blanks."""
        first = max(0, self._count - FRAMES)
        return " ".join([messages.name_of(self._ids[at % FRAMES]) for at in range(first, self._count)])


def describe(error, frames):
    """Traceback and error, then the last messages; the newest part of a traceback too long is kept."""
    last = "\nlast messages: " + frames.text() if frames else ""
    room = TEXT_MAX - len(last.encode())
    return _ascii(traceback_text(error))[-room:] + last


def describe_watchdog(progress):
    """Where the loop stood when the watchdog reset the chip."""
    stage = STAGES[min(progress & 0xFF, len(STAGES) - 1)]
    return "the program stood still in its %s, cycle %d of the round" % (stage, progress >> 8 & 0xFF)


def save(hal, cause, uptime_ms, text):
    """Writes the report unless the flash had enough of them lately. True when written. Outputs are safe."""
    starts = hal.kept(STARTS)
    if starts & _MARK != _STARTS_MARK:
        starts = _STARTS_MARK
    reports = starts >> 8 & 0xFF
    if reports >= REPORTS_MAX and uptime_ms < LONG_RUN_MS:
        return False
    if reports < REPORTS_MAX:
        hal.keep(STARTS, starts + 0x100)
    try:
        with open(hal.crash_file, "w") as stream:
            stream.write("%d %d\n%s" % (cause, uptime_ms, text))
    except OSError:  # a full flash, or a simulated board without one
        return False
    return True


def load(path):
    """(cause, uptime in ms, text) of the newest report, None without one."""
    try:
        with open(path) as stream:
            return parse(stream.read(TEXT_MAX + 40))
    except (OSError, ValueError):  # none, or bytes that are no text
        return None


def parse(content):
    """(cause, uptime in ms, text) of a report's file, None when it is none."""
    try:
        head, text = content.split("\n", 1)
        cause, uptime_ms = [int(word) for word in head.split()]
    except ValueError:
        return None
    if not (0 <= cause < len(messages.RESET_NAMES) and 0 <= uptime_ms <= messages.U32[1]):
        return None
    return cause, uptime_ms, _ascii(text)[:TEXT_MAX]


def ended_well(hal):
    """A person or tool stopped the program: whatever resets the chip now is no crash."""
    hal.keep(ROUNDS, 0)


def at_start(hal, cause):
    """The report of the run before this one, None when it ended well."""
    global last_cause
    last_cause = cause
    uptime_ms = hal.kept(ROUNDS) * ROUND_MS
    progress = hal.kept(PROGRESS)
    hal.keep(ROUNDS, 0)
    if cause == CAUSE_FATAL:
        return load(hal.crash_file)
    if cause != CAUSE_WATCHDOG or not uptime_ms:
        return None
    report = (cause, uptime_ms, describe_watchdog(progress))
    save(hal, cause, uptime_ms, report[2])
    return report


def parts(report, ticks_us):
    """CRASH messages of a report, in catalogue order."""
    cause, uptime_ms, text = report
    text = text[:TEXT_MAX]
    count = max(1, (len(text) + PART - 1) // PART)
    return [
        (messages.CRASH, ticks_us, uptime_ms, cause, part + 1, count, text[part * PART : (part + 1) * PART])
        for part in range(count)
    ]


def _ascii(text):
    """Bytes and characters shall count the same."""
    return "".join([char if " " <= char <= "~" or char == "\n" else "?" for char in text.strip()])


def traceback_text(error):
    """As the interpreter prints it."""
    if hasattr(sys, "print_exception"):
        import io

        stream = io.StringIO()
        sys.print_exception(error, stream)
        return stream.getvalue()
    import traceback  # type: ignore[import-not-found]

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
