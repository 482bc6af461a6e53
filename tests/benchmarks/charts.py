"""Four live charts at 4 Hz on a pty of 160x45 beside other ways to draw them, and what a screen costs on which nothing changes.

    make bench-charts          (python tests/benchmarks/charts.py [SECONDS] [ROUNDS])

CPU is user and system time of the app's process; one core is 100 %. textual-plotext is measured where it is installed.
"""

from __future__ import annotations

import importlib.util
import math
import os
import random
import sys
import tempfile
from pathlib import Path
from statistics import median

from on_pty import Seen, table, watch

HZ, POINTS, CHARTS = 4, 300, 4
KINDS = ("edgetui braille", "edgetui block", "edgetui ascii", "Sparkline", "textual-plotext", "nothing changes")
WANTED_CPU_PCT, WANTED_KB_S = 6.0, 20.0


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

        graph = kind.split()[-1]
        return Chart("Power  W", graph=graph if graph in ("braille", "block", "ascii") else "braille", points=POINTS)

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
                value = 10.0 + k if kind == "nothing changes" else sample(k)
                self.past[k] = [*self.past[k][1:], value]
                if hasattr(part, "push"):
                    if kind != "nothing changes":
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


def measure(kind: str, seconds: float) -> Seen:
    """One run of one kind."""
    argv = [sys.executable, str(Path(__file__).resolve()), "--show", kind]
    return watch(argv, words=(b"BENCH-READY",), warm_s=3.0, count_s=seconds)


def measure_workbench(seconds: float, keys: bytes) -> Seen:
    """The real screen with the host's sensors; after `p` the picture is stopped."""
    with tempfile.TemporaryDirectory() as home:
        env = {"XDG_STATE_HOME": str(Path(home) / "state"), "XDG_CONFIG_HOME": str(Path(home) / "config")}
        return watch([sys.executable, "-m", "edgetui"], words=(b"digits",), warm_s=5.0, count_s=seconds, keys=keys, env=env)


def main() -> int:
    """Print the table; exit 1 when a figure is missed."""
    if sys.argv[1:2] == ["--show"]:
        show(sys.argv[2])
        return 0
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    kinds = [kind for kind in KINDS if kind != "textual-plotext" or importlib.util.find_spec("textual_plotext")]
    found: dict[str, list[Seen]] = {kind: [] for kind in (*kinds, "workbench, host sensors", "workbench, picture stopped")}
    for _ in range(rounds):
        for kind in kinds:
            found[kind].append(measure(kind, seconds))
        found["workbench, host sensors"].append(measure_workbench(seconds, b""))
        found["workbench, picture stopped"].append(measure_workbench(seconds, b"p"))
    rows = []
    for kind, seen in found.items():
        cpu, rate = median(s.cpu_pct for s in seen), median(s.bytes_s for s in seen)
        rows.append((kind, f"{cpu:.1f}", f"{rate / 1000:.2f}", f"{median(s.rss_mb for s in seen):.0f}"))
    print(f"four charts of {POINTS} points at {HZ} Hz, 160x45, {seconds:.0f} s counted, median of {rounds}\n")
    print(table(("", "CPU %", "kB/s", "RSS MB"), rows))
    own = found["edgetui braille"]
    cpu, rate = median(s.cpu_pct for s in own), median(s.bytes_s for s in own) / 1000
    idle = max(s.bytes_s for kind in ("nothing changes", "workbench, picture stopped") for s in found[kind])
    print(f"\nwanted: at most {WANTED_CPU_PCT:.0f} % and {WANTED_KB_S:.0f} kB/s; is {cpu:.1f} % and {rate:.1f} kB/s")
    print(f"wanted: 0 bytes when nothing changes; is {idle:.0f} bytes/s")
    return 0 if cpu <= WANTED_CPU_PCT and rate <= WANTED_KB_S and idle == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
