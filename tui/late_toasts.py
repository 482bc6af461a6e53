"""A toast that is made in the moment in which its time is over ends as others do.

Textual gives it a timer of less than no time, whose loop has no end: the program stood still with a whole core.
"""

from __future__ import annotations

from textual.notifications import Notification
from textual.widgets._toast import Toast

LEAST_S = 0.01


def mend_toasts() -> None:
    """Give every toast some time."""
    made = Toast.__init__

    def with_time(self: Toast, notification: Notification) -> None:
        made(self, notification)
        self._timeout = max(self._timeout, LEAST_S)

    Toast.__init__ = with_time  # type: ignore[method-assign]
