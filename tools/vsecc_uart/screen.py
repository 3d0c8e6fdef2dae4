"""The full-screen monitor: state of both ports above, the log of the line below. Built on textual."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, RichLog, Static

from vsecc_uart.filters import BadFilter, Predicate, compile_filter
from vsecc_uart.line_state import LineState, Rates, trip_line
from vsecc_uart.show import Clock, brief
from vsecc_uart.sources import Source
from vsecc_uart.values import HOST, MCU, BadRecord, FrameRecord, GapRecord, NoteRecord, Record
from vsecc_uart.watch import Watch

# Records kept for a new filter and for scrolling back: about five minutes of a busy line.
RECORDS_KEPT = 20_000
# New lines a refresh; a recording that is read faster shows its newest.
LINES_AT_ONCE = 1000
REFRESH_S = 0.1
TITLE_MAX = 38  # columns of a source's name; its end tells more
RATES_S = 1.0
STATE_ROWS = 8
# On a low terminal the state gives way, first its last rows: title, keys, filter and some log have to fit.
STATE_ROWS_MIN = 2
OTHER_ROWS = 10

HELP = """Keys

  /  or f     filter: message, field, direction; Enter takes it, Escape leaves it
  space       hold the log still, go on
  y           cyclic frames and acks in the log: on, off
  up, down, PgUp, PgDn, Home, End    scroll (the log holds still until End or space)
  s           figures of the whole line
  c           empty the log
  q, Ctrl-C   end

Filter

  CP_STATE or port==1            messages and fields of the catalogue
  state==C and from==mcu         values by name; from is host or mcu
  bad or gap or repeat           damage, missing frames, frames sent again
  text~'left C'                  anywhere in the line
  not (cyclic or ack)            kinds of frames: handshake reliable cyclic ack
"""


class Page(ModalScreen[None]):
    """A text over the screen; any of its keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,s,question_mark,enter", "dismiss", "Back"),
    ]
    DEFAULT_CSS = """
    Page { align: center middle; }
    Page > VerticalScroll { width: 92%; height: 90%; border: solid $accent; padding: 0 1; }
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The text in a box that scrolls."""
        with VerticalScroll():
            yield Static(self._text, markup=False)


