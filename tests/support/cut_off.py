"""What a screen shows only in part: rows that are wider than their place, titles that Textual shortens, keys without room."""

from __future__ import annotations

from edgetui.engine.report.width import width_of
from edgetui.tui.widgets.chart import Chart
from edgetui.tui.widgets.keybar import KeyBar
from edgetui.tui.widgets.lines import Lines, Rows
from textual.app import App
from textual.widget import Widget

FRAME = 4
"""Columns of a frame's corners, and of the blanks around a title."""


def cut_off(app: App[int]) -> list[str]:
    """Of all that stands on the screen now, what does not fit where it stands, with the widget that it stands in."""
    found = []
    for widget in app.screen.query("*"):
        if not widget.is_on_screen or not widget.region.area:
            continue
        if isinstance(widget, Lines) and not isinstance(widget.parent, KeyBar):
            found += _rows(widget)
        if isinstance(widget, Chart):
            found += _head(widget)
        found += _titles(widget)
        if widget.region.right > app.size.width or widget.region.bottom > app.size.height:
            found.append(f"{_name(widget)} goes past the edge: {widget.region}")
    return found


def _name(widget: Widget) -> str:
    return f"{type(widget).__name__}#{widget.id or getattr(widget.parent, 'id', '')}"


def _rows(widget: Lines) -> list[str]:
    room = widget.size.width - isinstance(widget, Rows)
    found = []
    for y in range(widget.size.height):
        line = widget._at(widget.lines, y + widget.top)
        text = "".join(part for part, _ in line).rstrip()
        if width_of(text) > room - len(widget._scroll_mark(y)):
            found.append(f"{_name(widget)} {room - len(widget._scroll_mark(y))} of {width_of(text)}: {text!r}")
    return found


def _head(chart: Chart) -> list[str]:
    wanted = f"{chart.title} {chart._values()}" if chart.count or not chart.hint else f"{chart.title} {chart.hint}"
    return [f"{_name(chart)} {chart.size.width}: {wanted!r}"] if width_of(wanted.replace("  ", " ")) > chart.size.width else []


def _titles(widget: Widget) -> list[str]:
    framed = bool(widget.styles.border_top[0])
    titles = [str(title) for title in (widget.border_title, widget.border_subtitle) if title and framed]
    return [f"{_name(widget)} title: {title!r}" for title in titles if width_of(title) + FRAME > widget.outer_size.width]
