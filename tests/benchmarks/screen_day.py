"""A run of a day: how soon its picture is there when somebody looks at it again, and what the screen's memory does over a day.

Seconds of a day ago lie before the machine was started, as a rule, so all of it happens in a time namespace of its own, whose
monotonic clock is further on (`unshare --time`). The day of telemetry goes through the real screen in `LAPSE_S`: this program
takes the sampler's place, and writes what a sampler writes, at 4 Hz by the samples' own time; and it is the run's supervisor.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import msgspec
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.schema import events
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.telemetry.rendezvous import SamplerLock, rendezvous_dir
from edgetui.engine.telemetry.ring import RingWriter
from edgetui.engine.telemetry.sample import Sample, Stats, encode
from on_pty import Session
from screen_board import still_board
from screen_rows import EDGETUI, EMPTY, PANES, Row, peer, places
from told_runs import RECIPE, went

DAY_S, HZ, LAPSE_S = 86_400, 4.0, 120.0
"""A tick of the screen takes 400 samples at most, at 10 Hz."""
SETTINGS = '[ui]\nrate_hz = 10\n[[alerts]]\nwatch = "temperature"\nabove = 95.0\n'
"""No alert of silence: samples of a day ago would raise it, and end it, with a message each, at every tick."""
FIRST_HOUR_S = 150.0
"""Frames fill what Textual and rich remember of words and places; a true hour has 14 400, so the first one has 1500 of them."""
SLOT, SLOTS = 2000, (4 << 20) // 2000
"""Of the ring, as the sampler has it for samples of this length."""
LATER_S = 200_000
"""So far the namespace's clock is on: a day ago it was running."""
PICTURE_MS, KEY_MS, MOST_TIMES, MOST_GROWTH_MB = 500.0, 100.0, 1.6, 2.0
PAST_MW, PAST_DOTS = 9_000_000, "⣿⣿⣿⣿⣿⣿⣿⣿".encode()
"""A power of the past that no board has: it fills the chart, where a board that stands still draws a line."""
SHARE = b"97 %"
HOURS = (0, 1, 6, 12, 24)
IDLE_S = 12.0


def make_run(home: Path, seconds: int) -> RunDir:
    """A run that has measured for so long: a reading a second, a line of telemetry a second."""
    spec = RunSpec(model="/models/net.onnx", recipe=RECIPE)
    asked = RunRequest(
        run="20261120-1000-day", ticket=1, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=spec
    )
    folder = create(home, asked)
    past = [*went(to="measure"), *(_reading(n) for n in range(seconds))]
    past.append(events.Progress(t=float(seconds), stage="measure", done=97, total=100, text="pairs"))
    with (folder.path / "events.jsonl").open("wb") as file:
        for n, event in enumerate(past, 1):
            file.write(events.encode(msgspec.structs.replace(event, n=n)) + b"\n")
    names = ["gpu_load_pct", "ram_used_mb", "hottest_c", "fan_rpm"]
    names += [f"{key}.{n}" for key in ("rails_mw", "temps_c", "cpu_load_pct") for n in range(6)]
    figures = b",".join(b'"%s":[50.125,51.5,52.75]' % name.encode() for name in names)
    with (folder.path / "telemetry.jsonl").open("wb") as file:
        for n in range(1, seconds + 1):
            file.write(b'{"t":%d.0,"stage":"measure","total_mw":[%d,%d,%d],%s}\n' % (n, *(PAST_MW,) * 3, figures))
    return folder


def _reading(n: int) -> events.Reading:
    return events.Reading(t=10.0 + n, side="candidate", latency_ms=2.0 + n % 7 / 10, mean_ms=2.0)


