"""Keys that move, the same everywhere: arrows and hjkl, g and G. What moves differs, the keys do not.

Nothing else may have these keys; `[ui.keys]` moves them all at once by their ids.
"""

from __future__ import annotations

from textual.binding import Binding, BindingType

KEYS = {
    "move.up": "up,k",
    "move.down": "down,j",
    "move.page_up": "pageup",
    "move.page_down": "pagedown",
    "move.first": "home,g",
    "move.last": "end,G",
}
LEFT, RIGHT = "left,h", "right,l"
WORDS = {
    "move.up": ("up", "A row up"),
    "move.down": ("down", "A row down"),
    "move.page_up": ("page up", "A page up"),
    "move.page_down": ("page down", "A page down"),
    "move.first": ("first", "To the first row"),
    "move.last": ("last", "To the last row"),
}


def is_motion(name: str | None) -> bool:
    """Whether a binding of that id moves or finds, as everywhere: lists of keys have them last."""
    return (name or "").partition(".")[0] in ("move", "find")


def motion(up: str, down: str, page_up: str, page_down: str, first: str, last: str) -> list[BindingType]:
    """Bindings of a list, by its actions."""
    actions = (up, down, page_up, page_down, first, last)
    return [
        Binding(keys, action, WORDS[name][0], show=False, id=name, tooltip=WORDS[name][1])
        for (name, keys), action in zip(KEYS.items(), actions, strict=True)
    ]
