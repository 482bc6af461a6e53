"""What is asked of a resource goes to the scheduler one ask for each board that has it.

The scheduler binds what it is given to the boards of that moment: three hundred asks sent at once, just after it was started
again, went to the few that were back first (97 to one of thirty), and the others stood idle.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

LOOK_S = 1.0
"""How often it is looked whether another board has joined."""


class InTurn:
    """Lets asks of each resource pass in the order in which they came, as many at a time as boards have joined."""

    def __init__(self) -> None:
        self._gates: dict[str, asyncio.Lock] = {}
        self._going: Counter[str] = Counter()
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def turn(self, resource: str, joined: Callable[[], Awaitable[int]]) -> AsyncIterator[None]:
        """Wait for a place, and hold it. `joined`: how many boards with that resource the scheduler has now; one ask is let
        through for none, to be there when the first comes.
        """
        async with self._gates.setdefault(resource, asyncio.Lock()):
            while self._going[resource] >= max(1, await joined()):
                self._freed.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._freed.wait(), LOOK_S)
            self._going[resource] += 1
        try:
            yield
        finally:
            self._going[resource] -= 1
            self._freed.set()
