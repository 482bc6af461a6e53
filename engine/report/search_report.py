"""A search in words: its answer, what it was chosen among, and which units are sensitive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..advice import words
from ..advice.goals import parse_goal
from ..advice.metrics import AIMS
from ..schema.figures import Ratio
from ..schema.search import (
    CandidateChecked,
    CandidateMeasured,
    EvenBeside,
    Over,
    SearchDocument,
    SearchLine,
    SearchPoint,
    TakenOver,
)
from .sanitize import sanitize
from .study_report import STATE_WORDS
from .table import Paint, paragraph, plain
from .width import fill, shortened, width_of

MOST_UNITS = 8
_MOST_POINTS = 12
_OF_RECIPES = ("format", "channels", "spread", "factors", "calibrator", "zeros")
"""Settings that recipes hold; the others are the backend's."""
_GAP = "  "
_SPARED = ("effect", "foretold")
"""Columns that go first where there is no room."""
_NAMES: dict[Over, str] = {"formats": "mixes", "settings": "settings", "channels": "shares"}


def search_report(found: SearchDocument, width: int, paint: Paint = plain) -> str:
    """The whole search."""
    of = f" of {found.most_builds}" if found.most_builds and found.state == "running" else ""
    within = f", within {words.seconds(found.within_s)}" if found.within_s and found.state == "running" else ""
    head = f"search {found.search}  {STATE_WORDS[found.state]}  {found.checks} checks, {found.builds}{of} measurements{within}"
    parts = [paint(line, "head") for line in fill(head, width, "", "  ")]
    parts += _labelled("goal", found.goal or "fastest", width)
    parts += [paint(line, "accent") for line in _labelled("answer", found.why, width)]
    if found.choice is not None and found.choice.run:
        if found.state != "done":
            parts += _labelled("best", f"{found.choice.run}, of what is known so far", width)
        parts += _labelled("plan", f"edgetui export {found.choice.run} --to DIR", width)
        if own := found.choice.settings:
            said = ", ".join(f"{name} = {value}" for name, value in own.items())
            parts += _labelled("run it", f"with {said}: that is not in the recipe", width)
    if found.taken is not None:
        parts += _labelled("learnt", _taken(found.taken), width)
    if found.sweep:
        parts += _labelled("then", f"{found.sweep} (power modes were left as they were)", width)
    if found.held_out is not None:
        parts += _labelled("shown", f"{difference_words(found.held_out.difference)} on the half that chose nothing", width)
    if found.even is not None:
        parts += _labelled("beside", _even(found.even), width)
    parts += [paragraph(f"! {text}", width, "  ") for text in found.wrong]
    points = [*found.built, *(point for point in found.front if point.run is None)]
    if points:
        aim = AIMS[parse_goal(found.goal).aim]
        head = f"{_NAMES[found.over]} by {aim.name}, times FP32's"
        parts += ["", paint(paragraph(head, width), "accent"), *_points(points, width, paint)]
    if found.sensitivity:
        what = "groups of channels" if found.over == "channels" else "units"
        parts += ["", paint(f"the most sensitive {what}, each alone", "accent"), *_units(found, width)]
    parts += [paint(paragraph(f"! {text}", width, "  "), "dim") for text in found.warnings]
    return "\n".join(parts)


def _taken(taken: TakenOver) -> str:
    if not taken.held:
        return f"what {taken.search} had learnt of these layers did not hold here: their costs were found anew"
    return f"what each of {taken.units} units costs is from {taken.search}; what was built here bears it out"


def _labelled(label: str, text: str, width: int) -> list[str]:
    return list(fill(sanitize(text), max(20, width), f"{label:<8}", " " * 8))


