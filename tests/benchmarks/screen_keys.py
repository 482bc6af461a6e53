"""From a key to what it paints, first and last, while the engine compresses on all cores.

Real runs go on in the background, one after another: a network for poses is pruned, quantized with its calibration images,
measured and evaluated, with all threads that there are. Keys are pressed on the workbench, the list of runs, a comparison and
the monitor's charts. The first frame shows what the key does; details that follow from it (what is known of a row, a forecast)
come in the next. What a tick paints within `QUIET_S` behind a key counts as the key's last.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

import psutil
from on_pty import Session
from screen_board import still_board
from screen_lists import make_runs
from screen_rows import EDGETUI, REPO, Row, places

ASKED_MS = 100.0
QUIET_S, BETWEEN_S = 0.06, 0.05
ZOO = REPO / "profiles" / "zoo"
RUNS = 60
RECIPE = """title = "Busy {n}"
[[step]]
method = "prune.magnitude"
amount = {amount}
[[step]]
method = "quantize.int8"
calibrator = "entropy"
"""
SCREENS: dict[str, tuple[tuple[tuple[bytes, bytes], ...], bytes, tuple[bytes, ...]]] = {
    "the workbench": ((), b"", (b"2", b"j", b"j", b"k", b"k", b"\t", b"1", b"j", b"k", b"3", b"w", b"4", b"5")),
    "the list of runs": (
        ((b"R", b"sorted"),),
        b"\x1b",
        (b"j", b"j", b"j", b"k", b"G", b"k", b"g", b" ", b"s", b"\x1b", b"b"),
    ),
    "a comparison": (
        ((b"R", b"sorted"), (b"C", b"Advice")),
        b"\x1b\x1b\x1b",
        (b"i", b"i", b"i", b"b", b"b", b"b", b"t", b"a"),
    ),
    "the monitor": (((b"m", b"VDD_IN"),), b"\x1b", (b"j", b"j", b"k", b"w", b"j", b"k", b"w", b"k")),
}
"""Of each: keys that open it, each with a word that is there then; keys that leave it; and keys that are pressed in turns,
all of which paint: one that painted nothing would be given the next tick."""


def keys(many: int) -> list[Row]:
    """So many keys on each screen: with runs that the screen does not show, so that all that is painted is the key's; and with
    the run that it shows, whose figures change at each tick.
    """
    return [*_while_busy("others' runs", many, shown=False), *_while_busy("the run shown", many // 2, shown=True)]


def _while_busy(whose: str, many: int, *, shown: bool) -> list[Row]:
    found: dict[str, list[tuple[float, float]]] = {}
    opened: list[float] = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        env = places(Path(folder)) | still_board(Path(folder) / "board")
        make_runs(Path(env["XDG_STATE_HOME"]) / "edgetui", RUNS)
        home = Path(folder if shown else elsewhere)
        with compressing(home, env if shown else places(home)), Session(EDGETUI, env=env) as seen:
            seen.until(b"Models", b"Log")
            seen.drain(8.0)
            if not shown:
                seen.press(b"p", b"paused")
            psutil.cpu_percent()
            for name, (doors, back, pressed) in SCREENS.items():
                for door, word in doors:
                    opened.append(1000 * seen.press(door, word))
                    seen.drain(1.0)
                found[name] = list(_pressed(seen, pressed, many))
                for key in back:
                    seen.repainted(bytes([key]), QUIET_S)
                    seen.drain(0.5)
            busy = psutil.cpu_percent()
    every = [took for times in found.values() for took in times]
    rows = [_row(f"{whose}: {name}", [first for first, _ in times]) for name, times in found.items()]
    first = _row(f"{whose}: all screens", [first for first, _ in every])
    first.asked, first.held = f"at most {ASKED_MS:g}", first.value is not None and first.value <= ASKED_MS
    first.note += f"; {busy:.0f} % of all cores busy"
    last = _row(f"{whose}: all screens, the last that follows", [last for _, last in every])
    opens = Row(first.figure, f"{whose}: a screen opens", median(opened), "ms", note=f"{min(opened):.0f} to {max(opened):.0f}")
    return [first, *rows, last, opens]


def _row(who: str, times_s: list[float]) -> Row:
    """The slowest hundredth; its middle stands beside it."""
    times = [1000 * each for each in times_s]
    p99 = quantiles(times, n=100)[98] if len(times) > 1 else None
    return Row("key to paint, p99", who, p99, "ms", note=f"median {median(times):.0f}, most {max(times):.0f}, n = {len(times)}")


def _pressed(seen: Session, pressed: tuple[bytes, ...], many: int) -> Iterator[tuple[float, float]]:
    """One key after another; those that paint nothing are not counted."""
    for n in range(many):
        seen.drain(BETWEEN_S)
        took_s = seen.repainted(pressed[n % len(pressed)], QUIET_S)
        if took_s is not None:
            yield took_s


@contextmanager
def compressing(folder: Path, env: dict[str, str]) -> Iterator[None]:
    """Runs of the engine, one after another, each with a share of its own so that nothing comes from the cache."""
    stop = threading.Event()
    failed: list[str] = []

    def work() -> None:
        for n in range(1, 1000):
            if stop.is_set():
                return
            recipe = folder / f"busy-{n}.toml"
            recipe.write_text(RECIPE.format(n=n, amount=0.3 + n / 1000))
            command = [*EDGETUI, "run", str(ZOO / "people-pose-resnet18.onnx"), "--dataset", str(ZOO / "people.toml")]
            command += ["--recipe", str(recipe), "--preset", "quick"]
            done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)
            if done.returncode and not stop.is_set():
                failed.append(done.stderr[-500:])
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
        if failed:
            raise RuntimeError(f"the run beside the screen failed: {failed[0]}")
    finally:
        stop.set()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("XDG_STATE_HOME") == env["XDG_STATE_HOME"]:
                    process.kill()
        thread.join(timeout=10)
