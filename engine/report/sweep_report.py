"""A sweep in words: its table, which row to take and why, and why figures are missing."""

from __future__ import annotations

from collections.abc import Sequence

from ..advice import words
from ..advice.sweep_answer import joules_words, row_words
from ..schema.sweep import SweepListed, SweepReport, SweepRow, SweepTime
from .study_report import STATE_WORDS
from .table import Paint, paragraph, plain

HEADS = ("", "frames/s", "latency", "power", "a frame", "")
NUMBERS = (1, 2, 3, 4)


def sweep_report(found: SweepReport, width: int, paint: Paint = plain) -> str:
    """The whole sweep."""
    parts = [paint(f"sweep {found.sweep}  {STATE_WORDS[found.state]}", "head")]
    about = [("model", found.model), ("board", found.board), ("wanted", found.want)]
    parts += [paragraph(f"{label:<10}{text}", width) for label, text in about if text]
    parts += ["", sweep_table(found.rows, found.answer, width, paint), ""]
    parts.append(paint(paragraph(found.why, width), "better" if found.answer is not None else "worse"))
    for reason, places in reasons_of(found.rows).items():
        parts.append(paint(paragraph(f"{words.DASH} {'; '.join(places)}: {reason}", width), "dim"))
    if found.mode_left:
        text = f"! the power mode {found.first_mode}, which was on before, is not back: {found.mode_left}; see `edgetui doctor`"
        parts.append(paint(paragraph(text, width), "worse"))
    elif found.first_mode and found.state != "running":
        parts.append(paint(f"the power mode is {found.first_mode} again, as before", "dim"))
    parts += [paint(paragraph(f"! {note}", width), "worse") for note in found.notes]
    return "\n".join(parts)


def sweep_table(rows: Sequence[SweepRow], answer: SweepRow | None, width: int, paint: Paint = plain) -> str:
    """A line a row; modes that did not come are one line each."""
    lines: list[tuple[str, ...]] = [HEADS]
    tones: list[tuple[str, ...]] = [("dim",) * len(HEADS)]
    for row in rows:
        taken = row == answer
        lines.append((f"{'*' if taken else ' '} {row_words(row)}", *cells_of(row)))
        tones.append((("better" if taken else ""),) * len(HEADS))
    return paint.table(lines, width=width, tones=tones, right=NUMBERS, heads=True)


def cells_of(row: SweepRow) -> tuple[str, str, str, str, str]:
    """Frames a second, latency, power, joules, and what is to say of the row."""
    half = None if row.latency_ms_low is None or row.latency_ms is None else row.latency_ms - row.latency_ms_low
    energy = row.energy_j_per_inference
    return (
        words.DASH if row.fps is None else words.digits(row.fps),
        words.ms(row.latency_ms, half) if row.latency_ms is not None else words.DASH,
        words.DASH if row.power_w is None else f"{words.digits(row.power_w)} W",
        words.DASH if energy is None else joules_words(energy),
        row.reason if row.rounds and row.power_w is not None else "",
    )


def reasons_of(rows: Sequence[SweepRow], *, every: bool = False) -> dict[str, list[str]]:
    """Why rows have dashes, each reason once with those that have it; of all alike one word, of all of a mode the mode.
    `every`: also how rows that have no dash fall short of the wish.
    """
    found: dict[str, list[SweepRow]] = {}
    for row in rows:
        if row.reason and (every or not (row.rounds and row.power_w is not None)):
            found.setdefault(row.reason, []).append(row)
    return {reason: _named(mine, rows) for reason, mine in found.items()}


def _named(some: Sequence[SweepRow], rows: Sequence[SweepRow]) -> list[str]:
    if len(some) == len(rows) > 1:
        return ["all rows"]
    whole = [
        mode for mode in dict.fromkeys(row.mode for row in some) if mode and all(r in some for r in rows if r.mode == mode)
    ]
    return [*whole, *(row_words(row) for row in some if row.mode not in whole)]


def sweep_time_words(found: SweepTime) -> str:
    """`about 9 min, 20 min at most, for 15 rows in 3 rounds over 5 power modes`: what is said before it starts."""
    usual, most = words.seconds(found.about_s), words.seconds(found.most_s)
    over = f" over {found.modes} power mode{'' if found.modes == 1 else 's'}" if found.modes else ""
    return (
        f"about {usual}{'' if most == usual else f', {most} at most,'} for {found.rows} row{'' if found.rows == 1 else 's'} in "
        f"{found.rounds} rounds{over}"
    )


def sweeps_report(sweeps: Sequence[SweepListed], width: int, paint: Paint = plain) -> str:
    """The list of sweeps, the newest first."""
    if not sweeps:
        return "no sweeps yet"
    rows = [("sweep", "", "rows", "of"), *((s.sweep, STATE_WORDS[s.state], str(s.rows), s.model) for s in sweeps)]
    tones = [("dim",) * 4, *((("", "", "", "dim"),) * len(sweeps))]
    return paint.table(rows, width=width, tones=tones, heads=True, right=(2,))
