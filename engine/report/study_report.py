"""A study in words: its table with the paper's figures below ours, what each row is of, and why figures are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, log10

from ..advice import words
from ..advice.rows import TableRow
from ..advice.study_choice import CHOICE
from ..advice.verdict import Tone
from ..schema.study_table import StudyCell, StudyDone, StudyListed, StudyTable, StudyTableRow, StudyTime
from .table import Paint, paragraph, plain
from .text import fitted

_Section = tuple[str, str, tuple[str, ...]]
"""An experiment, a model (empty: all), the columns."""
NOT_KNOWN = " [not known]"
_SAYS_LITTLE = 1000.0
"""Times a figure, or a change of 100 %, that it may as well be: tables of runs leave such intervals out as well."""
STATE_WORDS = {
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "crashed": "not finished",
    "running": "going",
    "queued": "queued",
}


def study_report(found: StudyTable, width: int, paint: Paint = plain) -> str:
    """The whole study."""
    kind = ", small" if found.small else ""
    parts = [paint(f"{found.study}{kind}  {STATE_WORDS[found.state]}  {found.done} of {found.groups} groups", "head")]
    about = [("study", found.title), ("paper", found.paper), ("its board", found.board), ("here", found.here)]
    parts += [paragraph(f"{label:<10}{text}", width) for label, text in about if text]
    for (_, model, names), rows in _sections(found).items():
        first = rows[0]
        many = f"mean of {first.repeats} repeats" if first.repeats > 1 else ""
        chosen = "" if model else f"what each decider takes for a goal, {first.unit}"
        head = ", ".join(filter(None, [model, first.experiment, first.workload, many, chosen]))
        lines = [line for row in rows for line in _lines(row)]
        baseline = [0] if names[0] == found.variants[0] else []  # ranks are of the others alone
        parts += ["", paint(paragraph(head, width), "accent"), fitted(names, lines, width, baseline, paint)]
    parts += ["", *_missing(found.rows, width, paint), *_models(found.rows, width, paint)]
    noted: dict[str, dict[str, None]] = {}
    for row in found.rows:
        if row.note:
            noted.setdefault(row.note, {})[row.figure] = None
    said = [*dict.fromkeys(found.notes), *(f"{', '.join(names)}: {note}" for note, names in noted.items())]
    parts += [paint(paragraph(f"· {note}", width), "dim") for note in said]
    return "\n".join(parts)


def _sections(table: StudyTable) -> dict[_Section, list[StudyTableRow]]:
    """Rows that stand in one table: a model's of an experiment, with the same columns; of choices all models together."""
    found: dict[_Section, list[StudyTableRow]] = {}
    for row in table.rows:
        key = (row.experiment, "" if row.figure.startswith(CHOICE) else row.model, tuple(row.here))
        found.setdefault(key, []).append(row)
    return found


def _lines(row: StudyTableRow) -> Iterator[TableRow]:
    goal = row.figure.removeprefix(CHOICE)
    label = ", ".join(filter(None, [row.figure, row.unit] if goal == row.figure else [goal, row.model]))
    tones: list[Tone] = [""] * len(row.here)
    untoned = tuple(tones)
    yield TableRow(label, tuple(cell_text(cell) for cell in row.here.values()), tones=untoned)
    if any(value is not None for value in row.paper.values()):
        told = tuple(words.DASH if value is None else number(value) for value in row.paper.values())
        yield TableRow("the paper", told, "detail", tones=untoned)


def cell_text(cell: StudyCell) -> str:
    """`-7.1 [-9.0, -5.2]`, with two digits of the interval's half; of a choice what was chosen, and its regret."""
    chosen = f"{cell.choice} " if isinstance(cell.choice, str) else ""
    if cell.value is None:
        return f"{chosen}{words.DASH}"
    if cell.low is None or cell.high is None or cell.low == cell.high:  # the same each time: an interval would say nothing
        return chosen + number(cell.value) + (NOT_KNOWN if cell.reason else "")
    if cell.high > _SAYS_LITTLE * max(abs(cell.value), 100):  # a machine so busy that a ratio is open to one side
        return chosen + number(cell.value) + NOT_KNOWN
    half = (cell.high - cell.low) / 2
    places = max(0, 1 - floor(log10(half)))
    value, low, high = (f"{each:.{places}f}" for each in (cell.value, cell.low, cell.high))
    return f"{chosen}{value if float(value) else value.removeprefix('-')} [{low}, {high}]"


def number(value: float) -> str:
    """Three digits; a small negative one as well."""
    return words.digits(value) if value >= 0 else f"-{words.digits(-value)}"


def _missing(rows: Sequence[StudyTableRow], width: int, paint: Paint) -> list[str]:
    """Each reason once, with the figures that are dashes for it, or whose intervals are not known."""
    reasons: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for row in rows:
        for name, cell in row.here.items():
            if cell.reason:
                mark = words.DASH if cell.value is None else NOT_KNOWN.strip()
                reasons.setdefault((mark, cell.reason), {}).setdefault(row.figure, {})[name] = None
    found = []
    for (mark, reason), figures_of in reasons.items():
        columns = {tuple(names) for names in figures_of.values()}
        of = f" of {', '.join(next(iter(columns)))}" if len(columns) == 1 else ""
        found.append(paint(paragraph(f"{mark} {', '.join(figures_of)}{of}: {reason}", width), "dim"))
    return found


def _models(rows: Sequence[StudyTableRow], width: int, paint: Paint) -> list[str]:
    """What each model is, with its data and weights, and what it stands for."""
    told: dict[str, None] = {}
    for row in rows:
        stands = f", in place of {row.in_place_of}" if row.in_place_of else ""
        told[f"{row.model}{stands}; weights: {row.weights}; data: {row.data}"] = None
    return [paint(paragraph(f"model {each}", width), "dim") for each in told]


def time_words(found: StudyTime) -> str:
    """`about 9 min, 12 min at most, for 44 runs in 11 groups, ...`: what is said before a study starts."""
    several = "" if found.groups == 1 else "s"
    usual, most = words.seconds(found.about_s), words.seconds(found.most_s)
    text = (
        f"about {usual}{'' if most == usual else f', {most} at most,'} for {found.runs} runs in {found.groups} group{several}"
    )
    if found.like_before:
        text += f", {found.like_before} of which took so long here before"
    if found.training:
        text += f"; and training, of {found.training} runs, which has not been done here yet"
    return text


def studies_report(studies: Sequence[StudyListed], width: int, paint: Paint = plain) -> str:
    """The list of studies, each with what was done of it here."""
    rows = [("study", "", "here"), *((each.study, each.title, "; ".join(map(done_words, each.here))) for each in studies)]
    tones = [("dim",) * 3, *((("", "", "dim"),) * len(studies))]
    return paint.table(rows, width=width, tones=tones, heads=True)


def done_words(done: StudyDone) -> str:
    """`small, not finished, 3 of 11`."""
    far = "" if done.state == "done" else f", {done.done} of {done.groups}"
    return f"{'small, ' if done.small else ''}{STATE_WORDS[done.state]}{far}"
