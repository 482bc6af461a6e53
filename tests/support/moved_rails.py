"""What a board's power sensor says while runs work: moved by what their processes do, until this program is killed.

Power is idle + PER_CORE for each core that the groups of HOME's runs and sweeps keep busy, with a slow drift. Where
`--mode-file` says which power mode is on, a core takes what `--mode-watts 7W=1,15W=3` says. What is true goes into
`--truth`, a line `seconds watts` 20 times a second; what the sensor says, with noise and in its steps, into files of four
units: mA at 5 V (`--ma`), milliwatts (`--mw`), a counter of microjoules that wraps (`--uj`), one of millijoules (`--mj`).
`--kind` is how the sensor fails: a row of KINDS.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import psutil

IDLE_W, PER_CORE_W, STEP_W, DRIFT_W_PER_S = 4.0, 3.0, 0.04, 0.1 / 60
RATE_HZ = 20.0
UJ_RANGE, UJ_START = 262_143_328_850, 262_143_328_850 - 60_000_000
"""As Intel's processors have it, and 60 J before it wraps: some twelve seconds."""
GOES_AFTER_S = 25.0


def _wherever(beat: int, _s: float) -> bool:
    del beat
    return True


KINDS: dict[str, Callable[[int, float], bool]] = {
    "": _wherever,
    "slow": lambda beat, _: beat % 10 == 0,  # 2 Hz
    "repeats": lambda beat, _: beat % 4 == 0,  # each value four times
    "driver": lambda beat, _: beat % 2 == 0,  # 10 Hz
    "stalls": lambda _, seconds: seconds % 12 <= 9,
    "goes": _wherever,
    "frozen": lambda beat, _: beat == 1,
    "negative": _wherever,
    "ones": _wherever,
    "deaf": _wherever,
}
"""By name, whether the sensor has a new value at a beat, so many seconds after the start. `goes`: its files are gone
after 25 s; `negative`, `ones`: it says less than nothing, or 65535; `deaf`: it says idle power whatever runs."""


def busy_s(home: Path) -> dict[int, float]:
    """CPU seconds of each process of a run or a sweep: those in the group of a supervisor, or of a driver."""
    leaders = {int(lock.read_text() or 0) for lock in (home / "sweeps").glob("*/alive.lock")} - {0}
    for events in (home / "runs").glob("*/events.jsonl"):
        first = events.read_text().partition("\n")[0]
        if '"pid":' in first:
            leaders.add(int(first.partition('"pid":')[2].partition(",")[0].rstrip("}")))
    found = {}
    for pid in psutil.pids() if leaders else ():
        try:
            if os.getpgid(pid) in leaders:
                times = psutil.Process(pid).cpu_times()
                found[pid] = times.user + times.system
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def main() -> None:
    """Move the sensor."""
    parser = argparse.ArgumentParser()
    for name in ("home", "truth"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for unit in ("ma", "mw", "uj", "mj"):
        parser.add_argument(f"--{unit}", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="")
    parser.add_argument("--mode-file", type=Path)
    parser.add_argument("--mode-watts", default="")
    parser.add_argument("--drift", type=float, default=DRIFT_W_PER_S)
    asked = parser.parse_args()
    by_mode = {mode: float(watts) for mode, _, watts in (word.partition("=") for word in asked.mode_watts.split(",") if word)}
    files = {unit: os.open(path, os.O_WRONLY) for unit in ("ma", "mw", "uj", "mj") if (path := getattr(asked, unit))}
    draw = random.Random(1)
    began = last = time.monotonic()
    before = busy_s(asked.home)
    joules = 0.0
    with asked.truth.open("w") as lines:
        for beat in range(1, 1_000_000):
            time.sleep(max(0.0, began + beat / RATE_HZ - time.monotonic()))
            busy, now = busy_s(asked.home), time.monotonic()
            cores = sum(max(0.0, used - before.get(pid, used)) for pid, used in busy.items()) / (now - last)
            mode = asked.mode_file.read_text().strip() if asked.mode_file else ""
            watts = IDLE_W + by_mode.get(mode, PER_CORE_W) * cores + asked.drift * (now - began)
            lines.write(f"{now} {watts}\n")
            lines.flush()
            heard_w = IDLE_W if asked.kind == "deaf" else watts
            joules += heard_w * (now - last)
            before, last = busy, now
            if asked.kind == "goes" and now - began > GOES_AFTER_S:
                for unit in files:
                    getattr(asked, unit).unlink(missing_ok=True)
            if KINDS[asked.kind](beat, now - began):
                said_mw = round((heard_w + draw.gauss(0, 0.05)) / STEP_W) * STEP_W * 1000
                if asked.kind == "negative":
                    said_mw = -said_mw
                if asked.kind == "ones":
                    said_mw = 65535
                values = {
                    "ma": round(said_mw / 5),
                    "mw": round(said_mw),
                    "uj": (UJ_START + round(joules * 1e6)) % UJ_RANGE,
                    "mj": round(joules * 1e3),
                }
                for unit, fd in files.items():
                    os.pwrite(fd, f"{values[unit]:14d}\n".encode(), 0)


if __name__ == "__main__":
    main()
