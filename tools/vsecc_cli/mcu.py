"""Verbs of `vsecc mcu`: one row each, in the form of the table in `main.py`, which takes them in."""

from __future__ import annotations

SUMMARY = "the real-time controller: flash, look inside, listen on its line"

# verb -> (module, what --help says in the list)
VERBS: dict[str, tuple[str, str]] = {
    "flash": ("vsecc_cli.mcu_flash", "put the program on a device"),
    "elf": ("vsecc_cli.mcu_elf", "sizes, budget and address names of a firmware ELF"),
    "info": ("vsecc_cli.mcu_info", "what a device is and how it fares"),
    "reset": ("vsecc_cli.mcu_reset", "restart a device"),
    "rollback": ("vsecc_cli.mcu_rollback", "back to the program in the other slot"),
    "monitor": ("vsecc_cli.mcu_monitor", "the line decoded, live or from a recording"),
    "record": ("vsecc_cli.mcu_record", "the line into pcapng files of bounded size"),
    "replay": ("vsecc_cli.mcu_replay", "one side of a recording against a real peer"),
    "dissector": ("vsecc_cli.mcu_dissector", "the Wireshark dissector of the line"),
    "inject": ("vsecc_cli.mcu_inject", "single messages, raw bytes and faults of the line"),
    "campaign": ("vsecc_cli.mcu_campaign", "the fault campaign of the MCU program"),
}
