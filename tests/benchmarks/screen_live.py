"""Four live charts at 4 Hz, and a screen on which nothing changes: processor time and bytes to the terminal, beside others.

Processor time is that of the screen's own process; the sampler, which reads the sensors, is another one (`telemetry.py`).
"""

from __future__ import annotations

import math
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from on_pty import Seen, watch
from screen_board import moving_board, still_board
from screen_rows import EDGETUI, PEERS, Row, middle, places

HZ, POINTS, CHARTS = 4, 300, 4
LIVE_PCT, LIVE_KB_S, IDLE_PCT = 2.0, 8.0, 0.3
WARM_S = 8.0
MINUTE, FULL_S = b"ww", 65.0
"""Keys to charts of a minute, and how long until these are full."""


def show(kind: str) -> None:
    """Be the app that is measured: the same four noisy series for every kind."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    from textual.app import App, ComposeResult
    from textual.containers import Grid
    from textual.widget import Widget
    from textual.widgets import Sparkline, Static

    rng = random.Random(7)
    numbers = iter(range(10**9))

    def sample(k: int) -> float:
        return (12, 42, 61, 70)[k] + (k + 1) * (1.6 * math.sin(next(numbers) / 97) + rng.gauss(0, 0.35))

    def make() -> Widget:
        if kind == "Sparkline":
            return Sparkline([0.0])
        if kind == "textual-plotext":
            from textual_plotext import PlotextPlot

            return PlotextPlot()
        from edgetui.tui.widgets.chart import Chart

        return Chart("Power  W", points=POINTS)

    class Bench(App[None]):
        CSS = "Grid { grid-size: 2 2; } .cell { border: round $primary; } .cell > * { width: 1fr; height: 1fr; }"

        def compose(self) -> ComposeResult:
            yield Static("BENCH-READY")
            with Grid():
                for _ in range(CHARTS):
                    with Grid(classes="cell"):
                        yield make()

        def on_mount(self) -> None:
            self.parts = [cell.children[0] for cell in self.query(".cell")]
            self.past = [[sample(k) for _ in range(POINTS)] for k in range(CHARTS)]
            for k, part in enumerate(self.parts):
                for value in self.past[k] if hasattr(part, "push") else ():
                    part.push(value)
            self.set_interval(1 / HZ, self.tick)

        def tick(self) -> None:
            for k, part in enumerate(self.parts):
                value = sample(k)
                self.past[k] = [*self.past[k][1:], value]
                if hasattr(part, "push"):
                    part.value = f"{value:6.2f} W"
                    part.push(value)
                    part.draw()
                elif isinstance(part, Sparkline):
                    part.data = self.past[k]
                else:
                    part.plt.clear_data()
                    part.plt.plot(self.past[k], marker="braille")
                    part.refresh()

    Bench().run()


def _charts(kind: str, seconds: float) -> Seen | str:
    """One run of one kind of chart."""
    python = sys.executable
    if kind == "textual-plotext":
        python = str(PEERS / "python")
        if not any(PEERS.parent.glob("lib/python*/site-packages/textual_plotext")):
            return "textual-plotext is not installed"
    argv = [python, str(Path(__file__).resolve()), kind]
    with tempfile.TemporaryDirectory() as folder:
        return watch(argv, words=(b"BENCH-READY",), warm_s=3.0, count_s=seconds, env=places(Path(folder)))


def _workbench(seconds: float, *, moving: bool, keys: bytes = b"", settle_s: float = 1.0) -> Seen:
    """The real screen, its sampler on a board that is laid out."""
    with tempfile.TemporaryDirectory() as folder:
        root, env = Path(folder) / "board", places(Path(folder))
        asked = {"words": (b"digits", b"VDD_IN"), "warm_s": WARM_S, "count_s": seconds, "keys": keys}
        asked["settle_s"] = settle_s
        if moving:
            with moving_board(root) as board:
                return watch(EDGETUI, env=env | board, **asked)
        return watch(EDGETUI, env=env | still_board(root), **asked)


def _btop(seconds: float) -> Seen | str:
    """btop as it is installed: a picture every two seconds."""
    path = shutil.which("btop")
    if path is None:
        return "btop is not installed"
    with tempfile.TemporaryDirectory() as folder:
        return watch([path, "--utf-force"], warm_s=4.0, count_s=seconds, env=places(Path(folder)))


def _rows(figure: str, who: str, found: list[Seen | str], pct: float | None, kb_s: float | None) -> list[Row]:
    """Processor time and bytes of one kind."""
    seen = [each for each in found if isinstance(each, Seen)]
    note = "" if seen else str(found[0])
    cpu, sent = middle([each.cpu_pct for each in seen]), middle([each.bytes_s / 1000 for each in seen])
    rows = [Row(figure, who, cpu, "% of a core", note=note), Row(figure, who, sent, "kB/s", note=note)]
    for row, most in zip(rows, (pct, kb_s), strict=True):
        if most is not None:
            row.asked, row.held = f"at most {most:g}", row.value is not None and row.value <= most
    return rows


def live(seconds: float, rounds: int) -> list[Row]:
    """Charts that move."""
    found: dict[str, list[Seen | str]] = {name: [] for name in ("edgetui's charts", "textual-plotext", "Sparkline")}
    bench: list[Seen | str] = []
    for _ in range(rounds):
        for name, seen in found.items():
            seen.append(_charts(name, seconds))
        bench.append(_workbench(seconds, moving=True))
    name = f"four charts, {HZ} Hz"
    rows = [row for who, seen in found.items() for row in _rows(name, who, seen, *_most(who))]
    return [*_rows(name, "edgetui, the workbench", bench, LIVE_PCT, LIVE_KB_S), *rows]


def _most(who: str) -> tuple[float | None, float | None]:
    return (LIVE_PCT, LIVE_KB_S) if who.startswith("edgetui") else (None, None)


def idle(seconds: float, rounds: int) -> list[Row]:
    """Sensors that stand still in charts that are full, for a line that grows is a change (of a minute: soon full); and a
    picture that was stopped while they move.
    """
    still = [_workbench(seconds, moving=False, keys=MINUTE, settle_s=FULL_S) for _ in range(rounds)]
    stopped = [_workbench(seconds, moving=True, keys=b"p") for _ in range(rounds)]
    rows = _rows("idle", "edgetui, nothing changes", list(still), IDLE_PCT, 0.0)
    rows += _rows("idle", "edgetui, picture stopped", list(stopped), IDLE_PCT, 0.0)
    return [*rows, *_rows("idle", "btop, every 2 s", [_btop(seconds) for _ in range(rounds)], None, None)]


if __name__ == "__main__":
    show(sys.argv[1])
