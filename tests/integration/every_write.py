"""Runs under MicroPython: the flash as it was after every single write of one flashing and half a write more.

    micropython every_write.py IMAGE_FILES FLASH JOURNAL STEP DIGEST...

For each moment: littlefs recovers, the boot.py that stands there chooses, and the slot it chose must hold one
of the programs given, whole. Once as after a power-on, once with the attempts of the first choice used up.
"""

import binascii
import struct
import sys

import vfs

BLOCK = 4096
ERASE = 0


class Snapshot:
    """The flash as it was; what recovery writes is forgotten."""

    def __init__(self, content):
        self.content = content
        self.over = {}

    def readblocks(self, block, buffer, offset=0):
        if block in self.over:
            buffer[:] = self.over[block][offset : offset + len(buffer)]
        else:
            at = block * BLOCK + offset
            buffer[:] = self.content[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        if block not in self.over:
            self.over[block] = bytearray(self.content[block * BLOCK : (block + 1) * BLOCK])
        self.over[block][offset : offset + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.content) // BLOCK
        if operation == 5:
            return BLOCK
        if operation == 6:
            self.over[argument] = bytearray(b"\xff" * BLOCK)
        return 0


class Registers:
    """Scratch register of the watchdog."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, _address):
        return self.value

    def __setitem__(self, _address, value):
        self.value = value


class Pin:
    """Outputs that boot.py silences."""

    OUT = 1

    def __init__(self, number, mode, value):
        assert (mode, value) == (Pin.OUT, 0)


class Machine:
    """What boot.py wants of the chip."""

    Pin = Pin

    def __init__(self, attempts):
        self.mem32 = Registers(0x2A5A0000 | attempts)
        self.WDT = watchdog
        self.reset = None


def watchdog(timeout):
    """Armed for a program on trial."""
    assert 0 < timeout <= 8388


def entries(journal):
    """(operation, block, offset, data) of every write."""
    with open(journal, "rb") as stream:
        while True:
            head = stream.read(13)
            if len(head) < 13:
                return
            operation, block, offset, size = struct.unpack("<BIII", head)
            yield operation, block, offset, stream.read(size)


def carry_out(content, entry, share=1):
    """The write, or the first part of it."""
    operation, block, offset, data = entry
    at = block * BLOCK + offset
    if operation == ERASE:
        count = BLOCK // share
        content[at : at + count] = b"\xff" * count
    else:
        count = len(data) // share
        content[at : at + count] = data[:count]


def booted(content, attempts, image):
    """Digest of the slot that would run, in hex."""
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(Snapshot(content), progsize=256), "/")
    path = list(sys.path)
    sys.modules["machine"] = Machine(attempts)
    with open("/boot.py") as stream:
        names = {}
        exec(stream.read(), names)
    sys.path[:] = path
    folder = "/" + names["active_slot"]
    files = []
    for package in ("mcu", "vsecc_link"):
        files += image.files_of(folder + "/" + package, package)
    return binascii.hexlify(image.digest(files)).decode()


def main(image_folder, flash, journal, step, *digests):
    """Every `step`-th moment; prints how many were looked at and how often each program was chosen."""
    sys.path.insert(0, image_folder)
    import image

    with open(flash, "rb") as stream:
        content = bytearray(stream.read())
    writes = list(entries(journal))
    seen = {}
    for number in range(len(writes) + 1):
        if number % int(step) == 0 or number == len(writes):
            moments = [content]
            if number < len(writes):
                moments.append(bytearray(content))
                carry_out(moments[1], writes[number], 2)
            for moment in moments:
                for attempts in (0, 3):
                    digest = booted(moment, attempts, image)
                    assert digest in digests, (number, attempts, digest)
                    seen[digest] = seen.get(digest, 0) + 1
        if number < len(writes):
            carry_out(content, writes[number])
    print("writes", len(writes), "looked", sum(seen.values()), [seen.get(digest, 0) for digest in digests])


main(*sys.argv[1:])
