"""Following a search, a sweep or a study from another terminal: it goes on whatever is done here.

Apart from what follows what was begun here, where Ctrl+C ends it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from .follow import TERMINATED, WATCH_KEYS, Ending, listening, progress_stream
from .meant import Driven
from .printing import echo
from .search_table import follow_lines, print_search
from .study_table import follow_groups, print_study
from .sweep_table import follow_sweep, print_sweep

if TYPE_CHECKING:
    from ...engine.api import Engine


async def watch_driven(engine: Engine, kind: Driven, driven: str, as_json: bool) -> int:
    """Follow it until it has ended, then print what `show` prints; the exit status."""
    with listening() as asked:
        how = await _follow(engine, kind, driven, asked, as_json)
    if how == "ended" or as_json:
        status = await _print(engine, kind, driven, as_json)
        if how == "ended":
            return status
    echo(f"{kind} {driven} goes on", sys.stderr)
    return TERMINATED if how == "terminated" else 0


async def _follow(engine: Engine, kind: Driven, driven: str, asked: asyncio.Future[Ending], as_json: bool) -> Ending:
    if kind == "study":
        return await follow_groups(engine, driven, asked, as_json, WATCH_KEYS)
    if kind == "search":
        goal = (await engine.search_document(driven)).goal
        return await follow_lines(engine, driven, goal, asked, as_json, WATCH_KEYS)
    return await follow_sweep(engine, driven, asked, progress_stream(as_json))


async def _print(engine: Engine, kind: Driven, driven: str, as_json: bool) -> int:
    if kind == "study":
        return await print_study(engine, driven, "ended", as_json)
    if kind == "search":
        return await print_search(engine, driven, as_json)
    return await print_sweep(engine, driven, "ended", None, as_json)
