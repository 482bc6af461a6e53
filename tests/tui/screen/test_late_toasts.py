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


async def test_what_is_said_again_while_it_stands_stands_once(bare_app: EdgetuiApp):
    """Three times the same message took three rows."""
    app = bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "edgetui")
        for said in ("copied", "another", "copied", "copied"):
            app.notify(said, timeout=60)
            await shows(pilot, said)
        await until(pilot, lambda: len(app.screen.query(ToastHolder)) == 2)
        assert [row.lstrip("▌ ") for row in screen_text(app).splitlines()[:2]] == ["another", "copied"]


@pytest.mark.parametrize(("size", "most"), [((80, 24), 6), ((160, 45), 11)])
async def test_a_message_leaves_most_of_the_screen_to_the_rest(bare_app: EdgetuiApp, size: tuple[int, int], most: int):
    """A file's name of 240 letters and a list of 2000 names took half of the screen, and lost their ends."""
    app = bare_app
    async with app.run_test(size=size, notifications=True) as pilot:
        await shows(pilot, "edgetui")
        app.notify(f"error: /data/{'x' * 240}.onnx cannot be read; {'because ' * 300}give another", timeout=60)
        await shows(pilot, "give another", "x…x", "/data/xxx")
        assert app.screen.query_one(Toast).size.height == most
