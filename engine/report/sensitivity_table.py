"""A sensitivity in words and as a table: the same on the screen and in what `edgetui sensitivity` prints."""

from __future__ import annotations

from ..advice import words
from ..schema.sensitivity import UNITS, Sensitivity, SensitivityRow, WeightHistogram
from .table import Paint, paragraph, plain

BARS = " ▁▂▃▄▅▆▇█"
_LEAST = 1e-4
"""Below this a divergence is as good as none."""
KNEE = "knee"
COLUMNS = {
    "zeros": "zeros",
    "kl": "KL",
    "agreement": "same class",
    "sqnr_db": "SQNR",
    "local_sqnr_db": "local",
    "offset_rate": "offset",
    "offset_rate_abs": "|offset|",
    "left_out": "left out",
}
"""Figures of a row and what their columns are called."""
OF_UNITS = ("kl", "agreement", "sqnr_db", "local_sqnr_db", "offset_rate_abs")
OF_SWEEPS = ("zeros", "offset_rate", "offset_rate_abs", "left_out", "kl", "agreement", "sqnr_db")


def cell(row: SensitivityRow, name: str) -> str:
    """A figure of a row as people read it; a dash where it is not known."""
    value = getattr(row, name)
    if value is None:
        return words.DASH
    if name in ("kl",):
        return small(value)
    if name in ("sqnr_db", "local_sqnr_db"):
        return f"{value:.1f} dB"
    if name == "agreement":
        return words.near_all(value)
    return str(value) if name == "left_out" else words.percent(value)


def small(value: float) -> str:
    """A number that may be next to nothing: `0.0123`, `<0.0001`, `0`."""
    return f"<{_LEAST}" if 0 < value < _LEAST else words.digits(value)


def setting(value: float | None) -> str:
    """A swept value as it would be typed: `0.001`, `3.16e-05`."""
    return words.DASH if value is None else f"{value:.3g}"


def shown(found: Sensitivity) -> tuple[str, ...]:
    """The figures that have a column: those that a row knows."""
    names = OF_UNITS if found.over == UNITS else OF_SWEEPS
    return tuple(name for name in names if any(getattr(row, name) is not None for row in found.rows))


def ranking(found: Sensitivity) -> str:
    """By what rows are ranked, in a clause."""
    by = "the divergence of the classes' shares (KL, in nats)" if found.ranked_by == "kl" else "the outputs' noise (SQNR)"
    return f"ranked by {by}" if found.over == UNITS else f"`{found.over}` over the whole model"


def about(found: Sensitivity) -> str:
    """What was done with which samples, in a line."""
    source = f"samples of {found.data}" if found.data else "made-up inputs"
    return f"{', '.join([found.step, *chosen(found)])}, {found.samples} {source}, {ranking(found)}; no labels used"


def chosen(found: Sensitivity) -> list[str]:
    """Which layers the step takes and leaves, where its settings say so: `only Conv`, `without /head/*`."""
    names = {word: found.settings.get(field) for field, word in (("only", "only"), ("exclude", "without"))}
    return [f"{word} {', '.join(map(str, each))}" for word, each in names.items() if isinstance(each, (tuple, list)) and each]


def knee_line(found: Sensitivity) -> str:
    """Where the outputs' change bends, or why there is no such place; empty: of units."""
    if found.over == UNITS:
        return ""
    if found.knee is None:
        return f"{KNEE} {words.dash(found.reasons.get('knee'))}"
    return f"{KNEE} at {found.over} {setting(found.knee)}: the outputs' change bends upwards behind it"


def summary(found: Sensitivity) -> list[str]:
    """By what rows are ranked or where they bend, and why there is no divergence of classes: sentences for the head."""
    first = knee_line(found) or ranking(found)
    return [first, f"no KL: {found.reasons['kl']}"] if "kl" in found.reasons else [first]


def why_none(found: Sensitivity, row: SensitivityRow) -> str:
    """Why a row has no figure that rows are ranked by; empty: it has, or the whole document says why."""
    why = next((row.reasons[name] for name in ("sqnr_db", "kl") if getattr(row, name) is None and name in row.reasons), "")
    return "" if why in found.reasons.values() else why


def sensitivity_report(found: Sensitivity, title: str, width: int, paint: Paint = plain) -> str:
    """Rows, the knee, the weights before and after, and what must be known of it."""
    names = shown(found)
    heads = ("unit" if found.over == UNITS else found.over, *(COLUMNS[name] for name in names), "")
    rows = [(_called(found, row), *(cell(row, name) for name in names), _mark(found, row)) for row in found.rows]
    tones = [("dim",) * len(heads), *[("",) * (len(heads) - 1) + ("accent",)] * len(rows)]
    parts = [paint(title, "head"), paragraph(about(found), width)]
    if rows:
        parts.append(paint.table([heads, *rows], width=width, right=range(1, len(heads) - 1), tones=tones, heads=True))
    if found.over != UNITS:
        parts.append(knee_line(found))
    if found.histogram is not None:
        parts.append(_pictured(found.histogram))
    if found.state != "done":
        parts.append(f"{len(found.rows)} rows are known; the same command goes on from there")
    unknown: dict[str, list[str]] = {}
    for row in found.rows:
        unknown.setdefault(why_none(found, row), []).append(_called(found, row))
    parts += [paragraph(f"{', '.join(names)}: {why}", width, "  ") for why, names in unknown.items() if why]
    if "kl" in found.reasons:
        parts.append(paragraph(f"no KL: {found.reasons['kl']}", width))
    parts += [paint(paragraph(f"! {line}", width), "worse") for line in found.warnings]
    return "\n".join(parts)


def _called(found: Sensitivity, row: SensitivityRow) -> str:
    return row.unit if found.over == UNITS else setting(row.value)


def _mark(found: Sensitivity, row: SensitivityRow) -> str:
    return KNEE if row.value is not None and row.value == found.knee else ""


def _past(counted: WeightHistogram) -> str:
    """What no bin holds, in a clause; empty: nothing."""
    return f", {words.grouped(counted.beyond)} beyond" if counted.beyond else ""


def _pictured(counted: WeightHistogram) -> str:
    """Two histograms of one scale, a line each."""
    most = max((*counted.before, *counted.after, 1))
    ends = f"from {counted.low:.3g} to {counted.high:.3g} without zeros{_past(counted)}"
    lines = [f"weights, {counted.setting} {setting(counted.value)}, {ends}"]
    for name, counts, none in (
        ("before", counted.before, counted.zeros_before),
        ("after", counted.after, counted.zeros_after),
    ):
        bars = "".join(BARS[max(1, round(8 * count / most)) if count else 0] for count in counts)
        lines.append(f"  {name:<7}{bars}  {words.grouped(none)} zeros")
    return "\n".join(lines)
