"""The rows that a run fills: its stages, how far it is, its readings, the verdict and the figures.

Apart from the pane, which knows how many of them have room.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.advice.columns import GUARD, Column
from ...engine.advice.metric import Change, Metric
from ...engine.advice.metrics import changes, final_columns
from ...engine.advice.verdict import BETTER, DIFFERS, EVIDENT, named, tone
from ...engine.advice.words import DASH, digits, fixed, near_all, percent, ratio, took, took_together, waits
from ...engine.errors import said
from ...engine.report.width import shortened, width_of
from ...engine.schema.events import Learning
from ...engine.schema.result import Result
from ..fix_words import as_row
from ..runview import RunView, StageView, numbered
from ..widgets.lines import Line, Span, begun, hanging

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
TOOK = 7
"""Columns of a stage's time: ` 0.4 s`, ` cached`."""
STATE_TONE = {"done": "good", "failed": "bad", "crashed": "bad", "cancelled": "warn", "lost": "warn"}


def member_rows(members: Sequence[RunView], shown: RunView, width: int) -> list[Line]:
    """`▸✓ int8 0.452 faster   ▶ prune-5 lower   · fp16 waits`, over as many rows as it takes; ▸ is the one whose figures stand
    below.
    """
    rows: list[Line] = []
    row: Line = ()
    used = 0
    for name, view in zip(numbered([view.recipe or view.run for view in members]), members, strict=True):
        mark, tone_, words_ = member_words(view)
        size_ = width_of(name) + width_of(words_) + 6
        if row and used + size_ > width:
            rows.append(row)
            row, used = (), 0
        here = "▸" if view is shown else " "
        row = (
            *row,
            (here, "accent"),
            (f"{mark} ", tone_),
            (name, "accent" if view is shown else "value"),
            (f" {words_}  ", "dim"),
        )
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


def advice_rows(found: Comparison | None, width: int, *, goal: bool = True) -> list[Line]:
    """Which of them to take, once all have ended; `goal`: what for as well."""
    if found is None:
        return []
    return [row for text in found.advice[0 if goal else 1 : 2] for row in hanging((("  ", ""),), text, width, "value")]


def run_lines(view: RunView, width: int, resume_key: str = "ctrl+r") -> list[Line]:
    """All rows of the pane."""
    stages = stage_rows(list(view.stages.values()), width, steady=not view.state)
    lines: list[Line] = [*stages, ()]
    if view.queued:
        lines += queued_rows(view, width)
    elif not view.state:
        lines += bar_rows(view, width)
    else:
        lines += ending(view, width, resume_key)
    table = result_rows(view.result, width) if view.result else (learning_rows(view) or reading_rows(view))
    return [*lines, *([()] if table else []), *table]


def fitting_rows(
    view: RunView, members: Sequence[RunView], found: Comparison | None, width: int, height: int, resume_key: str = "ctrl+r"
) -> list[Line]:
    """The same, with the runs that were started together, in the order of importance where not all has room in `height`: stages
    that are done are one row then, and the verdict and the figures of both sides come before what explains them.
    """
    top = member_rows(members, view, width) if len(members) > 1 else []
    advice = advice_rows(found, width) if top else []
    lines = [*top, *advice, *([()] if top else []), *run_lines(view, width, resume_key)]
    known = 0 if view.state or view.queued else len(learning_rows(view) or reading_rows(view))
    to_come = 0 if view.state or view.queued else max(0, READINGS - known)  # what is above stays in its place when they come
    if len(lines) + to_come + (to_come == READINGS) <= height:
        return lines
    close = [line for line in lines if line]
    if len(close) + to_come <= height:
        return close
    stages = stages_row(list(view.stages.values()), width)
    if not view.state:
        at = queued_rows(view, width) if view.queued else bar_rows(view, width)
        return [*top, stages, *at, *(learning_rows(view) or reading_rows(view))]
    ended = ending(view, width, resume_key)
    if view.result is None:
        return [*top, *advice, *ended, stages]
    figures, notes = figure_rows(view.result, width), note_rows(view.result, width)
    if len(top) + len(advice) + len(ended) + len(figures) > height:
        advice = advice_rows(found, width, goal=False) if top else []
    top = [*top, *advice]
    room = max(1, height - len(top) - len(figures))
    return [*top, *ended[:room], *figures, stages, *ended[room:], *notes]


