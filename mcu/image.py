"""Which program this is: version, and SHA-256 over name and content of every file of the slot (rule S8)."""

import hashlib
import os

VERSION = "0.1.0"
_CHUNK = 512
_FOLDER = 0x4000
# Files that an interpreter or an editor leaves behind are none of the program's.
_SKIPPED = "__pycache__"


def files_of(folder, name):
    """Sorted [(name with slashes, path)] of every file below `folder`, whose own name is `name`."""
    found = []
    for entry in os.listdir(folder):
        if entry == _SKIPPED or entry.startswith("."):
            continue
        path = folder + "/" + entry
        if os.stat(path)[0] & _FOLDER:
            found += files_of(path, name + "/" + entry)
        else:
            found.append((name + "/" + entry, path))
    return sorted(found)


def digest(files):
    """SHA-256 over length and text of name, length and bytes of content of each (name, path), sorted."""
    total = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    for name, path in sorted(files):
        begin_file(total, name, os.stat(path)[6])
        with open(path, "rb") as stream:
            while True:
                count = stream.readinto(buffer)
                if not count:
                    break
                total.update(view[:count])
    return total.digest()


def begin_file(total, name, size):
    """What the digest has of a file before its content."""
    encoded = name.encode()
    total.update(_length(len(encoded)) + encoded + _length(size))


def slot_digest(*modules):
    """Identity of the running program: the folders of the packages given, README and all."""
    files = []
    for module in modules:
        folder = module.__file__.replace("\\", "/").rsplit("/", 1)[0]
        files += files_of(folder, module.__name__.rsplit(".", 1)[-1])
    return digest(files)


def _length(number):
    return b"%d:" % number
