"""Bytes on disk, plain and compressed: scattered zeros make a file no smaller, but what is sent over the air."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

from ..errors import from_os_error

_BLOCK_BYTES = 1 << 20
_LEVEL = 6  # gzip's own default


def size_bytes(paths: Iterable[Path]) -> int:
    """Bytes of all files together, e.g. a model and its external data.

    Raises:
        StorageRefused: one cannot be read.
    """
    try:
        return sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise from_os_error(error) from error


def gz_bytes(paths: Iterable[Path]) -> int:
    """Bytes the files would have as `.gz` (level 6), each by itself; read in blocks and kept nowhere.

    Raises:
        StorageRefused: one cannot be read.
    """
    total = 0
    for path in paths:
        pack = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    total += len(pack.compress(block))
        except OSError as error:
            raise from_os_error(error) from error
        total += len(pack.flush())
    return total
