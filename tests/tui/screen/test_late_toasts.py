"""A toast whose time is over while it is made has a timer that ends."""

from __future__ import annotations

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.desk import Desk
from edgetui.tui.late_toasts import LEAST_S
from screens import screen_text, shows, until
from textual.notifications import Notification
from textual.widgets._toast import Toast, ToastHolder


def test_a_toast_that_comes_too_late_has_some_time() -> None:
    assert Desk is not None  # whoever has a desk has mended toasts
    late, usual = (Toast(Notification("told", timeout=seconds)) for seconds in (-1.0, 3.0))
    assert late._timeout == LEAST_S
    assert 2.0 < usual._timeout <= 3.0


async def test_nothing_stays_of_toasts_that_are_over_before_their_timer(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        for n in range(30):
            app.notify(f"message {n}", timeout=0.1)
            await pilot.pause(0.02)
        await until(pilot, lambda: not app._notifications)
        app.notify("the last", timeout=0.1)
        await until(pilot, lambda: not app.screen.query(ToastHolder))


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_what_is_said_has_a_row_for_itself(bare_app: EdgetuiApp, size: tuple[int, int]):
    """The last digit of the clock stood beside it, and the board's name was cut where it began."""
    app = bare_app
    async with app.run_test(size=size, notifications=True) as pilot:
        await shows(pilot, "edgetui")
        for said in ("copied", "step removed; u brings it back"):
            app.notify(said, timeout=60)
            await shows(pilot, said)
        rows = screen_text(app).splitlines()
        assert [row.lstrip("▌ ") for row in rows[:2]] == ["copied", "step removed; u brings it back"]
        assert [toast.region.width for toast in app.screen.query(Toast)] == [size[0]] * 2
