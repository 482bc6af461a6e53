"""Screens that were left are let go of: tasks that a screen began hold it while they last, and that is all."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterator

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.engine.runs.folder import RunDir
from edgetui.tui.app import EdgetuiApp
from screens import until
from textual.screen import Screen

KEYS = ("F", "R", "f", "W", "P", "m", "D", "e", "L", "question_mark", "ctrl+p")
"""What opens a screen from the workbench."""
MOST = 8
"""Of those that were left, at any moment."""


@pytest.fixture
def nothing_kept_of_logs() -> Iterator[None]:
    """pytest keeps what is logged, errors with all their frames."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def left(app: EdgetuiApp) -> Counter[str]:
    """Screens that are in memory and can no longer be seen."""
    gc.collect()
    return Counter(
        type(each).__name__ for each in gc.get_objects() if isinstance(each, Screen) and each not in app.screen_stack
    )


@pytest.mark.parametrize("rounds", [2, pytest.param(28, marks=pytest.mark.long)])
async def test_of_all_visits_few_screens_are_left(
    full_home: RunDir, engine: Engine, config: Config, nothing_kept_of_logs: None, rounds: int
) -> None:
    app, seen = EdgetuiApp(config, engine), Counter[str]()
    with full_home.hold():
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.link.view is not None)
            for _ in range(rounds):
                for key in KEYS:
                    await pilot.press(key)
                    seen[type(app.screen).__name__] += 1
                    await pilot.press("escape")
                    await until(pilot, lambda: app.screen is app.workbench)
                assert sum(left(app).values()) <= MOST, left(app)
    assert len(seen) == len(KEYS)
    assert set(seen.values()) == {rounds}
