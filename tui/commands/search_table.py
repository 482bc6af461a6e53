"""Searches by their ids, for the commands that take runs: what a word means, and the answer as far as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .printing import echo, echo_error, echo_json, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine


async def meant_search(engine: Engine, text: str) -> str:
    """The id of the search that a text means where no run has it in its name; empty: none."""
    search = await engine.known_search(text)
    if not search or search == text:
        return search
    return "" if any(text in run.run for run in await engine.list()) else search


async def print_search(engine: Engine, search: str, as_json: bool) -> int:
    """The document, or the answer and what led to it; 1 and an error where it has none and nobody works for it."""
    import msgspec

    from ...engine.report.search_report import search_report

    found = await engine.search_document(search)
    if as_json:
        echo_json(msgspec.json.encode(found))
    elif found.state in ("done", "running"):
        echo(search_report(found, width(), paint))
    if found.state in ("done", "running"):
        return 0
    echo_error(f"search {search} has no answer: {found.why}")
    return 1


async def end_search(engine: Engine, search: str, as_json: bool) -> int:
    """End it, and say so; 1 where nobody works for it."""
    if not await engine.search_alive(search):
        echo_error(f"search {search} is not running; `edgetui search` lists them")
        return 1
    await engine.end_search(search)
    if as_json:
        await print_search(engine, search, as_json=True)
    else:
        echo(f"search {search} is {(await engine.search_document(search)).state}; `edgetui resume {search}` takes it up again")
    return 0