def reattach(rounds: int) -> list[Row]:
    """From exec to the first picture of the run, and to charts with its past; and what a key waits while it is read."""
    picture: list[float] = []
    beyond: list[float] = []
    charts: list[float] = []
    keys: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        env = places(Path(folder)) | still_board(Path(folder) / "board")
        run = make_run(Path(env["XDG_STATE_HOME"]) / "edgetui", DAY_S)
        with run.hold():
            for n in range(rounds + 1):
                with Session(EDGETUI, env=env) as seen:
                    first_s = seen.until(*PANES)
                    picture_s = seen.until(SHARE)
                    charts_s = seen.until(PAST_DOTS)
                with Session(EDGETUI, env=env) as seen:
                    seen.until(*PANES)
                    key_s = seen.press(b"?", b"scroll")
                if n:
                    keys.append(1000 * key_s)
                    picture.append(1000 * picture_s)
                    beyond.append(1000 * (picture_s - first_s))
                    charts.append(1000 * (charts_s - first_s))
    rows = [Row("reattach after 24 h", "run's picture, after the first paint", median(beyond))]
    rows[0].asked, rows[0].held = f"at most {PICTURE_MS:g}", rows[0].value is not None and rows[0].value <= PICTURE_MS
    rows.append(Row("reattach after 24 h", "the same, from exec", median(picture)))
    key = Row("reattach after 24 h", "the help, its key pressed at the first paint", median(keys), asked=f"at most {KEY_MS:g}")
    key.held = key.value is not None and key.value <= KEY_MS
    rows.append(key)
    rows.append(Row("reattach after 24 h", "charts with the day, after the first paint", median(charts)))
    return rows


def _sample(t_s: float, k: int) -> Sample:
    wave = math.sin(k / 500)
    return Sample(
        t_s=t_s,
        wall="2026-11-20T14:00:00.000+00:00",
        source="jetson",
        rails_mw={"VDD_IN": int(6000 + 900 * wave), "VDD_CPU_GPU_CV": int(2500 + 400 * wave), "VDD_SOC": 1500},
        total_mw=int(6000 + 900 * wave),
        total_scope="module",
        gpu_load_pct=60.0 + 30 * wave,
        gpu_freq_mhz=(612.0,),
        cpu_load_pct=tuple(20.0 + 3 * n + k % 5 for n in range(6)),
        cpu_freq_mhz=(1510.0,) * 6,
        ram_used_mb=3000.0 + k % 200,
        ram_total_mb=7620.0,
        temps_c={"cpu-thermal": 51.0 + wave, "gpu-thermal": 52.0 + wave, "tj-thermal": 53.0 + wave},
        fan_rpm=2200.0,
        throttled=(),
    )


def memory() -> list[Row]:
    """What is resident at first, beside others; then hour by hour of a day that goes through the screen."""
    figure = "memory"
    with tempfile.TemporaryDirectory() as folder:
        env = places(Path(folder)) | still_board(Path(folder) / "board")
        os.environ |= {"EDGETUI_ROOT": env["EDGETUI_ROOT"]}
        empty = _resident([sys.executable, "-c", EMPTY], (b"READY",), env)
        rows = [Row(figure, "empty Textual app", empty, "MB", 1.0)]
        for name, argv, words in (
            ("harlequin", peer("harlequin", "--no-download-tzdata", "--locale", "C"), (b"Query Editor",)),
            ("memray live", peer("memray", "run", "--live", "-c", "import time; time.sleep(60)"), (b"Heap Usage",)),
        ):
            value = None if isinstance(argv, str) else _resident(argv, words, env)
            note = argv if isinstance(argv, str) else ""
            rows.append(Row(figure, name, value, "MB", None if value is None else value / empty, note=note))
        hours = _day(env)
    for hour, value in hours.items():
        row = Row(figure, f"edgetui after {hour} h" if hour else "edgetui, a run and its sensors", value, "MB", value / empty)
        row.asked, row.held = f"at most {MOST_TIMES} times", value / empty <= MOST_TIMES
        rows.append(row)
    grown = hours[HOURS[-1]] - hours[1]
    asked = f"at most {MOST_GROWTH_MB:g} MB"
    return [*rows, Row(figure, "edgetui, from 1 h to 24 h", grown, "MB", asked=asked, held=grown <= MOST_GROWTH_MB)]


