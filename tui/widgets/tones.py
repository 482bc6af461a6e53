"""The few styles that text has, made from the theme's colours.

Not component classes: Textual would match the whole style sheet against each of them for each widget, which was half of the
time to the first paint.
"""

from __future__ import annotations

from typing import Any

from rich.style import Style
from textual.app import App
from textual.color import Color, ColorParseError
from textual.widget import Widget

from ..leaving import BearsLeaving

DIM_SHARE = {True: 0.42, False: 0.34}
"""How far a dim text goes over into a dark or a light background; above 4.5 to 1 it can be read by most."""
_FROM_THEME = {
    "accent": ("accent", False),
    "good": ("success", False),
    "bad": ("error", False),
    "warn": ("warning", False),
    "key": ("accent", True),
    "second": ("warning", False),
    "value": ("foreground", True),
    "title": ("foreground", True),
}
_cache: dict[tuple[str, bool, str], Style] = {}


def tone(app: App[Any], name: str) -> Style:
    """The style called `name` in the app's theme, to be laid over a widget's own style: dim, value, accent, good, ...; or
    colours themselves, `#rrggbb on #rrggbb`.
    """
    if name[:1] == "#":  # of pictures: too many to be kept here
        return Style.parse(name)
    key = (app.theme, app.no_color, name)
    found = _cache.get(key)
    if found is None:
        found = _cache[key] = _make(app, name)
    return found


class Toned(BearsLeaving, Widget):
    """A widget whose text has tones."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._styles: dict[str, Style] = {}

    def notify_style_update(self) -> None:
        """Forget resolved styles: the theme or a state has changed."""
        super().notify_style_update()
        self._styles = {}

    def style_of(self, name: str) -> Style:
        """A tone over the widget's own style, resolved once for each state of the widget."""
        if name[:1] == "#":
            return tone(self.app, name)
        found = self._styles.get(name)
        if found is None:
            found = self._styles[name] = self.rich_style + tone(self.app, name)
        return found


def _make(app: App[Any], name: str) -> Style:
    if name == "":
        return Style.null()
    if name == "edit":
        return Style(reverse=True)
    native = app.native_ansi_color
    colours = app.theme_variables
    if name == "cursor":
        return Style(reverse=True) if native or app.no_color else Style(bgcolor=_colour(colours["panel"]).rich_color)
    if name == "dim":
        if native:
            return Style(dim=True)
        return Style(
            color=_colour(colours["foreground"])
            .blend(_colour(colours["background"]), DIM_SHARE[app.current_theme.dark])
            .rich_color
        )
    variable, bold = _FROM_THEME[name]
    return Style(color=_colour(colours[variable]).rich_color, bold=bold or None)


def _colour(text: str) -> Color:
    try:
        return Color.parse(text)
    except ColorParseError:  # `auto 87%` and the like
        return Color.parse("ansi_default")