def _points(points: Sequence[SearchPoint], width: int, paint: Paint) -> list[str]:
    ordered = sorted(points, key=_cost, reverse=True)
    measured = [point for point in ordered if point.run is not None]
    others = [point for point in ordered if point.run is None]
    step = max(1, -(-len(others) // max(_MOST_POINTS - len(measured), 1)))
    shown = sorted([*measured, *others[::step]], key=_cost, reverse=True)
    settings = any(point.settings for point in shown)
    heads: tuple[str, ...] = ("units in", "effect", "foretold", "measured", "points")
    if settings:
        heads = ("settings", "measured", "points")
    if any(point.macs is not None for point in shown):
        heads = ("channels", "effect", "MACs", "measured", "points")
    lines = _fitting([heads, *(_cells(point) for point in shown)], width)
    lines[0] = paint(lines[0], "dim")
    left = len(ordered) - len(shown)
    return [*lines, paint(f"and {left} more that were not built", "dim")] if left else lines


def _fitting(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """Columns, less what can be spared; where they still do not fit, figures stand below what they are of, and a line of heads
    above all.
    """
    for spared in range(len(_SPARED) + 1):
        kept = [n for n, head in enumerate(rows[0]) if head not in _SPARED[:spared]]
        cut = [[row[n] for n in kept] for row in rows]
        wide = [max(len(row[n]) for row in cut) for n in range(len(kept))]
        if sum(wide) + len(_GAP) * (len(wide) - 1) <= width:
            return [_joined(row[0].ljust(wide[0]), row[1:], wide[1:]) for row in cut]
    wide = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = fill(", ".join(rows[0]), width, "", "  ")
    for row in rows[1:]:
        lines += [*fill(row[0], width, "", "  "), *fill(_joined("", row[1:], wide[1:]).rstrip(), width, "", "  ")]
    return lines


def _joined(first: str, cells: Sequence[str], wide: Sequence[int]) -> str:
    return _GAP.join([first, *(cell.rjust(room) for cell, room in zip(cells, wide, strict=True))])


def _cost(point: SearchPoint) -> float:
    if point.foretold is not None:
        return point.foretold
    return 1.0 if point.measured is None or point.measured.value is None else point.measured.value


def _cells(point: SearchPoint) -> tuple[str, ...]:
    told = (
        words.DASH if point.measured is None else ratio_text(point.measured),
        words.DASH if point.difference is None else _points_lost(point.difference),
    )
    if point.macs is not None:
        effect = words.DASH if point.effect is None else f"{point.effect:.2g}"
        return (f"{len(point.settings)} groups", effect, f"{100 * point.macs:.0f} %", *told)
    if point.settings:
        return (choice_words(point), *told)
    effect = words.DASH if point.effect is None else f"{point.effect:.2g}"
    return (choice_words(point), effect, words.DASH if point.foretold is None else f"{point.foretold:.3f}", *told)


def choice_words(point: SearchPoint) -> str:
    """Units by format, `53 INT8, 8 FP16`; or settings."""
    if point.settings:
        return _settings(point.settings)
    return ", ".join(f"{count} {form.upper()}" for form, count in reversed(point.formats.items()))


def _settings(settings: Mapping[str, str]) -> str:
    """Those that do something: `int8 mse, channels 0.25`; of shares, how many groups lose some."""
    if "format" not in settings:
        shares = [float(share) for share in settings.values()]
        ends = (
            f"{100 * min(shares):.3g} to {100 * max(shares):.3g}" if min(shares) < max(shares) else f"{100 * max(shares):.3g}"
        )
        return f"{len(shares)} groups, {ends} %"
    form = settings.get("format", "")
    found = [f"{form} {settings.get('calibrator', '')}" if form in ("int8", "mix") else form]
    spread = " by sensitivity" if settings.get("spread", "even") != "even" else ""
    found += [f"channels {settings['channels']}{spread}"] if float(settings.get("channels", 0)) else []
    found += [f"factors {settings['factors']}"] if float(settings.get("factors", 1)) < 1 else []
    found += [f"zeros {settings['zeros']}"] if float(settings.get("zeros", 0)) else []
    found += [f"{name} {value}" for name, value in settings.items() if name not in _OF_RECIPES]
    return ", ".join(found)


def ratio_text(ratio: Ratio) -> str:
    """`0.436 [0.430, 0.442]`."""
    if ratio.value is None:
        return words.DASH
    ends = f" [{ratio.low:.3f}, {ratio.high:.3f}]" if ratio.low is not None and ratio.high is not None else ""
    return f"{ratio.value:.3f}{ends}"


def difference_words(ratio: Ratio) -> str:
    """`-0.36 [-0.90, +0.18] points`: of quality, won or lost."""
    return _points_lost(ratio) + ("" if ratio.value is None else " points")


def _points_lost(ratio: Ratio) -> str:
    """`-0.36 [-0.90, +0.18]`: won or lost, in points."""
    if ratio.value is None:
        return words.DASH
    ends = ""
    if ratio.low is not None and ratio.high is not None:
        ends = f" [{words.signed(100 * ratio.low, 2)}, {words.signed(100 * ratio.high, 2)}]"
    return f"{words.signed(100 * ratio.value, 2)}{ends}"


def _even(even: EvenBeside) -> str:
    """What one share for all is worth beside the answer."""
    cost = "" if even.measured is None else f" and {ratio_text(even.measured)} of FP32's cost"
    what = f"one share for all ({100 * even.amount:.3g} %: {100 * even.macs:.0f} % of multiplications{cost})"
    told = even.difference
    if even.taken:
        return f"{what} is the answer: shares of their own are {difference_words(told)} beside it"
    shown = "no difference shown"
    if told.low is not None and told.low > 0:
        shown = "more accurate"
    elif told.low is None:
        shown = "samples cannot be paired"
    return f"{difference_words(told)} to {what}: {shown}"


def _units(found: SearchDocument, width: int) -> list[str]:
    """Names lose their middle before a figure loses its end."""
    shown = found.sensitivity[:MOST_UNITS]
    figures = [
        f"KL {unit.kl:.2g}" if unit.kl is not None else f"{unit.sqnr_db:.1f} dB" if unit.sqnr_db is not None else words.DASH
        for unit in shown
    ]
    form = max([8, *(width_of(unit.format) for unit in shown)])
    room = max(8, min(40, width - 2 - form - 2 * len(_GAP) - max(map(len, figures), default=0)))
    lines = []
    for unit, figure in zip(shown, figures, strict=True):
        name = shortened(unit.unit, room)
        lines.append(f"  {name}{' ' * (room - width_of(name))}{_GAP}{unit.format:<{form}}{_GAP}{figure}")
    left = len(found.sensitivity) - len(lines)
    return [*lines, f"  and {words.grouped(left)} more"] if left > 0 else lines


def now_lines(found: SearchDocument, lines: Sequence[SearchLine], run: str, stage: str, width: int) -> list[str]:
    """What a search that goes does now: the run that it waits for (empty: none) and its stage, then what was found last."""
    quantity = AIMS[parse_goal(found.goal).aim].limited_as
    told = [text for line in lines if (text := line_text(line, quantity))][-2:]
    doing = f"▶ {run}{f'  {stage}' if stage else ''}" if run else "▶ looks at layers, or thinks"
    return [*_labelled("now", doing, width), *(row for text in told for row in _labelled("found", text, width))]


def line_text(line: SearchLine, quantity: str) -> str:
    """A line of what was found, as it is followed; empty: nothing to say."""
    if line.note:
        return line.note
    if line.sensitivity is not None:
        rows = line.sensitivity.rows
        if line.sensitivity.channels is not None:
            return f"{len(line.sensitivity.channels.groups)} groups of channels at {len(rows)} shares"
        return f"{len(rows)} units; the most sensitive is {rows[0].unit}" if rows else "no units"
    if line.checked is not None:
        return f"{_mix(line.checked)}: {difference_words(line.checked.difference)} on half {line.checked.half}"
    if line.measured is not None:
        ratio = line.measured.ratios.get(quantity, Ratio())
        return f"{_mix(line.measured)}: {ratio_text(ratio)} of FP32's {quantity}"
    return ""


def _mix(found: CandidateChecked | CandidateMeasured) -> str:
    if any("=" in word for word in found.of):
        return _settings(dict(word.split("=", 1) for word in found.of))
    forms = [form for form in ("int8", "fp16", "fp32") if form in found.of]
    if len(forms) == 1:
        return f"all {forms[0].upper()}"
    return ", ".join(f"{found.of.count(form)} units {form.upper()}" for form in forms)
