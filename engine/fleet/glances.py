"""What a board is doing now: its run and stage, what is timed, power and temperature. Read when somebody looks, else never."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..errors import EdgetuiError, from_os_error
from ..runs.assemble import assemble
from ..runs.driven_folder import DrivenDir, folders_in
from ..runs.folder import RunDir, group_members, run_paths, ticket
from ..runs.index import current_stage, waiting_for
from ..runs.search_folder import SearchDir
from ..runs.sweep_folder import SWEEPS, SweepDir
from ..schema.events import AnyEvent, Reading, StageBegan, decode
from ..schema.fleet import BoardGlance, BoardRun
from ..system.disk import read_disk
from ..system.memory import read_memory
from ..system.plain_files import open_plain
from ..telemetry.single_sample import once
from .driven_tasks import doing

_MOST_BYTES = 1 << 20
"""Of events in one answer."""
_LATELY = 5
_KIB_MB = 1024 / 1e6


def look(home: Path) -> BoardGlance:
    """Now; takes a third of a second where nothing is measured, whose power would have ours in it."""
    alive = [run for path in run_paths(home) if (run := RunDir(path)).alive()]
    pasts = {run.name: run.last_events() for run in alive}
    working = [name for name, past in pasts.items() if not waiting_for(past)]
    past: list[AnyEvent] = pasts[working[0]] if working else []
    timed = next((event for event in reversed(past) if isinstance(event, Reading) and event.side != "baseline"), None)
    begun = next((event for event in reversed(past) if isinstance(event, StageBegan)), None)
    stage = current_stage(past)
    power, warmest, free = None, None, None
    if not (stage and begun is not None and begun.measures):
        timed = None
        with suppress(EdgetuiError, OSError):
            sample = once("auto")[0]
            power = sample.total_mw / 1000 if sample.total_mw is not None else None
            warmest = max((value for value in sample.temps_c.values() if value is not None), default=None)
    done, of = _together(home, working[0] if working else "")
    memory = read_memory(light=True)
    newest = max(map(RunDir, run_paths(home)), key=lambda run: ticket(run.path), default=None)
    with suppress(OSError):
        free = read_disk(home).free_bytes / 1e6
    return BoardGlance(
        run=working[0] if working else "",
        stage=stage,
        waiting=len(alive) - len(working),
        latency_ms=timed.latency_ms if timed else None,
        fps=1000 / timed.latency_ms if timed and timed.latency_ms > 0 else None,
        power_w=power,
        temp_c=warmest,
        ram_used_mb=memory.used * _KIB_MB if memory.used is not None else None,
        ram_total_mb=memory.total * _KIB_MB if memory.total is not None else None,
        free_mb=free,
        driven=_driven(home),
        last=newest.name if newest is not None else "",
        done=done,
        of=of,
    )


def _together(home: Path, run: str) -> tuple[int, int]:
    """Of the runs that are measured together with one: how many are done, of how many."""
    with suppress(EdgetuiError, OSError):
        if run and (group := RunDir(home / "runs" / run).asked().group):
            results = [member.result() for member in group_members(home, group)]
            return sum(result is not None and result.state == "done" for result in results), len(results)
    return 0, 0


def _driven(home: Path) -> str:
    """The newest search, sweep or study that somebody carries; those that nobody has begun lately are not looked at."""
    with suppress(EdgetuiError):
        folders: list[SearchDir | SweepDir] = [SweepDir(path) for path in folders_in(home / SWEEPS, "sweep.json")[:_LATELY]]
        folders += [SearchDir(path) for path in folders_in(home / "searches", "search.json")[:_LATELY]]
        for folder in folders:
            if folder.alive():
                at = doing(folder)
                return f"{folder.id}: {at}" if at else folder.id
        studies = folders_in(home / "studies", "study.json")[:_LATELY]
        return next((path.name for path in studies if DrivenDir(path).alive()), "")
    return ""


def look_into(home: Path, run: str, offset: int) -> BoardRun:
    """A run from a byte of its events on, as much as one answer holds; its result with the last of them.

    Raises:
        StorageRefused: there is no such run, or it cannot be read.
    """
    folder = RunDir.find(home, run)
    spec, alive = folder.asked().spec, folder.alive()
    try:
        with open_plain(folder.path / "events.jsonl") as file:
            file.seek(offset)
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise from_os_error(error) from None
    end, more = data.rfind(b"\n") + 1, len(data) == _MOST_BYTES
    return BoardRun(
        run=folder.name,
        model=Path(spec.model).stem,
        recipe=spec.recipe.name,
        events=tuple(filter(None, map(decode, data[:end].splitlines()))),
        offset=offset + end,
        more=more and end > 0,
        alive=alive,
        result=None if alive or more else folder.result() or assemble(home, folder),
    )
