"""How long the first paint takes beside an empty Textual app, harlequin and memray's live view: from exec to the last word."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from on_pty import watch
from screen_rows import EDGETUI, EMPTY, PANES, Row, middle, peer, places

ASKED = 1.3
WATCHED = "import time; time.sleep(60)"


def kinds() -> dict[str, tuple[list[str] | str, tuple[bytes, ...]]]:
    """Of each its command, or why there is none, and the words of its first paint."""
    return {
        "empty Textual app": ([sys.executable, "-c", EMPTY], (b"READY",)),
        "edgetui": (EDGETUI, PANES),
        "edgetui, models listed": (EDGETUI, (*PANES, b"digits")),
        "harlequin": (peer("harlequin", "--no-download-tzdata", "--locale", "C"), (b"Query Editor", b"Query Results")),
        "memray live": (peer("memray", "run", "--live", "-c", WATCHED), (b"Heap Usage", b"Location")),
    }


def paint(rounds: int) -> list[Row]:
    """All kinds in turns; the first round, which warms the disk's cache, does not count."""
    asked = kinds()
    times: dict[str, list[float]] = {name: [] for name in asked}
    with tempfile.TemporaryDirectory() as folder:
        for n in range(rounds + 1):
            for name, (argv, words) in asked.items():
                if isinstance(argv, list):
                    took_s = watch(argv, words=words, env=places(Path(folder))).first_paint_s
                    times[name] += [1000 * took_s] if n else []
    base = middle(times["empty Textual app"]) or 0.0
    rows = []
    for name, (argv, _) in asked.items():
        value = middle(times[name])
        times_base = None if value is None else value / base
        note = argv if isinstance(argv, str) else f"{min(times[name]):.0f} to {max(times[name]):.0f}"
        row = Row("first paint", name, value, "ms", times_base, note=note)
        if name == "edgetui":
            row.asked, row.held = f"at most {ASKED} times", times_base is not None and times_base <= ASKED
        rows.append(row)
    return rows
