"""Drawing in SVG: a canvas of shapes and texts, scales and round ticks. Charts are made of it; nothing here knows what of.

Colours are classes, so that a page has them light and dark, and attributes beside them, so that a chart alone has them too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .sanitize import sanitize
from .width import cut, width_of

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00", "#6b6b6b")
"""Okabe and Ito's colours, told apart by those who see fewer; after the last the first comes again."""
INK, FAINT = "#1a1a1a", "#9a9a9a"
_FARTHEST = 1e15
"""No figure is beyond; a damaged document may hold one of which differences overflow."""
LETTER = 6.4
"""Width of a column of text at 12 units."""


def clean(text: str, room: float | None = None) -> str:
    """A text that only draws, escaped; cut where it does not fit into so many units."""
    text = sanitize(text)
    if room is not None and width_of(text) * LETTER > room:
        text = cut(text, max(1, int(room / LETTER) - 1)) + "…"
    return escape(text, quote=True)


def number(value: float) -> str:
    """A coordinate."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Canvas:
    """Shapes in units of a viewBox; texts are escaped here and nowhere else."""

    def __init__(self, width: float, height: float, title: str, told: str = "") -> None:
        """`title` names the picture, `told` says in words what it shows, for who cannot see it."""
        self.width, self.height = width, height
        self._title, self._told = title, told
        self._parts: list[str] = []

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str = FAINT, kind: str = "faint", wide: float = 1
    ) -> None:
        """A straight line."""
        self._add("line", kind, {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke-width": wide}, stroke=colour)

    def rect(self, x: float, y: float, width: float, height: float, series: int, opacity: float = 1) -> None:
        """A filled rectangle in the colour of a series."""
        places = {"x": x, "y": y, "width": max(0.0, width), "height": max(0.0, height), "opacity": opacity}
        self._add("rect", f"f{series % len(SERIES)}", places, fill=SERIES[series % len(SERIES)])

    def dot(self, x: float, y: float, series: int, radius: float = 4) -> None:
        """A filled circle."""
        self._add("circle", f"f{series % len(SERIES)}", {"cx": x, "cy": y, "r": radius}, fill=SERIES[series % len(SERIES)])

    def path(self, points: Sequence[tuple[float, float]], series: int, wide: float = 1.2) -> None:
        """A line through points."""
        d = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
        colour = SERIES[series % len(SERIES)]
        shape = f'd="{d}" fill="none" stroke="{colour}" stroke-width="{number(wide)}"'
        self._parts.append(f'<path class="l{series % len(SERIES)}" {shape}/>')

    def stroke(self, x1: float, y1: float, x2: float, y2: float, series: int, wide: float = 1.5) -> None:
        """A straight line in the colour of a series."""
        colour = SERIES[series % len(SERIES)]
        self.line(x1, y1, x2, y2, colour, f"l{series % len(SERIES)}", wide)

    def text(self, x: float, y: float, text: str, anchor: str = "start", room: float | None = None, kind: str = "ink") -> None:
        """A text with its baseline at `y`; cut where it would take more than `room`."""
        colour = INK if kind == "ink" else "#5c5c5c"
        place = f'x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" fill="{colour}"'
        self._parts.append(f'<text class="{kind}" {place}>{clean(text, room)}</text>')

    def _add(self, tag: str, kind: str, places: dict[str, float], **colours: str) -> None:
        shape = " ".join(f'{name}="{number(value)}"' for name, value in places.items())
        shade = " ".join(f'{name}="{value}"' for name, value in colours.items())
        self._parts.append(f'<{tag} class="{kind}" {shape} {shade}/>')

    def drawn(self) -> str:
        """The picture: a whole SVG document, which may also stand inside a page."""
        box = f"0 0 {number(self.width)} {number(self.height)}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" font-family="sans-serif" font-size="12">'
        told = f"<desc>{clean(self._told)}</desc>" if self._told else ""
        return f"{head}<title>{clean(self._title)}</title>{told}{''.join(self._parts)}</svg>"


class Scale:
    """Values from `low` to `high` onto places from `begin` to `end`."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        low, high = (min(max(end, -_FARTHEST), _FARTHEST) for end in sorted((low, high)))
        if not high > low:  # all values are one
            low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
        self.low, self.high, self.begin, self.end = low, high, begin, end

    def __call__(self, value: float) -> float:
        """The place of a value; what lies outside is at the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values within, some five of them: 1, 2 or 5 times a power of ten apart."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / about))
        step *= next(k for k in (1, 2, 5, 10) if (self.high - self.low) / (step * k) <= about)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def tick_text(value: float) -> str:
    """`0.2`, `15`, `1500`."""
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"


def x_axis(canvas: Canvas, scale: Scale, top: float, bottom: float, unit: str) -> None:
    """Grid lines with their values below, and the unit at the right end."""
    for value in scale.ticks():
        canvas.line(scale(value), top, scale(value), bottom)
        canvas.text(scale(value), bottom + 15, tick_text(value), "middle", kind="dim")
    canvas.line(scale.begin, bottom, scale.end, bottom)
    canvas.text(scale.end, bottom + 30, unit, "end", kind="dim")


def y_axis(canvas: Canvas, scale: Scale, left: float, right: float, unit: str) -> None:
    """The same for an axis that stands up; the unit is above it."""
    for value in scale.ticks(4):
        canvas.line(left, scale(value), right, scale(value))
        canvas.text(left - 6, scale(value) + 4, tick_text(value), "end", kind="dim")
    canvas.text(left - 40, min(scale.begin, scale.end) - 8, unit, kind="dim")
