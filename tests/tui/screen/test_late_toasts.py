"""A toast whose time is over while it is made has a timer that ends."""

from __future__ import annotations

from edgetui.tui.desk import Desk
from edgetui.tui.late_toasts import LEAST_S
from textual.notifications import Notification
from textual.widgets._toast import Toast


def test_a_toast_that_comes_too_late_has_some_time() -> None:
    assert Desk is not None  # whoever has a desk has mended toasts
    late, usual = (Toast(Notification("told", timeout=seconds)) for seconds in (-1.0, 3.0))
    assert late._timeout == LEAST_S
    assert 2.0 < usual._timeout <= 3.0
