"""What Textual's toasts lack: one whose time is over as it is made ends as others do, and none covers what is to be read.

Textual gives a toast that is made in the moment in which its time is over a timer of less than no time, whose loop has no end:
the program stood still with a whole core.
"""

from __future__ import annotations

import re

from textual.await_remove import AwaitRemove
from textual.notifications import Notification
from textual.widget import Widget
from textual.widgets._toast import Toast, ToastHolder, ToastRack

from ..engine.report.width import shortened
from .widgets.lines import wrap

LEAST_S = 0.01
BESIDE = 4
"""Columns of a toast that are no text."""
LEAST_ROWS = 3
_LONG_NAME = re.compile(r"[^\s/]{61,}")


def fitting(message: str, width: int, most: int) -> str:
    """A message for `most` rows: of a long name, and of what is still longer, the middle goes: what to do is at the end."""
    message = _LONG_NAME.sub(lambda name: shortened(name[0], 60), message)
    rows = [row for line in message.split("\n") for row in wrap(line, max(8, width)) or [""]]
    if len(rows) <= most:
        return message
    first = most // 2
    return "\n".join([*rows[:first], "…", *rows[first + 1 - most :]])


def mend_toasts() -> None:
    """Give every toast some time; where they take more than the header's row they get room, and the rest moves down."""
    made = Toast.__init__

    def with_time(self: Toast, notification: Notification) -> None:
        made(self, notification)
        self._timeout = max(self._timeout, LEAST_S)

    def with_room(self: Toast) -> None:
        for rack in self.ancestors:
            if isinstance(rack, ToastRack):
                toasts = [toast for toast in rack.query(Toast) if toast.is_attached and not gone(toast)]
                rack.set_class(sum(toast.size.height for toast in toasts) > 1, "-room")

    def gone(toast: Toast) -> bool:
        return toast._notification not in toast.app._notifications

    Toast.__init__ = with_time  # type: ignore[method-assign]
    Toast.remove = _with_its_holder  # type: ignore[method-assign, assignment]
    Toast.on_resize = with_room  # type: ignore[attr-defined]
    Toast.on_unmount = with_room  # type: ignore[attr-defined]


def _with_its_holder(toast: Toast) -> AwaitRemove:
    """Textual takes a toast away that is over before its time, and leaves what holds it, a task and 20 kB, for ever."""
    return toast.parent.remove() if isinstance(toast.parent, ToastHolder) else Widget.remove(toast)