def _resident(argv: list[str], words: tuple[bytes, ...], env: dict[str, str]) -> float:
    with Session(argv, env=env) as seen:
        seen.until(*words)
        seen.drain(4.0)
        return seen.rss_mb


def _day(env: dict[str, str]) -> dict[int, float]:
    """MB by hour. The samples of a day ago to now come in `LAPSE_S`, and readings of the run beside them."""
    home = Path(env["XDG_STATE_HOME"]) / "edgetui"
    run = make_run(home, 60)
    (home.parent / "edgetui.toml").write_text(SETTINGS)
    place = rendezvous_dir(home, "auto")
    lock = SamplerLock(place)
    if not lock.take():
        raise RuntimeError("a sampler is there already")
    ring = RingWriter(place / "ring", SLOT, SLOTS)
    said = Stats(pid=os.getpid(), source="jetson", board="laid out", rate_hz=HZ, effective_rate_hz=HZ)
    found: dict[int, float] = {}
    began_s, many = time.monotonic() - DAY_S, int(DAY_S * HZ)
    with (
        run.hold(),
        Session(EDGETUI, env=env | {"EDGETUI_CONFIG": str(home.parent / "edgetui.toml")}) as seen,
        (run.path / "events.jsonl").open("ab") as file,
    ):
        seen.until(*PANES)
        ring.push(encode(_sample(began_s, 0)))
        ring.put_stats(encode(said))
        seen.drain(IDLE_S)
        found[0] = seen.rss_mb
        drained = threading.Thread(target=lambda: seen.drain(FIRST_HOUR_S + LAPSE_S + 10), daemon=True)
        drained.start()
        start_s, k, told = time.monotonic(), 0, 60
        while k < many:
            due = min(many, _due(time.monotonic() - start_s, many))
            while k < due:
                k += 1
                ring.push(encode(_sample(began_s + k / HZ, k)))
                if k % int(HZ) == 0:
                    told += 1
                    file.write(events.encode(msgspec.structs.replace(_reading(told), n=1000 + told)) + b"\n")
                hour = int(k / HZ / 3600)
                if hour in HOURS and hour not in found:
                    found[hour] = seen.rss_mb
            file.flush()
            time.sleep(0.02)
        drained.join()
        found[HOURS[-1]] = seen.rss_mb
    ring.close()
    lock.leave()
    return found


def _due(gone_s: float, many: int) -> int:
    """How many samples have come by then."""
    hour = int(3600 * HZ)
    return int(min(gone_s / FIRST_HOUR_S, 1.0) * hour + max(gone_s - FIRST_HOUR_S, 0.0) / LAPSE_S * (many - hour))


def day(part: str, rounds: int) -> list[Row]:
    """`reattach` or `memory`, in a process whose clock has run for a day."""
    figure = "reattach after 24 h" if part == "reattach" else "memory"
    later = [
        "unshare",
        "--user",
        "--map-root-user",
        "--time",
        "--monotonic",
        str(LATER_S),
        "--boottime",
        str(LATER_S),
        "--fork",
    ]
    try:
        done = subprocess.run(
            [*later, sys.executable, __file__, part, str(rounds)], stdout=subprocess.PIPE, text=True, check=False
        )
    except FileNotFoundError:
        return [Row(figure, "edgetui", None, note="there is no `unshare`", held=False)]
    if done.returncode:
        return [Row(figure, "edgetui", None, note="a clock that has run for a day cannot be had, or it failed", held=False)]
    return [Row(**row) for row in json.loads(done.stdout)]


if __name__ == "__main__":
    found = reattach(int(sys.argv[2])) if sys.argv[1] == "reattach" else memory()
    print(json.dumps([vars(row) for row in found]))