def queued_rows(view: RunView, width: int) -> list[Line]:
    """What the run waits for."""
    return hanging((("  queued  ", "warn"),), waits(view.waits) if view.waits else "", width)


def stage_rows(stages: Sequence[StageView], width: int, *, steady: bool = False) -> list[Line]:
    """`✓ inspect 0.4 s   ▶ measure   · evaluate`, over as many rows as it takes; `steady`: each keeps the room for its time,
    so that nothing moves as stages end.
    """
    rows: list[Line] = []
    row: Line = ()
    used = 0
    for stage in stages:
        mark, tone = MARKS[stage.state]
        known = stage.state == "done" and (stage.cached or stage.seconds is not None)
        time = f" {took(stage.seconds, cached=stage.cached)}" if known else ""
        time = f"{time:<{TOOK}}" if steady else time
        size_ = 1 + 2 + width_of(stage.name) + width_of(time) + 2
        if row and used + size_ > width:
            rows.append(row)
            row, used = (), 0
        name: Span = (stage.name, "value" if stage.state == "going" else "dim" if stage.state == "waiting" else "")
        row = (*row, (f" {mark} ", tone), name, (f"{time}  ", "dim"))
        used += size_
    return [*rows, row] if row else [((" starting …", "dim"),)]


def stages_row(stages: Sequence[StageView], width: int) -> Line:
    """`✓ 7 stages 4.1 s   ▶ measure   · evaluate` in one row: what is done is counted where it has no room of its own."""
    for counted in range(len(stages)):
        done, rest = stages[:counted], stages[counted:]
        if any(stage.state != "done" for stage in done):
            break
        time = took_together([(stage.seconds, stage.cached) for stage in done])
        lead: Line = (
            ((f" {MARKS['done'][0]} ", MARKS["done"][1]), (f"{counted} stages", ""), (f" {time}  ", "dim")) if done else ()
        )
        rows = stage_rows(rest, max(10, width - sum(width_of(text) for text, _ in lead)))
        if len(rows) == 1:
            return (*lead, *rows[0])
    return stage_rows([stage for stage in stages if stage.state != "done"] or stages[-1:], width)[0]


def share_done(view: RunView) -> float | None:
    """How far the stage is, 0..1, by what it says, else by what it took before; it never goes back. None: not known."""
    if (told := view.told_share()) is not None:
        return view.reach(told)
    if view.eta_s:
        return view.reach(min(0.99, view.stage_elapsed() / view.eta_s))
    return view.furthest or None


MOST_BAR = 120
"""Columns of a bar on the widest screens: the time behind it stays near."""
TIME_ROOM = 26
"""Columns for `31 s of about 46 s`: the bar's length depends on the screen's width alone, so that it stands still."""


def bar_rows(view: RunView, width: int) -> list[Line]:
    """`measure   ████░░░  31 s of about 46 s`, and below it `3 of 8 s of measuring`."""
    elapsed = view.stage_elapsed()
    share = share_done(view)
    time_words = f"{elapsed:.0f} s"
    if (takes := view.stage_takes_s()) is not None and round(takes) > round(elapsed):
        time_words += f" of about {takes:.0f} s"
    room = max(10, min(MOST_BAR, width - STAGE - 10 - TIME_ROOM))
    full = 0 if share is None else round(share * room)
    percent_words = f" {100 * share:3.0f} %" if share is not None else "     –"
    bar: Line = (
        (f"  {view.stage:<{STAGE}.{STAGE}} ", "value"),
        ("█" * full, "accent"),
        ("░" * (room - full), "dim"),
        (percent_words, "value"),
        (f"   {time_words}", ""),
    )
    return [bar, ((" " * (STAGE + 3), ""), (view.doing(), "dim"))]


