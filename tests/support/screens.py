"""Reading the screen of a running app as text, and waiting for it."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from edgetui.engine.report.width import cut
from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen

Shown = TypeVar("Shown", bound=Screen)
SNAPSHOTS = Path(__file__).resolve().parents[1] / "tui" / "screens"
CHANGING = re.compile(r"\d+ GB free   \d\d:\d\d")
FOLDER = re.compile(r"/tmp/edgetui-\w{8}")
"""A temporary one, for screens that show whole paths."""
SILENT = "no sensors can be read; `edgetui doctor` says why"
WAITING = re.compile(r"waiting for the first sample …( {19}|$)", re.MULTILINE)
"""A collector that found nothing tries again after a while, and for that moment the pane waits."""


@pytest.fixture
def short_tmp_path() -> Iterator[Path]:
    """In place of `tmp_path` where snapshots show paths: they have the same length in each test, and little of it."""
    with tempfile.TemporaryDirectory(prefix="edgetui-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def short_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of `own_state`: below that home."""
    monkeypatch.delenv("EDGETUI_CONFIG", raising=False)
    for name in ("state", "config"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / "home" / name))
    return tmp_path / "home" / "state" / "edgetui"


def screen_text(app: App) -> str:
    """The rows that a terminal would show, the disk's room and the clock blotted out."""
    rows = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    return WAITING.sub(SILENT, CHANGING.sub("## GB free   ##:##", "\n".join(rows))) + "\n"


async def until(pilot: Pilot, true: Callable[[], object], limit_s: float = 45.0) -> None:
    """Wait until something is so; the screen as it stands is the message when it never is."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, f"never came true:\n{screen_text(pilot.app)}"
        await pilot.pause(0.02)
    await pilot.pause()


async def shows(pilot: Pilot, *words: str) -> None:
    """Wait until the screen shows all words."""

    def shown() -> bool:
        text = screen_text(pilot.app)
        return all(word in text for word in words)

    await until(pilot, shown)


async def opened(pilot, key: str, kind: type[Shown], filled: Callable[[Shown], object] = lambda _: True) -> Shown:
    """The screen that a key of the workbench opens, once it is `filled`."""
    app = pilot.app
    await until(pilot, lambda: app.workbench.settings.draft is not None)
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, kind) and filled(app.screen))
    return app.screen


def _alone(app: App, text: str) -> str:
    """Of a dialog what is its own: what is seen around it is another screen's, and goes on."""
    if not app.screen.is_modal:
        return text
    frame = Region.from_union([child.region for child in app.screen.children if child.display])
    rows = []
    for y, row in enumerate(text.splitlines()):
        before, upto = len(cut(row, frame.x)), len(cut(row, frame.right))
        rows.append((" " * frame.x + row[before:upto]).rstrip() if frame.y <= y < frame.bottom else "")
    return "\n".join(rows) + "\n"


def same_as_snapshot(app: App, name: str) -> None:
    """Compare with tests/tui/screens/NAME.txt; EDGETUI_SNAPSHOTS=write writes it instead."""
    path = SNAPSHOTS / f"{name}.txt"
    text = FOLDER.sub("/tmp/edgetui-########", _alone(app, screen_text(app)))
    if os.environ.get("EDGETUI_SNAPSHOTS") == "write":
        path.write_text(text)
    assert path.is_file(), f"no snapshot {path.name}: EDGETUI_SNAPSHOTS=write makes it"
    assert text == path.read_text(), f"{path.name} differs; the screen now:\n{text}"
