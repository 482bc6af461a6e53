"""How long the first paint takes beside an empty Textual app, in turns on one machine; and what `edgetui --help` imports.

make bench-start           (python tests/benchmarks/start.py [ROUNDS])
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from on_pty import table, watch

EMPTY = """
import os
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("READY")
Empty().run()
"""
EDGETUI = [sys.executable, "-m", "edgetui"]
PANES = (b"Models", b"Compression", b"Live", b"Run", b"Log")
WANTED = 1.5


def help_time() -> float:
    """Seconds of `edgetui --help`."""
    began = time.perf_counter()
    subprocess.run([*EDGETUI, "--help"], check=True, capture_output=True)
    return time.perf_counter() - began


def imported_by_help() -> list[str]:
    """Which of the heavy modules `edgetui --help` pulls in."""
    code = (
        "import sys; sys.argv = ['edgetui', '--help']\ntry:\n import edgetui.__main__ as m; m.main()\nexcept SystemExit: pass\n"
    )
    code += "print([m for m in ('textual', 'numpy', 'onnx', 'onnxruntime', 'torch') if m in sys.modules], file=sys.stderr)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stderr.strip()
    return [] if found == "[]" else [found]


def main() -> int:
    """Print the table; exit 1 when the figure is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    times: dict[str, list[float]] = {
        "empty Textual app": [],
        "edgetui, empty panes": [],
        "edgetui, models listed": [],
        "edgetui --help": [],
    }
    with tempfile.TemporaryDirectory() as home:
        bytecode = {"PYTHONPYCACHEPREFIX": str(Path(home) / "pyc")}
        env = bytecode | {"XDG_STATE_HOME": str(Path(home) / "state"), "XDG_CONFIG_HOME": str(Path(home) / "config")}
        for n in range(rounds + 1):
            found = {
                "empty Textual app": watch([sys.executable, "-c", EMPTY], words=(b"READY",), env=bytecode).first_paint_s,
                "edgetui, empty panes": watch(EDGETUI, words=PANES, env=env).first_paint_s,
                "edgetui, models listed": watch(EDGETUI, words=(*PANES, b"digits"), env=env).first_paint_s,
                "edgetui --help": help_time(),
            }
            if n:  # the first round warms the disk's cache
                for name, value in found.items():
                    times[name].append(float("inf") if value is None else value)
    base = median(times["empty Textual app"])
    rows = [
        (
            name,
            f"{median(values) * 1000:.0f}",
            f"{min(values) * 1000:.0f}",
            f"{max(values) * 1000:.0f}",
            f"{median(values) / base:.2f}",
        )
        for name, values in times.items()
    ]
    print(f"first paint on a pty of 160x45, ms, {rounds} rounds in turns\n")
    print(table(("", "median", "min", "max", "ratio"), rows))
    ratio = median(times["edgetui, empty panes"]) / base
    heavy = imported_by_help()
    print(f"\nwanted: at most {WANTED} times an empty Textual app; is {ratio:.2f}")
    print(f"`edgetui --help` imports of textual, numpy, onnx, onnxruntime, torch: {', '.join(heavy) or 'none'}")
    return 0 if ratio <= WANTED and not heavy else 1


if __name__ == "__main__":
    sys.exit(main())
