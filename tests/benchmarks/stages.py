"""What a run costs beyond the work of its stages, beside other checkouts, in turns on one machine.

make bench-stages          (python tests/benchmarks/stages.py [PYTHON ...]: those of other checkouts' environments)

The demo's run from the command to its first timed inference, and each short stage beside the same work in a process that has
imported everything and done it once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from on_pty import table

ROUNDS = 5
WANTED_S = 0.05
DEMO = Path(__file__).resolve().parents[2] / "profiles" / "demo"
RUN = ("run", str(DEMO / "digits.onnx"), "--recipe", "int8", "--dataset", str(DEMO / "digits.toml"), "--preset", "quick")
TIMED = "warming up the baseline"
WORK = """
import sys, time
from pathlib import Path
from tempfile import mkdtemp
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.runs.stages import plan_stages
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.job import Job
from edgetui.engine.work.pipeline import do
home = Path(sys.argv[1])
(folder,) = (home / "runs").iterdir()
asked = RunDir(folder).asked()
for stage in plan_stages(asked):
    if stage.kind == "measure":
        break
    for _ in range(2):
        began = time.perf_counter()
        do([Job(home, asked, stage.name, Path(mkdtemp(dir=home)), NullReporter())], NullReporter())
        took_s = time.perf_counter() - began
    print(stage.name, took_s)
"""


def one_run(python: str, home: Path) -> tuple[float, dict[str, float]]:
    """Seconds until the first timed inference, and by stage what it took beyond its work."""
    environment = os.environ | {"XDG_STATE_HOME": str(home), "PYTHONDONTWRITEBYTECODE": ""}
    state = home / "edgetui"
    began = time.perf_counter()
    edgetui = [python, "-m", "edgetui"]
    run = subprocess.run(
        [*edgetui, *RUN, "--detach"], env=environment, check=True, capture_output=True, text=True
    ).stdout.split()[0]
    events = state / "runs" / run / "events.jsonl"
    while TIMED not in (text := events.read_text()):
        time.sleep(0.01)
    first_s = time.perf_counter() - began
    subprocess.run([*edgetui, "cancel", run], env=environment, check=True, capture_output=True)
    ended = [event for event in map(json.loads, text.splitlines()) if event["kind"] == "stage-ended"]
    work = subprocess.run([python, "-c", WORK, str(state)], check=True, capture_output=True, text=True).stdout
    seconds = {name: float(took_s) for name, took_s in (line.split() for line in work.splitlines())}
    return first_s, {event["stage"]: event["seconds"] - seconds[event["stage"]] for event in ended}


def main() -> int:
    """Print the table; exit 1 when this checkout's stages cost more than is wanted."""
    pythons = [sys.executable, *sys.argv[1:]]
    firsts: dict[str, list[float]] = defaultdict(list)
    beyond: dict[str, dict[str, list[float]]] = {python: defaultdict(list) for python in pythons}
    for n in range(ROUNDS + 1):
        for python in pythons:
            with tempfile.TemporaryDirectory() as home:
                first_s, stages = one_run(python, Path(home))
            if n:  # the first round warms the disk's cache
                firsts[python].append(first_s)
                for name, took_s in stages.items():
                    beyond[python][name].append(took_s)
    names = list(beyond[pythons[0]])
    rows = [
        (python, f"{median(firsts[python]):.2f}", *(f"{median(beyond[python][name]):.3f}" for name in names))
        for python in pythons
    ]
    print(f"seconds, medians of {ROUNDS} rounds in turns: to the first timed inference, and of each stage beyond its work\n")
    print(table(("", "first", *names), rows))
    worst = max(median(beyond[sys.executable][name]) for name in names[1:])
    print(f"\nwanted: at most {WANTED_S} s beyond the work of a stage after the first; is {worst:.3f}")
    return 0 if worst <= WANTED_S else 1


if __name__ == "__main__":
    sys.exit(main())