class Monitor(App[int]):
    """Runs the source inside textual's loop; `return_code` is the exit status."""

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None  # else the hidden filter takes the keys
    CSS = """
    Screen { layout: vertical; overflow: hidden; }
    #title { height: 1; text-style: bold reverse; text-wrap: nowrap; text-overflow: ellipsis; }
    #state { text-wrap: nowrap; text-overflow: ellipsis; }
    #log { height: 1fr; overflow-x: hidden; border-top: solid $accent; scrollbar-size-vertical: 1; }
    #filter { display: none; height: 3; }
    #message { height: auto; max-height: 2; display: none; }
    #message.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash,f", "edit_filter", "Filter", key_display="/"),
        Binding("space", "hold", "Hold"),
        Binding("y", "cyclic", "Cyclic"),
        Binding("s", "figures", "Figures"),
        Binding("c", "empty", "Clear"),
        Binding("question_mark", "explain", "Help", key_display="?"),
        Binding("q,ctrl+c", "leave", "Quit", key_display="q"),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
        Binding("home", "to_start", show=False),
        Binding("end", "to_end", show=False),
    ]

    def __init__(
        self, source: Source, *, baud: int, live: bool, filter_text: str = "", title: str = ""
    ) -> None:
        super().__init__()
        self.held = False
        self.cyclic = bool(filter_text)
        self.filter_text = filter_text
        self.failure: BaseException | None = None
        self._source = source
        self._baud = baud
        self._live = live
        self._source_name = title if len(title) <= TITLE_MAX else "…" + title[1 - TITLE_MAX :]
        self._wanted: Predicate = compile_filter(filter_text)
        self._records: deque[Record] = deque(maxlen=RECORDS_KEPT)
        self._new: deque[Record] = deque(maxlen=RECORDS_KEPT)
        self._times = Clock()
        self._line_state = LineState()
        self._rates = Rates()
        self._rates_at = 0.0
        self._watch: Watch | None = None
        self._work: asyncio.Task[None] | None = None
        self._ended = False

    def compose(self) -> ComposeResult:
        """Title, state, log, filter, keys."""
        yield Static(id="title", markup=False)
        yield Static(id="state", markup=False)
        log = RichLog(id="log", max_lines=RECORDS_KEPT, wrap=False, markup=False, auto_scroll=False)
        log.can_focus = False
        yield log
        yield Static(id="message", markup=False)
        yield Input(id="filter", placeholder="e.g. CP_STATE or port==1")
        yield Footer()

    def on_mount(self) -> None:
        """Start the source."""
        self._watch = Watch(self._on_record, baud=self._baud, live=self._live)
        self._work = asyncio.create_task(self._run(self._watch))
        self.set_interval(REFRESH_S, self.refresh_view)
        self.refresh_view()

    def on_resize(self, event: Resize) -> None:
        """Share the rows between state and log."""
        rows = max(STATE_ROWS_MIN, min(STATE_ROWS, event.size.height - OTHER_ROWS))
        self.query_one("#state", Static).styles.height = rows

    async def on_unmount(self) -> None:
        """Let the source close its line."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _run(self, watch: Watch) -> None:
        try:
            await watch.run(self._source)
        except (OSError, ValueError) as error:
            self.failure = error
            self.exit(1)
        self._ended = True

    def _on_record(self, record: Record) -> None:
        self._times.begin(record.at_s)
        self._line_state.add(record)
        self._records.append(record)
        self._new.append(record)

    # ---- what is shown ----

    def refresh_view(self) -> None:
        """Everything that changes by itself."""
        if self._watch is None or not self.is_running:
            return
        now = self._watch.now()
        figures = self._watch.statistics
        if not self._live:
            self._rates = Rates()
            if figures.first_at is not None:
                self._rates._at = figures.first_at
                self._rates.look(figures, figures.last_at)
        elif time.monotonic() - self._rates_at >= RATES_S:
            self._rates_at = time.monotonic()
            self._rates.look(figures, now)
        self.query_one("#title", Static).update(self._title(now))
        self.query_one("#state", Static).update(self._state_text(now))
        if not self.held:
            self._write_new()

    def _title(self, now: float) -> str:
        if not self._live:
            mode = "recording" if self._ended else "reading"
        else:
            mode = "live" if self._line_state.heard(now) else "NO STATUS FROM THE MCU"
        marks = ["HELD"] if self.held else []
        marks += [] if self.cyclic else ["cyclic hidden"]
        marks += [f"filter {self.filter_text}"] if self.filter_text else []
        return " | ".join([f" {mode}", *marks, self._source_name])

    def _state_text(self, now: float) -> Text:
        assert self._watch is not None
        state, figures = self._line_state, self._watch.statistics
        alarmed = "bold red" if state.alarm() else ""
        grant = state.grant_line(now)
        rows = [
            (state.port_line(1), alarmed if state.value("STATUS", "cp1_faults") else ""),
            (state.port_line(2), alarmed if state.value("STATUS", "cp2_faults") else ""),
            (state.relay_line(), "bold" if state.value("STATUS", "relays_closed") else ""),
            (grant, "yellow" if "EXPIRED" in grant else ""),
            (state.device_line(), alarmed if state.value("TELEMETRY", "device_faults") else ""),
            (self._rates.line(MCU, figures), "red" if figures.errors(MCU) else ""),
            (self._rates.line(HOST, figures), "red" if figures.errors(HOST) else ""),
            (trip_line(figures), ""),
        ]
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, (row, style) in enumerate(rows):
            text.append(("\n" if number else "") + row, style)
        return text

    def _shown(self, record: Record) -> bool:
        if not self.cyclic and isinstance(record, FrameRecord) and record.kind in ("cyclic", "ack"):
            return False
        return self._wanted(record)

    def _write_new(self) -> None:
        log = self.query_one("#log", RichLog)
        if not log.size.height:  # not laid out yet
            return
        new = list(self._new)[-LINES_AT_ONCE:] if len(self._new) > LINES_AT_ONCE else list(self._new)
        self._new.clear()
        for record in new:
            if self._shown(record):
                log.write(self._row(record), scroll_end=True)

    def _row(self, record: Record) -> Text:
        style = ""
        if isinstance(record, BadRecord | GapRecord):
            style = "red"
        elif isinstance(record, NoteRecord):
            style = "bold"
        elif record.marks:
            style = "yellow"
        elif record.sender == HOST:
            style = "cyan"
        return Text(brief(record, self._times), style=style, no_wrap=True)

    def _write_again(self) -> None:
        self.query_one("#log", RichLog).clear()
        self._new.clear()
        shown = [record for record in self._records if self._shown(record)]
        self._new.extend(shown[-LINES_AT_ONCE:])
        self._write_new()

    # ---- keys ----

    def action_edit_filter(self) -> None:
        """Open the line for the filter."""
        field = self.query_one("#filter", Input)
        field.value = self.filter_text
        field.display = True
        self.set_focus(field)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the filter, or say what is wrong with it."""
        try:
            self._wanted = compile_filter(event.value)
        except BadFilter as error:
            self._say(str(error))
            return
        self.filter_text = event.value.strip()
        # Whoever asks for something gets it, cyclic or not.
        self.cyclic = bool(self.filter_text) or self.cyclic
        self._close_filter()
        self._write_again()

    def key_escape(self) -> None:
        """Leave the filter as it was."""
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self._say("")
        self.set_focus(None)

    def _say(self, text: str) -> None:
        message = self.query_one("#message", Static)
        message.update(Text(text, style="red"))
        message.set_class(bool(text), "shown")

    def action_hold(self) -> None:
        """Hold the log still, or let it run."""
        self.held = not self.held
        if not self.held:
            self.query_one("#log", RichLog).scroll_end(animate=False)
        self.refresh_view()

    def action_cyclic(self) -> None:
        """Show or hide cyclic frames and acks."""
        self.cyclic = not self.cyclic
        self._write_again()
        self.refresh_view()

    def action_scroll(self, rows: int) -> None:
        """Look back; the log holds still meanwhile."""
        self.held = True
        self.query_one("#log", RichLog).scroll_relative(y=rows, animate=False)

    def action_to_start(self) -> None:
        """The oldest line."""
        self.held = True
        self.query_one("#log", RichLog).scroll_home(animate=False)

    def action_to_end(self) -> None:
        """The newest line, and on."""
        self.held = False
        self.query_one("#log", RichLog).scroll_end(animate=False)

    def action_figures(self) -> None:
        """Figures of the whole line."""
        assert self._watch is not None
        self.push_screen(Page(self._watch.statistics.table()))

    def action_explain(self) -> None:
        """The keys."""
        self.push_screen(Page(HELP))

    def action_empty(self) -> None:
        """An empty log."""
        self.query_one("#log", RichLog).clear()
        self._records.clear()
        self._new.clear()

    def action_leave(self) -> None:
        """End."""
        self.exit(0)


def run_screen(source: Source, *, baud: int, live: bool, filter_text: str, title: str) -> int:
    """Fill the terminal until `q`; raises what the source failed with."""
    app = Monitor(source, baud=baud, live=live, filter_text=filter_text, title=title)
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0
