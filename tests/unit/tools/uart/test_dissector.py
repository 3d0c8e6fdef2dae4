"""The shipped Wireshark dissector is the one this catalogue makes."""

from __future__ import annotations

from vsecc_link import messages
from vsecc_uart import naming
from vsecc_uart.dissector import SHIPPED, dissector


def test_the_shipped_file_is_current():
    assert SHIPPED.read_text(encoding="utf-8") == dissector(), "renew it: python -m vsecc_uart.dissector"


def test_every_name_list_of_the_catalogue_is_used_by_some_field():
    """A new list of names wants a row in naming.VALUES or naming.BITS."""
    known = [names for _, _, names in (*naming.VALUES, *naming.BITS)]
    lists = {name: value for name, value in vars(messages).items() if name.endswith("_NAMES")}
    assert not [name for name, value in lists.items() if value not in known]


def test_every_row_of_names_belongs_to_a_field():
    fields = [(row[0], field[0]) for row in messages.CATALOGUE.values() for field in row[3]]
    for table, place in ((naming.VALUES, 0), (naming.BITS, 1)):
        for whose, pattern, names in table:
            used = [key for key in fields if naming.names_of(*key)[place] is names]
            assert used, f"{whose} {pattern}"


def test_text_from_the_line_cannot_command_a_terminal():
    assert naming.text_of("LOG", "text", "a\x1b[2Jb\r\n") == '"a\\x1b[2Jb\\x0d\\x0a"'
