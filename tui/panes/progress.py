"""The run that is being watched: its stages, how far it is, what it reads, and at the end the verdict in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.content import Content

from ...engine.report.visible import visible
from ...engine.report.words import DASH, digits, joules, near_all, percent, ratio, seconds, size
from ...engine.result import Metrics, Result
from ..flags import rows_for_flags
from ..runview import RunView, StageView
from ..widgets.lines import Line, Listed, Span, hanging
from .pane import Pane

MARKS = {
    "waiting": ("·", "dim"),
    "going": ("▶", "accent"),
    "done": ("✓", "good"),
    "failed": ("✗", "bad"),
    "stopped": ("–", "warn"),
}
GOOD = {"faster", "smaller", "less", "cooler", "better"}
BAD = {"slower", "larger", "more", "hotter", "worse", "ruined"}
SELF_EVIDENT = {"latency", "size"}
"""Metrics whose verdict's word says by itself what is meant: faster, smaller."""
STAGE = 16
"""Columns of a stage's name: `prune.magnitude` fits."""
STATE_TONE = {"done": "good", "failed": "bad", "crashed": "bad", "cancelled": "warn", "lost": "warn"}


class RunPane(Pane):
    """Stages, bar, readings, verdict."""

    TITLE = "Run"
    HELP = (
        "The run that was started last, or was opened in the list of runs (R). It goes on when you quit.\n"
        "Stages: ✓ done, ▶ at work, · to come, ✗ failed, – stopped. The bar's time comes from this board's own history.\n"
        "Frames a second and latency are those of the measured loop, baseline and candidate on the same backend;\n"
        "the ratio is candidate over baseline, with its 95 % interval. L shows the layers of its plans."
    )

    def __init__(self) -> None:
        super().__init__(id="run", classes="pane")
        self._titles = ("", "")

    def compose(self) -> ComposeResult:
        """One block of rows."""
        self.rows = Listed(id="run-rows")
        yield self.rows

    def on_mount(self) -> None:
        """Draw with the pace."""
        super().on_mount()
        self.bench.pace.add(self, self.tick)
        self.tick()

    def on_resize(self) -> None:
        """Fit the new width."""
        self.tick()

    def tick(self) -> None:
        """Write what is known."""
        view = self.bench.link.view
        width = max(20, self.rows.size.width)
        lines = run_lines(view, width, self.key("resume", "ctrl+r")) if view else empty_rows(self.key("run", "r"))
        if len(lines) > self.rows.size.height:  # where room is short the rows stand closer
            lines = [line for line in lines if line]
        self.rows.show(lines)
        title = f"Run  {view.title}" if view else "Run"
        foot = self._foot(view)
        if (title, foot) != self._titles:
            self._titles = (title, foot)
            self.border_title, self.border_subtitle = Content(visible(title)), Content(foot)

    def _foot(self, view: RunView | None) -> str:
        if view is None:
            return ""
        if not view.state:
            return f"{self.key('cancel', 'c')} cancel"
        if view.state == "done":
            return f"{self.key('layers', 'L')} layers"
        return "" if view.state == "lost" else f"{self.key('resume', 'ctrl+r')} resume"


def empty_rows(run_key: str) -> list[Line]:
    """What stands there before the first run."""
    return [((" nothing has run yet: choose a model, a recipe and data, then press ", "dim"), (run_key, "key"))]


def run_lines(view: RunView, width: int, resume_key: str = "ctrl+r") -> list[Line]:
    """All rows of the pane."""
    stages = stage_rows(list(view.stages.values()), width)
    lines: list[Line] = [*stages, ()]
    if view.queued:
        lines += queued_rows(view, width)
    elif not view.state:
        lines += bar_rows(view, width)
    else:
        lines += ending(view, width, resume_key)
    table = result_rows(view.result, width) if view.result else reading_rows(view)
    return [*lines, *([()] if table else []), *table]


def queued_rows(view: RunView, width: int) -> list[Line]:
    """What the run waits for."""
    return hanging((("  queued  ", "warn"),), f"the board is busy with {view.waiting_for or 'another run'}", width)


def stage_rows(stages: Sequence[StageView], width: int) -> list[Line]:
    """`✓ inspect 0.4 s   ▶ measure   · evaluate`, over as many rows as it takes."""
    rows: list[Line] = []
    row: Line = ()
    used = 0
    for stage in stages:
        mark, tone = MARKS[stage.state]
        took = f" {seconds(stage.seconds)}" if stage.state == "done" and stage.seconds is not None else ""
        took = " cached" if stage.cached else took
        size_ = 1 + 2 + cell_len(stage.name) + cell_len(took) + 2
        if row and used + size_ > width:
            rows.append(row)
            row, used = (), 0
        name: Span = (stage.name, "value" if stage.state == "going" else "dim" if stage.state == "waiting" else "")
        row = (*row, (f" {mark} ", tone), name, (f"{took}  ", "dim"))
        used += size_
    return [*rows, row] if row else [((" starting …", "dim"),)]


