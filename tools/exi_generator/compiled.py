"""python -m exi_generator.compiled FOLDER: the codec's functions as extension modules, an optional speed-up.

The source is the very text that the codec otherwise compiles when it is needed; Cython makes C of it. A
module vsecc_exi_NAME on the import path is used instead, as long as it was made from the same tables and
generators. Needs Cython, setuptools and a C compiler; takes a minute per protocol.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from vsecc_host.v2g.exi import TABLES, Protocol, codec_for, source_mark
from vsecc_host.v2g.exi.decoder import DecoderSource
from vsecc_host.v2g.exi.encoder import EncoderSource
from vsecc_host.v2g.exi.grammar import Complex, Grammar

_HEAD = """# cython: language_level=3
from vsecc_host.v2g.exi.decoder import more, octets, text
from vsecc_host.v2g.exi.encoder import put_octets, put_text, put_unsigned
from vsecc_host.v2g.exi.errors import EncodeError, Refused
from vsecc_host.v2g.exi.tables.{name} import GRAMMAR

MARK = {mark}
new = tuple.__new__
"""
_BUILD = """
from Cython.Build import cythonize
from setuptools import Extension, setup
modules = [Extension(name, [name + ".py"], extra_compile_args=["-O2", "-g0"]) for name in {names!r}]
setup(name="vsecc_exi", ext_modules=cythonize(modules), script_args=["-q", "build_ext", "--inplace"])
"""


def module_source(protocol: Protocol) -> str:
    """One module with all functions of a protocol."""
    grammar = codec_for(protocol).grammar
    text = _HEAD.format(name=TABLES[protocol], mark=source_mark(protocol))
    text += "".join(f'C_{name} = GRAMMAR.types["{name}"].cls\n' for name in grammar.types)
    text += _enumerations(grammar)
    tables = []
    for kind in grammar.types.values():
        functions, choices = _functions(kind)
        text += functions
        tables += choices
    names = [prefix + name for name in grammar.types for prefix in ("d_", "e_")]
    entries = "".join(f'    "{name}": {name},\n' for name in names)
    return text + "\n" + "".join(tables) + f"FUNCTIONS = {{\n{entries}}}\n"


def _enumerations(grammar: Grammar) -> str:
    enums = {
        branch.type.enum
        for kind in grammar.types.values()
        for item in kind.items
        for branch in item.branches
        if not isinstance(branch.type, str) and branch.type.enum
    }
    lines = [
        f"from {e.__module__} import {e.__name__}\nE_{e.__name__} = tuple({e.__name__})\n" for e in enums
    ]
    return "".join(sorted(lines)) + "\n"


def _functions(kind: Complex) -> tuple[str, list[str]]:
    """Both functions of a type, and the tables of its choices, which name functions of other types."""
    decoder, encoder = DecoderSource(kind), EncoderSource(kind)
    text = decoder.text() + "\n" + encoder.text() + "\n"
    tables = []
    for table, types in decoder.tables.items():
        entries = ", ".join(f"{code}: d_{name}" for code, name in types.items())
        tables.append(f"{table} = {{{entries}}}\n")
    for table, types in encoder.tables.items():
        entries = ", ".join(f"C_{name}: ({code}, e_{name})" for code, name in types.items())
        tables.append(f"{table} = {{{entries}}}\n")
    return text, tables


def build(folder: Path, protocols: list[Protocol]) -> None:
    """Writes and compiles the modules in that folder; CalledProcessError without a compiler."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for protocol in protocols:
        names.append(f"vsecc_exi_{TABLES[protocol]}")
        (folder / f"{names[-1]}.py").write_text(module_source(protocol))
    paths = [str(Path(path).resolve()) for path in sys.path if path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    script = _BUILD.format(names=names)
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment, check=True)
    for name in names:
        # Only the compiled module is to be found by the import.
        (folder / f"{name}.py").unlink()
        (folder / f"{name}.c").unlink()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="exi_generator.compiled", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the modules go; put it on PYTHONPATH")
    names = [protocol.value for protocol in Protocol]
    parser.add_argument("--protocol", action="append", choices=names, help="only this one (repeatable)")
    arguments = parser.parse_args()
    build(arguments.folder, [Protocol(name) for name in arguments.protocol or names])


if __name__ == "__main__":
    main()
