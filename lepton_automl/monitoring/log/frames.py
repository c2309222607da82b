"""A file that is only appended to, of frames with a checksum: what a crash leaves of the last one is recognised and cut off.

A frame is its length and the CRC-32 of its content, 4 bytes each, little-endian, and the content.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

HEADER = struct.Struct("<II")
LONGEST = 1 << 28  # bytes of one frame; more is a damaged length


class FrameFile:
    """An open file of frames.

    Args:
        path: The file; it is created if it is missing, and cut after the last whole frame.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = sum(HEADER.size + len(content) for content in read_frames(path))
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, self.size)

    def append(self, content: bytes, *, sync: bool = True) -> None:
        """Append a frame; if it cannot be written whole, nothing of it remains.

        Args:
            content: What it holds.
            sync: Wait until the disk has it.

        Raises:
            OSError: It cannot be written, because the disk is full for example.
        """
        frame = HEADER.pack(len(content), zlib.crc32(content)) + content
        try:
            written = 0
            while written < len(frame):
                written += os.pwrite(self._file, frame[written:], self.size + written)
            if sync:
                os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(frame)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_frames(path: Path) -> Iterator[bytes]:
    """The contents of all whole frames of a file, up to the first damaged one; none if there is no such file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        while len(header := file.read(HEADER.size)) == HEADER.size:
            length, checksum = HEADER.unpack(header)
            content = file.read(length) if length <= LONGEST else b""
            if len(content) < length or zlib.crc32(content) != checksum:
                return
            yield content


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's entries: a renamed file survives a power cut only then."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