def reading_rows(view: RunView) -> list[Line]:
    """Baseline and candidate while they are measured."""
    if not view.sides:
        return []
    rows: list[Line] = [((f"{'':13}{'mean':>11}{'frames/s':>11}{'± 95 %':>9}{'samples':>9}", "dim"),)]
    for side, name in (("baseline", "FP32"), ("candidate", "candidate"), ("guard", GUARD)):
        reading = view.sides.get(side)
        if reading is None:
            continue
        narrow = DASH if reading.half_width is None else f"{100 * reading.half_width:.1f} %"
        fps = digits(1000 / reading.mean_ms) if reading.mean_ms else DASH
        figures = f"{digits(reading.mean_ms) + ' ms':>11}{fps:>11}{narrow:>9}{reading.samples:>9}"
        rows.append(((f"  {name:<11}", "dim"), (figures, "value")))
    both = [view.sides.get(side) for side in ("candidate", "baseline")]
    if both[0] and both[1] and both[1].mean_ms:
        rows.append(
            (("  ratio      ", "dim"), (f"{digits(both[0].mean_ms / both[1].mean_ms):>8}   ", "value"), ("so far", "dim"))
        )
    return rows


READINGS = 4
"""Rows of the table of readings, without a guard's."""
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
    right = [DASH if share is None else f"{100 * share:.1f} %" for share in (told.accuracy, told.held_accuracy)]
    figures = f"{losses[0]:>8}{right[0]:>8}{losses[1]:>17}{right[1]:>8}"
    return ((" ✓" if best else "  ", "good"), (f"{name:<14}", "dim"), (figures, "" if told.ended else "value"))


def ending(view: RunView, width: int, resume_key: str = "ctrl+r", *, short: bool = False) -> list[Line]:
    """How the run ended, in words; `short`: why it failed is one row, and what to do another."""
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
        what, fix = error.what, said(error.refusal.fixes, as_row)
        if short:
            what, fix = shortened(what, width - sum(width_of(text) for text, _ in lead)), begun(fix, width - 4)
        lines += [*hanging(lead, what, width, "value"), *hanging((("    ", ""),), fix, width, "dim")]
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
    """The figures of both sides when all is done, and what is to be known of them."""
    return [*figure_rows(result, width), *note_rows(result, width)]


def figure_rows(result: Result, width: int) -> list[Line]:
    """A row for each side: columns that say something, as many as fit; and their ratio."""
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
    return rows


def note_rows(result: Result, width: int) -> list[Line]:
    """How near the outputs are, and the warnings."""
    rows: list[Line] = []
    fidelity = result.fidelity
    if fidelity.cosine is not None or fidelity.agreement is not None:
        parts = [f"cosine {fixed(fidelity.cosine, 4)}"] if fidelity.cosine is not None else []
        parts += [f"{near_all(fidelity.agreement)} of elements equal"] if fidelity.agreement is not None else []
        parts += [f"{near_all(fidelity.rows_matched)} of rows matched"] if fidelity.rows_matched is not None else []
        parts += [f"SQNR {fixed(fidelity.sqnr_db, 1)} dB"] if fidelity.sqnr_db is not None else []
        parts += [f"offset rate {percent(fidelity.offset_rate_abs)}"] if fidelity.offset_rate_abs is not None else []
        while len("   ".join(parts)) > width - 13:
            parts.pop()
        rows.append((("  outputs    ", "dim"), ("   ".join(parts), "")))
    return [*rows, *(row for text in result.warnings for row in hanging((("  ! ", "warn"),), text, width, "dim"))]


def strip_lines(view: RunView, width: int, height: int = 3, of: str = "") -> list[Line]:
    """Below the other panes of a narrow screen: which run it is (`of`: which of several), then the bar and the newest figures.

    Of one that has ended the verdict, and the figures of both sides where there are rows for them.
    """
    if view.queued:
        return queued_rows(view, width)
    name: Line = ((" Run ", "dim"), (view.title, "title"), (f"   {of}" if of else "", "dim"))
    if not view.state:
        table = learning_rows(view, epochs=0) or reading_rows(view)
        now = [stage for stage in view.stages.values() if stage.state != "waiting"]
        room = width - sum(width_of(text) for text, _ in name) - 3
        stages = stages_row(now, room) if now else ()
        fits = sum(width_of(text) for text, _ in stages) <= room
        rows = bar_rows(view, width)
        return [
            (*name, ("   ", ""), *stages) if fits else name,
            *rows[: 1 if table and height < 5 else 2],
            *table[-(height - 2) :],
        ][:height]
    ended = ending(view, width, short=height < 5)
    figures = figure_rows(view.result, width) if view.result is not None and height > 4 else []
    return [name, *ended[: max(2, height - 1 - len(figures))], *figures][:height]
