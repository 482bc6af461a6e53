"""When whoever started us is gone, or lets us go: nobody holds the other end of our standard input any more."""

from __future__ import annotations

import asyncio
import os
import sys


async def link_end() -> None:
    """Returns then; what is written there meanwhile is passed over."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    fd = sys.stdin.fileno()

    def hear() -> None:
        if not os.read(fd, 4096):
            loop.remove_reader(fd)
            gone.set()

    loop.add_reader(fd, hear)
    await gone.wait()
