"""Ten thousand runs in the list, a run of a day, and keys while the cores are busy: what the screen takes for each.

    make bench-lists          (python tests/benchmarks/lists.py [RUNS] [--busy N])

All on a pseudo-terminal of 160x45. `open`: from the key R to the first row. `filter`: from the last letter of a filter to the
counted rows. `key`: from a key that moves the cursor to the first byte that it draws. Beside the screen the same of the engine
alone, in processor time, which other work on the machine does not stretch; and sqlite3 and jq over the same runs as peers.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import msgspec
from edgetui.engine.advice.run_filter import RunFilter, RunOrder
from edgetui.engine.runs.folder import create
from edgetui.engine.runs.index import Index
from edgetui.engine.runs.telemetry_past import read_past
from edgetui.engine.schema import events
from edgetui.engine.schema.result import encode
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.telemetry.history import History
from edgetui.engine.telemetry.run_clock import RunClock
from on_pty import Session, table
from told_runs import RECIPE, outcome, went

FILTER = "recipe:int8 latency<5 ratio<0.5"
DAY_S = 86_400
WANTED = {"open": 0.3, "filter": 0.05, "key": 0.1, "day": 0.5}


def main() -> int:
    """Print the tables; exit 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=int, default=10_000)
    parser.add_argument("--busy", type=int, default=2, help="processes that compute beside the screen while keys are timed")
    parser.add_argument("--keys", type=int, default=300)

    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "state" / "edgetui"
        make_runs(home, asked.runs)
        env = {"XDG_STATE_HOME": str(home.parent), "XDG_CONFIG_HOME": str(Path(folder) / "config")}
        rows = [*engine_rows(home), *peer_rows(home)]
        print(f"{asked.runs} runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print(table(("of the engine alone", "wall ms", "processor ms"), rows), "\n")
        found = screen_times(env, asked.runs, asked.busy, asked.keys)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "state" / "edgetui"
        day = past_time(make_day(home))
        print(table(("of the engine alone", "wall ms", "processor ms"), [day]), "\n")
        env = {"XDG_STATE_HOME": str(home.parent), "XDG_CONFIG_HOME": str(Path(folder) / "config")}
        found["day"] = [day_time(env) for _ in range(3)]
    said = []
    for name, times in found.items():
        p99 = quantiles(times, n=100)[98] if len(times) >= 100 else max(times)
        limit = WANTED[name.split()[0].rstrip(",")]
        counted = p99 if name.startswith("key") else median(times)
        word = "yes" if counted <= limit else "no"
        said.append((name, str(len(times)), *(f"{1000 * each:.0f}" for each in (median(times), p99, limit)), word))
    print(table(("on the screen", "n", "median ms", "p99 or most", "wanted", "held"), said))
    return 0 if all(row[-1] == "yes" for row in said) else 1


def make_runs(home: Path, count: int) -> None:
    """Run folders of four models and four recipes, half of them faster."""
    draw = random.Random(1)
    texts: dict[str, tuple[str, bytes]] = {}
    past = b"".join(events.encode(event) + b"\n" for event in went(to="done"))
    for n in range(count):
        model = draw.choice(["resnet20_cifar10", "yolov8n", "pose_resnet18", "ultraface_rfb320"])
        recipe = msgspec.structs.replace(RECIPE, name=draw.choice(["int8", "fp16", "prune-50", "hybrid-int8"]))
        key = f"{model} {recipe.name}"
        if key not in texts:
            spec = RunSpec(model=f"/models/{model}.onnx", recipe=recipe, preset="quick")
            when = "2026-11-20T10:00:00+00:00"
            asked = RunRequest(run="RUN", ticket=0, wall=when, edgetui="0", python="python", model_sha256="a" * 64, spec=spec)
            made = create(home, asked)
            told = outcome("RUN", Path(spec.model))
            told = msgspec.structs.replace(told, recipe=msgspec.structs.replace(told.recipe, name=recipe.name))
            texts[key] = ((made.path / "run.toml").read_text(), encode(told))
            shutil.rmtree(made.path)
        toml, result = texts[key]
        run = f"20261120-{n:06d}-{model}-{recipe.name}"
        folder = home / "runs" / run
        folder.mkdir(parents=True)
        (folder / "run.toml").write_text(toml.replace('"RUN"', f'"{run}"').replace("ticket = 0\n", f"ticket = {n + 1}\n"))
        (folder / "events.jsonl").write_bytes(past)
        (folder / "result.json").write_bytes(result.replace(b'"RUN"', b'"' + run.encode() + b'"'))
    Index(home).list()


def timed(do) -> tuple[str, str]:
    """The median of five, in wall and processor time."""
    walls, cores = [], []
    for _ in range(5):
        wall, core = time.perf_counter(), time.process_time()
        do()
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return f"{1000 * median(walls):.0f}", f"{1000 * median(cores):.0f}"


def engine_rows(home: Path) -> list[tuple[str, str, str]]:
    """List, list again, filter, sort."""
    index = Index(home)
    runs = index.list()
    wanted = RunFilter(FILTER)
    return [
        ("list, in a new process", *timed(lambda: Index(home).list())),
        ("list again", *timed(index.list)),
        (f"filter `{FILTER}`", *timed(lambda: [run for run in runs if wanted.keeps(run)])),
        ("filter `fp16`", *timed(lambda: [run for run in runs if RunFilter("fp16").keeps(run)])),
        ("sort by top1", *timed(lambda: RunOrder("top1").sort(runs))),
    ]


def peer_rows(home: Path) -> list[tuple[str, str, str]]:
    """The same question to other programs, where they are here."""
    rows = []
    if shutil.which("sqlite3"):
        ask = "select count(*) from runs where json_extract(summary, '$.figures.latency_ms') < 5 and recipe like '%int8%'"
        rows.append(("sqlite3 over our index, filter", timed_program(["sqlite3", str(home / "index.db"), ask]), "–"))
    if shutil.which("jq"):
        ask = f"jq -s '[.[] | select(.candidate.latency_ms.mean < 5)] | length' {home}/runs/*/result.json"
        rows.append(("jq over all result.json, filter", timed_program(["bash", "-c", f"ulimit -s unlimited; {ask}"]), "–"))
    return rows


def timed_program(argv: list[str]) -> str:
    """Milliseconds of a program, or what became of it."""
    began = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, check=False)
    return f"{1000 * (time.perf_counter() - began):.0f}" if not done.returncode else "failed"


