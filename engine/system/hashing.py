"""Hashes: of files a block at a time, for a model may be larger than a board's memory; and of a few letters without OpenSSL,
which hashes files several times as fast as Python by itself, and takes 3 MB of a screen that has hashed none.
"""

from __future__ import annotations

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
    import hashlib

    digest = hashlib.sha256()
    for file in files:
        add_file(digest, file)
    return digest.hexdigest()


def short_hash(told: bytes) -> str:
    """SHA-256, hexadecimal, of a few bytes."""
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]  # from Python 3.12 on
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found]
        except ImportError:  # built without its own
            from hashlib import sha256
    return str(sha256(told).hexdigest())


def checksum(path: Path) -> str:
    """`size-crc32`: against damage, not against malice, a GB in a second.

    Raises:
        OSError: it cannot be read.
    """
    size = crc = 0
    for block in blocks(path):
        size, crc = size + len(block), zlib.crc32(block, crc)
    return f"{size}-{crc:08x}"
