"""The chip's flash with its littlefs, kept in one file of the computer; MicroPython only.

Every program and erase reaches the file at once and in order, so that ending the process is a power cut. With
a journal each of them is also noted: a test can then stand the flash up as it was after any of them.
"""

import struct

import vfs

BLOCK_SIZE = 4096
PROGRAM_SIZE = 256  # of the chip's flash
ERASE = 0
PROGRAM = 1
_ENTRY = "<BIII"  # operation, block, offset, number of bytes that follow
_IOCTL_BLOCK_COUNT = 4
_IOCTL_BLOCK_SIZE = 5
_IOCTL_BLOCK_ERASE = 6


class Flash:
    """Block device over the open file `store`, `blocks` long."""

    def __init__(self, store, blocks, journal=None):
        """The file has its full length already."""
        self._store = store
        self._blocks = blocks
        self._journal = journal

    def readblocks(self, block, buffer, offset=0):
        """Fills the buffer."""
        self._store.seek(block * BLOCK_SIZE + offset)
        self._store.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Programs erased bytes."""
        self._store.seek(block * BLOCK_SIZE + offset)
        self._store.write(buffer)
        self._note(PROGRAM, block, offset, buffer)

    def ioctl(self, operation, argument):
        """Block count and size, erase; nothing is ever buffered."""
        if operation == _IOCTL_BLOCK_COUNT:
            return self._blocks
        if operation == _IOCTL_BLOCK_SIZE:
            return BLOCK_SIZE
        if operation == _IOCTL_BLOCK_ERASE:
            self._store.seek(argument * BLOCK_SIZE)
            self._store.write(b"\xff" * BLOCK_SIZE)
            self._note(ERASE, argument, 0, b"")
        return 0

    def _note(self, operation, block, offset, data):
        if self._journal is not None:
            self._journal.write(struct.pack(_ENTRY, operation, block, offset, len(data)))
            self._journal.write(data)


def mount(path, journal=None):
    """Mounts the file in the place of the computer's files; formats it when that fails, as on the chip."""
    store = open(path, "r+b")
    blocks = store.seek(0, 2) // BLOCK_SIZE
    device = Flash(store, blocks, open(journal, "ab") if journal else None)
    try:
        system = vfs.VfsLfs2(device, progsize=PROGRAM_SIZE)
    except OSError:
        vfs.VfsLfs2.mkfs(device, progsize=PROGRAM_SIZE)
        system = vfs.VfsLfs2(device, progsize=PROGRAM_SIZE)
    vfs.umount("/")
    vfs.mount(system, "/")
