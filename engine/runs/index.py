"""SQLite over all run folders: lists and histories without opening every folder. Rebuilt from the folders at any time.

One commit a run. The folder is the truth: a row whose result.json has another time stamp is read again.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..advice.columns import Column
from ..advice.metrics import LIMITED
from ..advice.verdict import RUINED
from ..errors import DAMAGED, StorageRefused, from_os_error
from ..schema import events
from ..schema.failure import Failure
from ..schema.lean import lean
from ..schema.ready import ready
from ..schema.result import Result, State
from ..schema.run_summary import RunSummary
from ..schema.spec import RunRequest, RunSpec
from .folder import RunDir, run_names, run_paths, ticket
from .remarks import REMARKS, read_remarks
from .stages import Stage
from .worked import worked_s

VERSION = 8
"""Raised when figures get another meaning, or tables other columns: the rows are then read from the folders again."""
_FEW = 200
"""Rows that are asked for by name; where more are lacking, all are read."""
RENEWED = f"drop table if exists runs; drop table if exists stages; pragma user_version = {VERSION};"
SCHEMA = """
create table if not exists runs (
  run text primary key, stamp integer, ticket integer, summary blob,
  state text, model text, recipe text, backend text, measured text, seconds real
);
create table if not exists stages (run text, name text, model text, backend text, measured text, seconds real);
create index if not exists runs_by_model on runs (model, recipe);
create index if not exists stages_by_name on stages (name, model);
"""


class Index:
    """What the lists of runs show, in `home`/index.db: made anew from the run folders whenever it is damaged or old."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / "index.db"
        self._rows: dict[str, tuple[int, RunSummary]] = {}
        """What was decoded of the file: a list that is read again every two seconds decodes what is new."""

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=5.0)
        try:
            # A log of writes ahead (WAL) is mapped by all who read, and whoever takes it away ends them with SIGBUS.
            connection.execute("pragma journal_mode=truncate")
            if connection.execute("pragma user_version").fetchone() != (VERSION,):
                connection.executescript(RENEWED)
            connection.executescript(SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def put(self, folder: RunDir) -> None:
        """Take a finished run in; an index that cannot be written is no loss."""
        known = _read(folder)
        if known is not None:
            self._keep([known])

    def _keep(self, ended: Sequence[_Known]) -> None:
        try:
            with closing(self._open()) as db, db:
                for known in ended:
                    _store(db, known)
        except (sqlite3.Error, StorageRefused):
            return

    def rebuild(self) -> int:
        """Read every folder anew; returns how many runs there are.

        Raises:
            StorageRefused: the index cannot be written.
        """
        try:
            return self._fill()
        except sqlite3.OperationalError as error:  # locked, or on a disk that is full: not damaged
            raise self._unwritable(error) from None
        except sqlite3.Error:
            for suffix in ("", "-journal", "-wal", "-shm"):
                Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        try:
            return self._fill()
        except sqlite3.Error as error:
            raise self._unwritable(error) from None

    def _fill(self) -> int:
        known = [each for path in run_paths(self.home) if (each := _read(RunDir(path))) is not None]
        with closing(self._open()) as db, db:
            db.execute("delete from runs")
            db.execute("delete from stages")
            for each in known:
                _store(db, each)
        return len(known)

    def _unwritable(self, error: sqlite3.Error) -> StorageRefused:
        return StorageRefused(f"cannot write {self.file} ({error})", fix="check that the state folder is writable")

    def list(self) -> tuple[RunSummary, ...]:
        """All runs, the newest first."""
        names = run_names(self.home)
        stamps = _stamps(self.home, names)
        lacking = {name for name in names if name not in self._rows or self._rows[name][0] != stamps[name]}
        rows = self._decoded(lacking, stamps) if lacking else {}
        self._rows = {name: row for name in names if (row := rows.get(name) or self._rows.get(name)) is not None}
        found = [row[1] for name, row in self._rows.items() if name not in lacking or name in rows]
        ended: list[_Known] = []
        for name in lacking - rows.keys():
            fresh = _read(RunDir(self.home / "runs" / name))
            if fresh is not None:
                found.append(fresh.summary)
                ended += [fresh] if fresh.result is not None else []
        if ended:
            self._keep(ended)
        return tuple(sorted(found, key=lambda s: s.ticket, reverse=True))

    def _decoded(self, names: set[str], stamps: dict[str, int]) -> dict[str, tuple[int, RunSummary]]:
        """The rows of these runs that are there and not older than their folders."""
        try:
            with closing(self._open()) as db, db:
                if len(names) > _FEW:
                    rows = db.execute("select run, stamp, summary from runs").fetchall()
                else:
                    marks = ", ".join("?" * len(names))
                    rows = db.execute(f"select run, stamp, summary from runs where run in ({marks})", tuple(names)).fetchall()  # noqa: S608
        except sqlite3.Error:
            return {}
        found = {}
        with _no_collection():
            for run, stamp, blob in rows:
                if run in names and stamp and stamp == stamps.get(run):
                    with suppress(*DAMAGED, TypeError):
                        found[run] = (stamp, msgspec.json.decode(blob, type=ready(RunSummary)))
        return found

    def typical_seconds(self, asked: RunRequest, stage: Stage) -> float | None:
        """Median of what this stage took on this board: of the same model, else of any; None: never done here."""
        backend, measured = asked.spec.backend.name, _measured(asked.spec)
        query = (
            "select seconds from stages where name = ? and backend = ? and (measured = ? or name not in ('measure', 'inputs'))"
        )
        try:
            with closing(self._open()) as db:
                same = db.execute(query + " and model = ?", (stage.name, backend, measured, asked.model_sha256)).fetchall()
                rows = same or db.execute(query, (stage.name, backend, measured)).fetchall()
        except sqlite3.Error:
            return None
        return statistics.median(seconds for (seconds,) in rows) if rows else None

    def similar_seconds(self, spec: RunSpec) -> tuple[float, ...]:
        """What finished runs of this model and recipe, measured alike, took on this board, without the time in the queue."""
        query = (
            "select run, seconds from runs where state = 'done' and model = ? and recipe = ? and backend = ? and measured = ?"
            " and seconds is not null order by ticket desc"
        )
        alike = (Path(spec.model).name, spec.recipe.name, spec.backend.name, _measured(spec))
        try:
            there = self._take_in()
            with closing(self._open()) as db:
                return tuple(seconds for run, seconds in db.execute(query, alike) if run in there)
        except sqlite3.Error:
            return ()

    def _take_in(self) -> set[str]:
        """Read the runs that ended and have no row, or an older one; returns the names of all folders."""
        with closing(self._open()) as db:
            known = dict(db.execute("select run, stamp from runs"))
        paths = run_paths(self.home)
        stamps = _stamps(self.home, [path.name for path in paths])
        changed = [path for path in paths if known.get(path.name, 0) != stamps[path.name]]
        fresh = [each for path in changed if (each := _read(RunDir(path))) is not None and each.result is not None]
        if fresh:
            self._keep(fresh)
        return {path.name for path in paths}


def _stamps(home: Path, names: Sequence[str]) -> dict[str, int]:
    """Of each run the time stamps of result.json and of what was remarked, as one number; 0 while there is no result."""
    try:
        runs = os.open(home / "runs", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return dict.fromkeys(names, 0)
    try:
        return {name: _stamp(name, runs) for name in names}
    finally:
        os.close(runs)


def _stamp(name: str, runs: int) -> int:
    try:
        stamp = os.stat(f"{name}/result.json", dir_fd=runs).st_mtime_ns
    except OSError:
        return 0
    try:
        return stamp + os.stat(f"{name}/{REMARKS}", dir_fd=runs).st_mtime_ns
    except OSError:
        return stamp


@contextmanager
def _no_collection() -> Iterator[None]:
    """Ten thousand new values, none of them garbage: a collector that looks through them takes as long as decoding does."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _store(db: sqlite3.Connection, known: _Known) -> None:
    """Write the rows of a run that has ended."""
    folder, stamp, summary, asked, result = known
    if result is None or not stamp:
        return
    measured = summary.preset if asked is None else _measured(asked.spec)
    alike = (summary.state, summary.model, summary.recipe, summary.backend, measured, summary.seconds)
    row = (folder.name, stamp, summary.ticket, msgspec.json.encode(lean(summary)), *alike)
    db.execute("insert or replace into runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.execute("delete from stages where run = ?", (folder.name,))
    if asked is None:
        return
    db.executemany(
        "insert into stages values (?, ?, ?, ?, ?, ?)",
        [
            (folder.name, s.name, asked.model_sha256, asked.spec.backend.name, _measured(asked.spec), s.seconds)
            for s in result.stages
            if not s.cached and s.seconds is not None
        ],
    )


def _measured(spec: RunSpec) -> str:
    """What a run's time depends on besides model, recipe and backend: preset, workload, samples that are timed one by one."""
    return " ".join(filter(None, [spec.preset, spec.workload.typed, str(spec.per_input or "")]))


class _Known(NamedTuple):
    """What a run's folder says, each file read once."""

    folder: RunDir
    stamp: int
    """Taken before the rest: a document that is renewed meanwhile is read again later."""
    summary: RunSummary
    asked: RunRequest | None
    result: Result | None


def _read(folder: RunDir) -> _Known | None:
    """What is known of a run; None when the folder is none. One that may not be read (`sudo edgetui run`) hides no other."""
    try:
        return _look(folder)
    except (OSError, StorageRefused) as error:
        told = error if isinstance(error, StorageRefused) else from_os_error(error)
        failure = Failure.of("", told)
        return _Known(folder, 0, RunSummary(run=folder.name, state="crashed", error=failure), None, None)


def _look(folder: RunDir) -> _Known | None:
    stamp = _stamps(folder.path.parents[1], [folder.name])[folder.name]
    try:
        asked = folder.asked()
    except StorageRefused as error:
        summary = _unasked(folder, error)
        return None if summary is None else _Known(folder, stamp, summary, None, folder.result())
    result = folder.result()
    spec = asked.spec
    past = folder.last_events()
    base = RunSummary(
        run=folder.name,
        state="crashed",
        ticket=asked.ticket,
        model=Path(spec.model).name,
        recipe=spec.recipe.name,
        group=asked.group,
        backend=spec.backend.name,
        preset=spec.preset,
        workload=spec.workload.typed,
        data=(spec.dataset.name or spec.dataset.path) if spec.dataset else "",
        began=asked.wall,
        seconds=_elapsed_s(folder, past),
        worked_s=worked_s(folder, past[-1].t) if past else None,
        stage=current_stage(past),
        waiting_for=waiting_for(past),
        waits_for_end=waits_for_end(past),
    )
    base = _with_remarks(base, folder)
    if result is None:
        return _Known(folder, stamp, msgspec.structs.replace(base, state=state_without_result(folder, past)), asked, None)
    return _Known(folder, stamp, _with_result(base, result), asked, result)


def _elapsed_s(folder: RunDir, past: list[events.AnyEvent]) -> float | None:
    return round(max(0.0, past[-1].t - folder.waited_s()), 3) if past else None


def _unasked(folder: RunDir, error: StorageRefused) -> RunSummary | None:
    """What can be told of a run whose run.toml is gone or damaged; None: nothing of a run is there, or not yet."""
    result, past = folder.result(), folder.last_events()
    if result is None and not past and not (folder.path / "run.toml").exists():
        return None
    failure = Failure(stage="", what=error.what, fix="put the file back from a copy, or remove the run's folder")
    base = RunSummary(run=folder.name, state="crashed", ticket=ticket(folder.path), error=failure)
    base = msgspec.structs.replace(base, seconds=_elapsed_s(folder, past), stage=current_stage(past))
    base = _with_remarks(base, folder)
    if result is None:
        return base
    model = Path(result.model.path).name if result.model else ""
    known = {"model": model, "recipe": result.recipe.name, "backend": result.backend.name, "preset": result.preset}
    return _with_result(msgspec.structs.replace(base, **known), result)


def _with_result(base: RunSummary, result: Result) -> RunSummary:
    return msgspec.structs.replace(
        base,
        state=result.state,
        stage=result.error.stage if result.error else "",
        waiting_for="",
        waits_for_end=False,
        latency_ratio=result.difference.latency_ratio,
        size_ratio=result.difference.size_ratio,
        top1_points=result.difference.top1_points,
        difference=result.difference,
        figures=_figures(result),
        board=result.board.name,
        verdict={"outputs": RUINED, **result.verdict} if result.fidelity.ruined else result.verdict,
        error=result.error,
    )


def _figures(result: Result) -> dict[str, float]:
    """The candidate's figures, by the names and in the units of goals."""
    column = Column("", result.candidate, result, candidate=True)
    told = {key: (metric.value(column), metric.scale) for key, metric in LIMITED.items()}
    return {key: float(f"{value / scale:.6g}") for key, (value, scale) in told.items() if value is not None}


def _with_remarks(base: RunSummary, folder: RunDir) -> RunSummary:
    remarks = read_remarks(folder)
    return msgspec.structs.replace(base, tags=remarks.tags, note=remarks.note)


def state_without_result(folder: RunDir, past: list[events.AnyEvent]) -> State:
    """running, queued, or crashed when nobody holds the lock."""
    if not folder.alive():
        return "crashed"
    return "queued" if waiting_for(past) else "running"


def current_stage(past: list[events.AnyEvent]) -> str:
    """The stage begun last and not ended; empty when there is none."""
    for event in reversed(past):
        if isinstance(event, events.StageBegan):
            return event.stage
        if isinstance(event, events.StageEnded | events.RunBegan):
            return ""
    return ""


def waiting_for(past: list[events.AnyEvent]) -> str:
    """For whom a queued run waits; empty when it does not."""
    queued = _queued(past)
    return "" if queued is None else queued.waiting_for or "another program"


def waits_for_end(past: list[events.AnyEvent]) -> bool:
    """Whether a run waits for another to end well, not for the board."""
    queued = _queued(past)
    return queued is not None and queued.to_end


def _queued(past: list[events.AnyEvent]) -> events.Queued | None:
    for event in reversed(past):
        if isinstance(event, events.Queued):
            return event
        if isinstance(event, events.StageBegan | events.RunBegan | events.RunEnded):
            return None
    return None
