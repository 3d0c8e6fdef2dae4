"""How a car matches, as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from vsecc_host.slac import messages as m

_FILE = Path(__file__).with_name("habits.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Times in ms; see habits.toml. The lower half is for cars nobody has measured, and for faults."""

    what: str = ""
    run_id: str = "random"
    parm_copies: int = 1
    parm_copy_ms: int = 8
    parm_repeat_ms: int = 200  # TT_match_response
    parm_tries: int = 3  # C_EV_match_retry
    start_after_ms: int = 100
    spacing_ms: int = 20
    random: str = "random"
    rsp_after_ms: int = 20
    match_after_ms: int = 800
    sdp_after_ms: int = 500
    starts: int = 3
    sounds: int = m.SOUNDS
    limit_db: int = 40  # an outlet that is heard worse is not ours
    time_out: int = m.SOUND_TIMEOUT
    rsp_to: int = 1  # only the n-th CM_ATTEN_CHAR.IND is answered
    match_tries: int = 3
    validate_toggles: int = 0  # 0: no CM_VALIDATE
    amp_map: bool = False  # CM_AMP_MAP.REQ once linked
    runs: int = 3  # C_conn_max_match
    run_pause_ms: int = 8000  # before the next run


def names() -> list[str]:
    """The cars there are habits of."""
    return list(tomllib.loads(_FILE.read_text()))


def load(name: str = "default") -> Habits:
    """Habits by name; KeyError for an unknown one."""
    return Habits(**tomllib.loads(_FILE.read_text())[name])
