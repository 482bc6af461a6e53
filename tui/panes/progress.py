"""The run that is being watched: its stages, how far it is, what it reads, and at the end the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content

from ...engine.advice.columns import GUARD, Column
from ...engine.advice.metric import Change, Metric
from ...engine.advice.metrics import changes, final_columns
from ...engine.advice.verdict import BETTER, DIFFERS, EVIDENT, named, tone
from ...engine.advice.words import DASH, digits, near_all, percent, ratio, seconds
from ...engine.errors import said
from ...engine.report.sanitize import sanitize
from ...engine.report.width import width_of
from ...engine.schema.events import Learning
from ...engine.schema.result import Result
from ..fix_words import as_row
from ..runview import RunView, StageView, numbered
from ..widgets.lines import Line, Scrolling, Span, hanging
from .pane import Pane

if TYPE_CHECKING:
    from ...engine.api import Comparison

MARKS = {
    "waiting": ("·", "dim"),
    "going": ("▶", "accent"),
    "done": ("✓", "good"),
    "failed": ("✗", "bad"),
    "stopped": ("–", "warn"),
}
TONES = {"better": ("▲", "good"), "worse": ("▼", "bad"), "": ("=", "value")}
"""Mark and style of a verdict."""
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
        self.rows = Scrolling(id="run-rows")
        yield self.rows

    def on_mount(self) -> None:
        """Draw with the pace."""
        super().on_mount()
        self.desk.pace.add(self, self.tick)
        self.tick()

    def on_resize(self) -> None:
        """Fit the new width."""
        self.tick()

    def tick(self) -> None:
        """Write what is known."""
        link = self.desk.link
        view = link.view
        width = max(20, self.rows.size.width)
        lines = run_lines(view, width, self.key("resume", "ctrl+r")) if view else empty_rows(self.key("run", "r"))
        if view is not None and len(link.members) > 1:
            lines = [*member_rows(link.members, view, width), *advice_rows(link.comparison, width), (), *lines]
        if len(lines) > self.rows.size.height:  # where room is short the rows stand closer
            lines = [line for line in lines if line]
        self.rows.show(lines)
        title = f"Run  {view.title}" if view else "Run"
        foot = self._foot(view)
        if (title, foot) != self._titles:
            self._titles = (title, foot)
            self.border_title, self.border_subtitle = Content(sanitize(title)), Content(foot)

    def _foot(self, view: RunView | None) -> str:
        if view is None:
            return ""
        several = (
            f"{self.key('member', 'v')} next of {len(self.desk.link.members)}   " if len(self.desk.link.members) > 1 else ""
        )
        return several + self._own_foot(view)

    def _own_foot(self, view: RunView) -> str:
        if not view.state:
            return f"{self.key('cancel', 'c')} cancel"
        if view.state == "done":
            return f"{self.key('layers', 'L')} layers"
        return "" if view.state == "lost" else f"{self.key('resume', 'ctrl+r')} resume"


def member_rows(members: Sequence[RunView], shown: RunView, width: int) -> list[Line]:
    """`✓ int8 0.452 faster   ▶ prune-5 lower   · fp16 waits`, over as many rows as it takes."""
    rows: list[Line] = []
    row: Line = ()
    used = 0
    for name, view in zip(numbered([view.recipe or view.run for view in members]), members, strict=True):
        mark, tone_, words_ = member_words(view)
        size_ = width_of(name) + width_of(words_) + 6
        if row and used + size_ > width:
            rows.append(row)
            row, used = (), 0
        row = (*row, (f" {mark} ", tone_), (name, "accent" if view is shown else "value"), (f" {words_}  ", "dim"))
        used += size_
    return [*rows, row]


def member_words(view: RunView) -> tuple[str, str, str]:
    """A mark, its style, and what one of several runs does or has become."""
    if view.state == "done" and view.result is not None:
        figure = view.result.difference.latency_ratio
        word = view.result.verdict.get("latency", "")
        return (*MARKS["done"], f"{digits(figure.value)} {word}" if figure.value is not None else "done")
    if view.state:
        return (MARKS["failed"][0], STATE_TONE.get(view.state, "bad"), view.state)
    if view.queued:
        return (*MARKS["waiting"], "queued")
    return (*MARKS["going"], view.stage) if view.going else (*MARKS["waiting"], "waits")


def advice_rows(found: Comparison | None, width: int) -> list[Line]:
    """Which of them to take, once all have ended."""
    if found is None:
        return []
    return [row for text in found.advice[:2] for row in hanging((("  ", ""),), text, width, "value")]


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
    table = result_rows(view.result, width) if view.result else (learning_rows(view) or reading_rows(view))
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
        size_ = 1 + 2 + width_of(stage.name) + width_of(took) + 2
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
    for side, name in (("baseline", "FP32"), ("candidate", "candidate"), ("guard", GUARD)):
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


EPOCHS = 4
"""Epochs that have ended, of which figures stand below each other."""


def learning_rows(view: RunView, epochs: int = EPOCHS) -> list[Line]:
    """How a training goes: the last epochs that have ended, at most so many, and the one that is going."""
    now = view.learning
    if now is None or not view.going:
        return []
    rows: list[Line] = [((f"{'':16}{'loss':>8}{'right':>8}{'held out: loss':>17}{'right':>8}", "dim"),)]
    if epochs:
        rows += [_learning_row(told, best=told.epoch == now.best) for told in list(view.epochs)[-epochs:]]
    return rows if now.ended and epochs else [*rows, _learning_row(now, best=False)]


def _learning_row(told: Learning, *, best: bool) -> Line:
    name = f"epoch {told.epoch}" if told.ended else f"epoch {told.epoch} of {told.epochs}"
    losses = [DASH if loss is None else f"{loss:.3f}" for loss in (told.loss, told.held_loss)]
    right = [DASH if share is None else f"{share:.1%}" for share in (told.accuracy, told.held_accuracy)]
    figures = f"{losses[0]:>8}{right[0]:>8}{losses[1]:>17}{right[1]:>8}"
    return ((" ✓" if best else "  ", "good"), (f"{name:<14}", "dim"), (figures, "" if told.ended else "value"))


def ending(view: RunView, width: int, resume_key: str = "ctrl+r") -> list[Line]:
    """How the run ended, in words."""
    tone = STATE_TONE.get(view.state, "")
    error = view.result.error if view.result and view.result.error else view.failure
    if view.state == "done" and view.result:
        from ...engine.advice.sentences import guard_sentence  # what words advice is not needed before a run is done

        guard = guard_sentence(view.result)
        return [*verdict_lines(view.result, width), *(hanging((("  ", ""),), guard, width, "value") if guard else [])]
    lines: list[Line] = []
    if error is not None:
        mark = "✗" if view.state in ("failed", "crashed") else "·"
        lead: Line = ((f"  {mark} {view.state}", tone), (f" in {error.stage}: " if error.stage else ": ", "dim"))
        lines += hanging(lead, error.what, width, "value")
        lines += hanging((("    ", ""),), said(error.refusal.fixes, as_row), width, "dim")
    else:
        lines.append(((f"  {view.state}", tone),))
    if view.state in ("crashed", "cancelled", "failed"):
        lines.append(
            (("    ", ""), (resume_key, "key"), (" takes the run up again: finished stages come from the cache", "dim"))
        )
    return lines


def verdict_lines(result: Result, width: int) -> list[Line]:
    """`faster  0.452 [0.447, 0.458] of the time   smaller  0.26 of the size   ...`, over as many rows as it takes."""
    rows: list[Line] = []
    row: Line = ()
    used = 0
    if result.fidelity.ruined:
        row = (("  ", ""), ("▼ outputs ruined", "bad"), ("  see the warning  ", "dim"))
        used = sum(width_of(text) for text, _ in row)
    figures = {metric.key: figure_words(metric, change, result) for metric, change in changes()}
    for metric, word in result.verdict.items():
        mark, style = TONES[tone(word)]
        name = f"{mark} {word}" if metric in EVIDENT and word in DIFFERS else f"{mark} {named(metric)}: {word}"
        figure = f"  {figures.get(metric, '')}"
        size_ = width_of(name) + width_of(figure) + 4
        if row and used + size_ > width:
            rows.append(row)
            row, used = (), 0
        row = (*row, ("  ", ""), (name, style), (f"{figure}  ", "dim"))
        used += size_
    return [*rows, row] if row else [(("  done", "good"), ("  nothing was compared", "dim"))]


def figure_words(metric: Metric, change: Change, result: Result) -> str:
    """`0.452 [0.447, 0.458] of the time`; `0.810 → 0.800` where no ratio is told. Empty: not known."""
    if change.said:
        figure = change.figure(result.difference)
        return f"{ratio(figure)} {change.said}" if figure.value is not None else ""
    if any(metric.value(side) is None for side in both(result)):
        return ""
    return " → ".join(metric.figure(side) for side in both(result))


def both(result: Result) -> tuple[Column, ...]:
    """Baseline and candidate of a run."""
    return Column("FP32", result.baseline, result, candidate=False), Column(
        "candidate", result.candidate, result, candidate=True
    )


def result_rows(result: Result, width: int) -> list[Line]:
    """The figures of both sides when all is done: columns that say something, as many as fit."""
    sides = both(result)
    if result.guard is not None:
        sides = (*sides, Column(GUARD, result.guard, result, candidate=True, guard=True))
    columns = [(metric, column) for metric, column in final_columns() if any(metric.value(side) is not None for side in sides)]
    while columns and 13 + sum(column.width for _, column in columns) > width:
        columns.remove(max(columns, key=lambda each: each[1].rank))
    rows: list[Line] = []
    if columns:
        rows.append(((" " * 13 + "".join(f"{column.head:>{column.width}}" for _, column in columns), "dim"),))
        for side in sides:
            cells = "".join(f"{metric.figure(side):>{column.width}}" for metric, column in columns)
            rows.append(((f"  {side.label:<11}", "dim"), (cells, "value")))
    value = result.difference.latency_ratio
    if value.value is not None:
        word = result.verdict.get("latency", "")
        rows.append((("  ratio      ", "dim"), (f"{ratio(value):>10}  ", "value"), (word, "good" if word in BETTER else "")))
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
        table = learning_rows(view, epochs=0) or reading_rows(view)
        return [first, *bar_rows(view, width)[: 1 if table else 2], *table[-1:]]
    return [first, *ending(view, width)[:2]][:3]
