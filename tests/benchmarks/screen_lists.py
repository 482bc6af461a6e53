"""Ten thousand runs in the list: from the key R to the counted rows, and from a filter's last letter to the rows that pass.

Beside the screen the same of the engine alone, in processor time, which other work on the machine does not stretch; and sqlite3
and jq over the same runs as peers.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec
from edgetui.engine.advice.run_filter import RunFilter, RunOrder
from edgetui.engine.runs.folder import create
from edgetui.engine.runs.index import Index
from edgetui.engine.schema import events
from edgetui.engine.schema.result import encode
from edgetui.engine.schema.spec import RunRequest, RunSpec
from on_pty import Session
from screen_board import still_board
from screen_rows import EDGETUI, Row, middle, places
from told_runs import RECIPE, outcome, went

OPEN_MS, FILTER_MS = 300.0, 50.0
FILTER = "recipe:int8 latency<5 ratio<0.5"
TYPED, LAST = b"/recipe:int8 ratio<0.", b"5"
WARM_S = 3.0


def make_runs(home: Path, count: int) -> None:
    """Run folders of four models and four recipes, all done."""
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


def lists(count: int, rounds: int) -> list[Row]:
    """The screen, the engine alone, and others."""
    with tempfile.TemporaryDirectory() as folder:
        env = places(Path(folder)) | still_board(Path(folder) / "board")
        home = Path(env["XDG_STATE_HOME"]) / "edgetui"
        make_runs(home, count)
        opened, filtered = _on_screen(env, count, rounds)
        rows = []
        for who, times, most in (("open the list", opened, OPEN_MS), ("filter it", filtered, FILTER_MS)):
            value = middle([1000 * took_s for took_s in times])
            note = f"{1000 * min(times):.0f} to {1000 * max(times):.0f}, n = {len(times)}"
            held = value is not None and value <= most
            rows.append(Row(f"{count} runs", who, value, "ms", asked=f"at most {most:g}", held=held, note=note))
        return [*rows, *_engine(home, count), *_others(home, count)]


def _on_screen(env: dict[str, str], count: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each opening, and of each filtering."""
    opened: list[float] = []
    filtered: list[float] = []
    for _ in range(rounds):
        with Session(EDGETUI, env=env) as seen:
            seen.until(b"Models", b"Log")
            seen.drain(WARM_S)
            opened.append(seen.press(b"R", b"%d of %d" % (count, count)))
            for _ in range(3):
                seen.drain(0.5)
                seen.press(TYPED, TYPED[1:])
                seen.drain(0.5)
                filtered.append(seen.press(LAST, TYPED[1:] + LAST))
                seen.drain(0.5)
                seen.press(b"\x15\r", b"newest")
    return opened, filtered


def _processor_ms(do: Callable[[], object]) -> float:
    """The median of five."""
    times = []
    for _ in range(5):
        before_s = time.process_time()
        do()
        times.append(1000 * (time.process_time() - before_s))
    return median(times)


def _engine(home: Path, count: int) -> list[Row]:
    """List, list again, filter, sort: in processor time."""
    index = Index(home)
    runs = index.list()
    wanted = RunFilter(FILTER)
    asked: dict[str, Callable[[], object]] = {
        "list, in a new process": lambda: Index(home).list(),
        "list again": index.list,
        f"filter `{FILTER}`": lambda: wanted.kept(runs),
        "sort by top1": lambda: RunOrder("top1").sort(runs),
    }
    return [Row(f"{count} runs", f"the engine: {name}", _processor_ms(do), "ms of a core") for name, do in asked.items()]


def _others(home: Path, count: int) -> list[Row]:
    """The same question to other programs, where they are here."""
    ask = "select count(*) from runs where json_extract(summary, '$.figures.latency_ms') < 5 and recipe like '%int8%'"
    over_all = f"ulimit -s unlimited; jq -s '[.[] | select(.candidate.latency_ms.mean < 5)] | length' {home}/runs/*/result.json"
    commands = {"sqlite3 over our index": ["sqlite3", str(home / "index.db"), ask], "jq over all": ["bash", "-c", over_all]}
    rows = []
    for name, argv in commands.items():
        figure, program = f"{count} runs", name.split()[0]
        if shutil.which(program) is None:
            rows.append(Row(figure, name, None, note=f"{program} is not installed"))
            continue
        began_s = time.perf_counter()
        done = subprocess.run(argv, capture_output=True, check=False)
        took_ms = 1000 * (time.perf_counter() - began_s)
        rows.append(Row(figure, name, None if done.returncode else took_ms, "ms", note="it failed" if done.returncode else ""))
    return rows
