"""A row of the table of figures, and what several of its parts start: the screen itself, and its peers where they are."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from on_pty import table

REPO = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("BENCH_PEERS", REPO / ".venv-peers" / "bin"))
"""Where `make bench-screen` installs harlequin, memray and textual-plotext."""
EDGETUI = [sys.executable, "-m", "edgetui"]
PANES = (b"Models", b"Compression", b"Live", b"Run", b"Log")
"""What the first paint of the workbench has."""
EMPTY = """
import os
for name, value in (("TEXTUAL_ANIMATIONS", "none"), ("TEXTUAL_SMOOTH_SCROLL", "0"), ("TEXTUAL_FPS", "30")):
    os.environ.setdefault(name, value)
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("READY")
Empty().run()
"""


@dataclass
class Row:
    """One line of the table."""

    figure: str
    who: str
    value: float | None
    """None: not measured, as `note` says."""
    unit: str = "ms"
    times: float | None = None
    """How many times the value that it is held against."""
    asked: str = ""
    held: bool | None = None
    """None: nothing is asked of it."""
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """As it is printed."""
        value = "–" if self.value is None else f"{self.value:.{0 if self.value >= 100 else 1 if self.value >= 10 else 2}f}"
        times = "" if self.times is None else f"{self.times:.2f}"
        held = "" if self.held is None else "yes" if self.held else "NO"
        return (self.figure, self.who, value, self.unit, times, self.asked, held, self.note)


def printed(rows: Sequence[Row]) -> str:
    """The table; a figure's name stands once."""
    cells = [row.cells() for row in rows]
    shown = [("" if n and row[0] == cells[n - 1][0] else row[0], *row[1:]) for n, row in enumerate(cells)]
    return table(("figure", "", "median", "", "times", "asked", "held", ""), shown, left=2)


def peer(program: str, *more: str) -> list[str] | str:
    """The command of a peer, or why it cannot be started."""
    path = PEERS / program
    found = str(path) if path.exists() else shutil.which(program)
    return [found, *more] if found else f"{program} is not installed"


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return median(values) if values else None


def places(folder: Path) -> dict[str, str]:
    """A state, configuration and home of its own for what is started, and compiled files beside them."""
    return {
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HOME": str(folder),
        "PYTHONPYCACHEPREFIX": str(folder / "pyc"),
    }
