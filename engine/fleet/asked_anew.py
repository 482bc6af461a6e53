"""What was asked for anew last, `fleet/anew/KEY`: who left it going, and asks for the same again, means that and not what was
done before it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ..system.atomic_write import write_atomic
from .takers import forget_old


class AskedAnew:
    """`anew/` of the fleet's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "anew"

    def salt(self, plain: bytes, on: str, again: str) -> str:
        """What an ask has in its key beside what is asked: `again`, which is remembered, else what was remembered last; empty:
        the same was never asked for anew there. A full disk stops nothing.
        """
        file = self._folder / hashlib.sha256(plain + b"\0" + on.encode()).hexdigest()[:32]
        with suppress(OSError, UnicodeDecodeError):
            if not again:
                os.utime(file)
                return file.read_text()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(file, again.encode())
            forget_old(self._folder)
        return again
