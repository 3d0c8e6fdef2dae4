"""The Wireshark dissector is made of this program's catalogue; every field has its names."""

from __future__ import annotations

from vsecc_link import frame, messages
from vsecc_uart import naming
from vsecc_uart.dissector import dissector


def test_it_holds_the_catalogue_and_the_frame_of_this_program():
    made = dissector()
    assert f"local CATALOGUE_CRC = {messages.catalogue_crc()}\n" in made
    sizes = (frame.HEAD_SIZE, frame.OVERHEAD - frame.HEAD_SIZE, frame.PAYLOAD_MAX)
    assert "HEAD, CRC_SIZE, PAYLOAD_MAX = {}, {}, {}\n".format(*sizes) in made
    for number, (name, sender, _, fields) in messages.CATALOGUE.items():
        assert f'[{number}] = {{name = "{name}", from = "{sender}"' in made
        for field in fields:
            assert f'"vsecc_uart.{name.lower()}.{field[0]}"' in made
    assert made.rstrip().endswith("USER0, vsecc)"), "the core comes last"


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
