"""Every figure that the screen must reach, on a pseudo-terminal of 160x45, beside its peers, in one run.

    make bench-screen          (python tests/benchmarks/screen.py [PART...] [--rounds N] [--seconds N])

Medians, except where a row says p99; `times` is how many times what stands first of its figure.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from screen_day import day
from screen_keys import keys
from screen_lists import lists
from screen_live import idle, live
from screen_paint import paint
from screen_rows import Row, printed


def main() -> int:
    """Print the table; exit 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="paint, live, idle, keys, lists, reattach, memory; none: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long processor time and bytes are counted")
    parser.add_argument("--runs", type=int, default=10_000, help="in the list")
    parser.add_argument("--keys", type=int, default=150, help="pressed on each of four screens")
    asked = parser.parse_args()
    few = max(1, asked.rounds // 2)
    parts = {
        "paint": lambda: paint(asked.rounds),
        "live": lambda: live(asked.seconds, few),
        "idle": lambda: idle(asked.seconds, few),
        "keys": lambda: keys(asked.keys),
        "lists": lambda: lists(asked.runs, few),
        "reattach": lambda: day("reattach", asked.rounds),
        "memory": lambda: day("memory", asked.rounds),
    }
    unknown = [name for name in asked.parts if name not in parts]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; choose of {', '.join(parts)}")
    rows: list[Row] = []
    for name in asked.parts or parts:
        load, began_s = os.getloadavg()[0], time.monotonic()
        found = parts[name]()
        print(f"{name}: load {load:.1f} before, {time.monotonic() - began_s:.0f} s\n\n{printed(found)}\n", flush=True)
        rows += found
    if len(asked.parts) != 1:
        print(f"all, on {os.cpu_count()} cores\n\n{printed(rows)}")
    return 1 if any(row.held is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
