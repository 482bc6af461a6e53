"""Hashes of files, a block at a time: a model may be larger than a board's memory."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

_BLOCK = 1 << 20


class Digest(Protocol):
    """What hashlib's objects have in common."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""


def blocks(path: Path) -> Iterator[bytes]:
    """A file's content in pieces of at most 1 MiB.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def add_file(digest: Digest, path: Path) -> None:
    """Take a file's content into a hash.

    Raises:
        OSError: it cannot be read.
    """
    for block in blocks(path):
        digest.update(block)


def sha256_of(files: Iterable[Path]) -> str:
    """SHA-256, hexadecimal, of files one behind the other.

    Raises:
        OSError: one cannot be read.
    """
    digest = hashlib.sha256()
    for file in files:
        add_file(digest, file)
    return digest.hexdigest()


def checksum(path: Path) -> str:
    """`size-crc32`: against damage, not against malice, a GB in a second.

    Raises:
        OSError: it cannot be read.
    """
    size = crc = 0
    for block in blocks(path):
        size, crc = size + len(block), zlib.crc32(block, crc)
    return f"{size}-{crc:08x}"