def share_done(view: RunView) -> float | None:
    """How far the stage is, 0..1, by what it says, else by what it took before; it never goes back. None: not known."""
    progress = view.progress
    if progress is not None and progress.total:
        return view.reach(min(1.0, progress.done / progress.total))
    if view.eta_s:
        return view.reach(min(0.99, view.stage_elapsed() / view.eta_s))
    return view.furthest or None


TIME_ROOM = 26
"""Columns for `31 s of about 46 s`: the bar's length depends on the screen's width alone, so that it stands still."""


def bar_rows(view: RunView, width: int) -> list[Line]:
    """`measure   ████░░░  31 s of about 46 s`, and below it `3 of 8 s of measuring`."""
    elapsed = view.stage_elapsed()
    share = share_done(view)
    time_words = f"{elapsed:.0f} s"
    if view.eta_s:
        time_words += f" of about {max(view.eta_s, elapsed):.0f} s"
    room = max(10, min(60, width - STAGE - 9 - TIME_ROOM))
    full = 0 if share is None else round(share * room)
    percent_words = f" {share:4.0%}" if share is not None else "    –"
    bar: Line = (
        (f"  {view.stage:<{STAGE}.{STAGE}} ", "value"),
        ("█" * full, "accent"),
        ("░" * (room - full), "dim"),
        (percent_words, "value"),
        (f"   {time_words}", ""),
    )
    return [bar, ((" " * (STAGE + 3), ""), (doing_words(view), "dim"))]


def doing_words(view: RunView) -> str:
    """What the stage says it is at: `3 of 8 s of measuring`; empty: nothing."""
    if view.progress is None:
        return ""
    of = f"{view.progress.done:.0f} of {view.progress.total:.0f} " if view.progress.total else ""
    return of + view.progress.text


def reading_rows(view: RunView) -> list[Line]:
    """Baseline and candidate while they are measured."""
    if not view.sides:
        return []
    rows: list[Line] = [((f"{'':13}{'mean':>11}{'frames/s':>11}{'± 95 %':>9}{'samples':>9}", "dim"),)]
    for side, name in (("baseline", "FP32"), ("candidate", "candidate")):
        reading = view.sides.get(side)
        if reading is None:
            continue
        narrow = DASH if reading.half_width is None else f"{reading.half_width:.1%}"
        fps = digits(1000 / reading.mean_ms) if reading.mean_ms else DASH
        figures = f"{digits(reading.mean_ms) + ' ms':>11}{fps:>11}{narrow:>9}{reading.samples:>9}"
        rows.append(((f"  {name:<11}", "dim"), (figures, "value")))
    both = [view.sides.get(side) for side in ("candidate", "baseline")]
    if both[0] and both[1] and both[1].mean_ms:
        rows.append(
            (("  ratio      ", "dim"), (f"{digits(both[0].mean_ms / both[1].mean_ms):>8}   ", "value"), ("so far", "dim"))
        )
    return rows


def ending(view: RunView, width: int, resume_key: str = "ctrl+r") -> list[Line]:
    """How the run ended, in words."""
    tone = STATE_TONE.get(view.state, "")
    error = view.result.error if view.result and view.result.error else view.failure
    if view.state == "done" and view.result:
        return verdict_lines(view.result, width)
    lines: list[Line] = []
    if error is not None:
        mark = "✗" if view.state in ("failed", "crashed") else "·"
        lead: Line = ((f"  {mark} {view.state}", tone), (f" in {error.stage}: " if error.stage else ": ", "dim"))
        lines += hanging(lead, error.what, width, "value")
        lines += hanging((("    ", ""),), rows_for_flags(error.fix), width, "dim")
    else:
        lines.append(((f"  {view.state}", tone),))
    if view.state in ("crashed", "cancelled", "failed"):
        lines.append(
            (("    ", ""), (resume_key, "key"), (" takes the run up again: finished stages come from the cache", "dim"))
        )
    return lines


def verdict_lines(result: Result, width: int) -> list[Line]:
    """`faster  0.452 [0.447, 0.458] of the time   smaller  0.26 of the size   ...`, over as many rows as it takes."""
    difference = result.difference
    figures = {
        "latency": f"{ratio(difference.latency_ratio)} of the time",
        "size": f"{digits(difference.size_ratio)} of the size" if difference.size_ratio else "",
        "memory": f"{digits(difference.memory_ratio)} of the memory" if difference.memory_ratio else "",
        "accuracy": top1_words(result),
    }
    rows: list[Line] = []
    row: Line = ()
    used = 0
    if result.fidelity.ruined:
        row = (("  ", ""), ("▼ outputs ruined", "bad"), ("  see the warning  ", "dim"))
        used = sum(cell_len(text) for text, _ in row)
    for metric, word in result.verdict.items():
        tone = "good" if word in GOOD else "bad" if word in BAD else "value"
        mark = "▲" if word in GOOD else "▼" if word in BAD else "="
        name = f"{mark} {word}" if metric in SELF_EVIDENT and word in GOOD | BAD else f"{mark} {metric}: {word}"
        figure = f"  {figures.get(metric, '')}"
        size_ = cell_len(name) + cell_len(figure) + 4
        if row and used + size_ > width:
            rows.append(row)
            row, used = (), 0
        row = (*row, ("  ", ""), (name, tone), (f"{figure}  ", "dim"))
        used += size_
    return [*rows, row] if row else [(("  done", "good"), ("  nothing was compared", "dim"))]


