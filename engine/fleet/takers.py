"""Which board took what a resource was asked for: a file a key, `fleet/taken/KEY`, on the disk before it begins there.

Written by the scheduler alone, which every board asks first, so that what a lost link leaves going on one board is begun on no
other. It is a board's until that has ended it without a result, or stands in fleet.toml no more: who is away is not gone.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from ..errors import from_os_error
from ..system.atomic_write import flush

KEPT_S = 30 * 86_400.0
"""As long as bundles: then nobody asks for it any more."""


class Takers:
    """`taken/` of the fleet's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "taken"

    def taker(self, once: str) -> str:
        """The board that took it; empty: none."""
        file = self._folder / once
        with suppress(OSError, UnicodeDecodeError):
            os.utime(file)
            return file.read_text()
        return ""

    def take(self, once: str, board: str) -> str:
        """It is this board's from now on, where it was no other's; whose it is.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = self._folder / f".{once}-{board}"
        mine.write_text(board)
        flush(mine)
        with suppress(FileExistsError):
            os.link(mine, self._folder / once)  # whole or not at all, and to one alone
        mine.unlink()
        flush(self._folder)
        return self.taker(once)

    def answer(self, once: str, board: str) -> list[str]:
        """`take` as a board asks for it: whose it is, and why that cannot be told."""
        try:
            return [self.take(once, board), ""]
        except OSError as error:
            return ["", from_os_error(error, path=self._folder).what]

    def leave(self, once: str) -> None:
        """It is nobody's."""
        (self._folder / once).unlink(missing_ok=True)

    def forget_old(self, now_s: float | None = None) -> None:
        """Of what nobody has asked for in the last 30 days."""
        forget_old(self._folder, now_s)


def forget_old(folder: Path, now_s: float | None = None) -> None:
    """Files that nobody has touched in the last 30 days."""
    now = time.time() if now_s is None else now_s
    for file in folder.glob("*"):
        with suppress(OSError):
            if now - file.stat().st_mtime > KEPT_S:
                file.unlink()
