"""Identity of the program: every file, every name, nothing else (rule S8)."""

import hashlib
import os

import mcu
import vsecc_link
from mcu import image

FOLDER = "/tmp/vsecc_image_test_%d" % (id(object()) & 0xFFFFFF)


def write(name, content):
    with open(FOLDER + "/" + name, "wb") as stream:
        stream.write(content)


def make_folder():
    for path in (FOLDER, FOLDER + "/sub", FOLDER + "/__pycache__"):
        try:
            os.mkdir(path)
        except OSError:
            pass
    write("b.py", b"two")
    write("a.py", b"one")
    write("sub/c.py", b"three" * 400)
    write("__pycache__/a.pyc", b"left behind")
    write(".hidden", b"left behind")


def test_s8_digest_covers_names_lengths_and_contents_in_order():
    make_folder()
    expected = hashlib.sha256(
        b"6:x/a.py3:one" + b"6:x/b.py3:two" + b"10:x/sub/c.py2000:" + b"three" * 400
    ).digest()
    files = image.files_of(FOLDER, "x")
    assert [name for name, _ in files] == ["x/a.py", "x/b.py", "x/sub/c.py"]
    assert image.digest(files) == expected
    assert image.digest([files[2], files[0], files[1]]) == expected
    remove_folder(FOLDER)


def remove_folder(folder):
    """Leave nothing behind."""
    for entry in os.listdir(folder):
        path = folder + "/" + entry
        if os.stat(path)[0] & 0x4000:
            remove_folder(path)
        else:
            os.remove(path)
    os.rmdir(folder)


def test_s8_any_change_changes_the_digest():
    make_folder()
    before = image.digest(image.files_of(FOLDER, "x"))
    write("a.py", b"onf")
    changed = image.digest(image.files_of(FOLDER, "x"))
    write("a.py", b"one")
    write("d.py", b"")
    added = image.digest(image.files_of(FOLDER, "x"))
    os.remove(FOLDER + "/d.py")
    assert len({before, changed, added, image.digest(image.files_of(FOLDER, "y"))}) == 4
    assert image.digest(image.files_of(FOLDER, "x")) == before
    remove_folder(FOLDER)


def test_s8_running_program_has_an_identity():
    digest = image.slot_digest(mcu, vsecc_link)
    assert len(digest) == 32 and digest == image.slot_digest(mcu, vsecc_link)