def top1_words(result: Result) -> str:
    """Top-1 of both sides."""
    pair = (result.baseline.accuracy.top1, result.candidate.accuracy.top1)
    return "" if None in pair else f"top-1 {pair[0]:.3f} → {pair[1]:.3f}"


class Column(NamedTuple):
    """One column of the final table."""

    head: str
    width: int
    rank: int
    """Columns of the highest rank go first where the screen is narrow."""
    cell: Callable[[Metrics], str | None]


def _of(value: float | None, unit: str = "") -> str | None:
    return None if value is None else digits(value) + unit


COLUMNS = (
    Column("mean", 11, 0, lambda m: _of(m.latency_ms.mean, " ms")),
    Column("p50", 8, 4, lambda m: _of(m.latency_ms.p50)),
    Column("p90", 8, 6, lambda m: _of(m.latency_ms.p90)),
    Column("p99", 8, 3, lambda m: _of(m.latency_ms.p99)),
    Column("frames/s", 10, 1, lambda m: _of(m.fps)),
    Column("size", 10, 1, lambda m: None if m.size_bytes is None else size(m.size_bytes)),
    Column("memory", 9, 5, lambda m: None if m.memory_mb.process_peak is None else f"{m.memory_mb.process_peak:.0f} MB"),
    Column("J, net", 10, 3, lambda m: None if m.energy_j_per_inference.net is None else joules(m.energy_j_per_inference.net)),
    Column("load", 9, 7, lambda m: _of(m.load_ms, " ms")),
    Column("first", 10, 8, lambda m: _of(m.first_ms, " ms")),
    Column("top-1", 8, 2, lambda m: None if m.accuracy.top1 is None else f"{m.accuracy.top1:.3f}"),
    Column("F1", 8, 6, lambda m: None if m.accuracy.f1 is None else f"{m.accuracy.f1:.3f}"),
)


def result_rows(result: Result, width: int) -> list[Line]:
    """The figures of both sides when all is done: columns that say something, as many as fit."""
    sides = (("FP32", result.baseline), ("candidate", result.candidate))
    columns = [column for column in COLUMNS if any(column.cell(side) is not None for _, side in sides)]
    while columns and 13 + sum(column.width for column in columns) > width:
        columns.remove(max(columns, key=lambda column: column.rank))
    rows: list[Line] = []
    if columns:
        rows.append(((" " * 13 + "".join(f"{column.head:>{column.width}}" for column in columns), "dim"),))
        for name, side in sides:
            cells = "".join(f"{column.cell(side) or DASH:>{column.width}}" for column in columns)
            rows.append(((f"  {name:<11}", "dim"), (cells, "value")))
    value = result.difference.latency_ratio
    if value.value is not None:
        word = result.verdict.get("latency", "")
        rows.append((("  ratio      ", "dim"), (f"{ratio(value):>10}  ", "value"), (word, "good" if word in GOOD else "")))
    fidelity = result.fidelity
    if fidelity.cosine is not None or fidelity.agreement is not None:
        parts = [f"cosine {fidelity.cosine:.4f}"] if fidelity.cosine is not None else []
        parts += [f"{near_all(fidelity.agreement)} of elements equal"] if fidelity.agreement is not None else []
        parts += [f"{near_all(fidelity.rows_matched)} of rows matched"] if fidelity.rows_matched is not None else []
        parts += [f"SQNR {fidelity.sqnr_db:.1f} dB"] if fidelity.sqnr_db is not None else []
        parts += [f"offset rate {percent(fidelity.offset_rate_abs)}"] if fidelity.offset_rate_abs is not None else []
        while len("   ".join(parts)) > width - 13:
            parts.pop()
        rows.append((("  outputs    ", "dim"), ("   ".join(parts), "")))
    return [*rows, *(row for text in result.warnings for row in hanging((("  ! ", "warn"),), text, width, "dim"))]


def strip_lines(view: RunView, width: int) -> list[Line]:
    """Three rows for the narrow screen: the last stages, the bar, the newest figures."""
    stages = [stage for stage in view.stages.values() if stage.state != "waiting"][-3:]
    first = stage_rows(stages, 10_000)[0]
    if view.queued:
        return queued_rows(view, width)
    if not view.state:
        table = reading_rows(view)
        return [first, *bar_rows(view, width)[: 1 if table else 2], *table[-1:]]
    return [first, *ending(view, width)[:2]][:3]