def screen_times(env: dict[str, str], runs: int, busy: int, keys: int) -> dict[str, list[float]]:
    """Open and filter the list, and keys in it: alone, and beside processes that compute."""
    found: dict[str, list[float]] = {"open": [], "filter": []}
    for last in (False, False, True):
        with Session([sys.executable, "-m", "edgetui"], env=env) as seen:
            seen.until(b"Models", b"Log")
            time.sleep(3.0)
            found["open"].append(seen.press(b"R", b"%d of %d" % (runs, runs)))
            for _ in range(5):
                time.sleep(0.5)
                seen.press(b"/recipe:int8 ratio<0.", b"recipe:int8 ratio<0.")
                time.sleep(0.5)
                found["filter"].append(seen.press(b"5", b"recipe:int8 ratio<0.5"))
                time.sleep(0.5)
                seen.press(b"\x15\r", b"newest")
            if last:
                time.sleep(0.5)
                found["key, alone"] = [key_time(seen, n) for n in range(keys)]
                with computing(busy):
                    time.sleep(1.0)
                    found[f"key, {busy} processes compute"] = [key_time(seen, n) for n in range(keys)]
    return found


def key_time(seen: Session, n: int) -> float:
    """From a key that moves the cursor to what it draws."""
    time.sleep(0.02)
    return seen.press(b"j" if n % 40 < 20 else b"k")


def _compute() -> None:
    import numpy as np

    square = np.ones((400, 400), np.float32)
    while True:
        square = np.tanh(square @ square.T / 400)


@contextmanager
def computing(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    workers = [multiprocessing.Process(target=_compute, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def make_day(home: Path) -> Path:
    """A run that has measured for a day: a reading a second, telemetry a line a second."""
    spec = RunSpec(model="/models/net.onnx", recipe=RECIPE)
    run = "20261120-1000-day"
    asked = RunRequest(run=run, ticket=1, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=spec)
    folder = create(home, asked)
    past = went(to="measure")
    with (folder.path / "events.jsonl").open("wb") as file:
        for event in past:
            file.write(events.encode(event) + b"\n")
        for n in range(DAY_S):
            reading = events.Reading(n=len(past) + n + 1, t=10.0 + n, side="candidate", latency_ms=2.0, mean_ms=2.0)
            file.write(events.encode(reading) + b"\n")
    names = ["total_mw", "gpu_load_pct", "ram_used_mb", "hottest_c", "fan_rpm"]
    names += [f"{key}.{n}" for key in ("rails_mw", "temps_c", "cpu_load_pct") for n in range(6)]
    figures = b",".join(b'"%s":[5000.125,5100.5,5200.75]' % name.encode() for name in names)
    with (folder.path / "telemetry.jsonl").open("wb") as file:
        for n in range(DAY_S):
            file.write(b'{"t":%d.0,"stage":"measure",%s}\n' % (n, figures))
    return folder.path


def past_time(folder: Path) -> tuple[str, str, str]:
    """Telemetry of that day, as charts of a run that is looked at again take it in, beside the screen."""
    clock = RunClock(0.0, exact=True)
    return ("telemetry of a day, 23 series", *timed(lambda: read_past(folder, clock, float(DAY_S), History())))


def day_time(env: dict[str, str]) -> float:
    """From the command to the picture of the run, beyond what the empty screen takes."""
    began = time.perf_counter()
    with Session([sys.executable, "-m", "edgetui"], env=env) as seen:
        seen.until(b"Models", b"Log")
        empty = time.perf_counter() - began
        seen.until(b"measure", b"interrupted")
        return time.perf_counter() - began - empty


if __name__ == "__main__":
    sys.exit(main())
