"""What telemetry costs and how even its beat is, beside loops over psutil, and beside btop and glances where installed.

    python tests/benchmarks/telemetry.py [parse] [beat] [fast] [hour] [day] [psutil] [screens]

Without a word everything is measured, in about two minutes. The board is laid out in shared memory, from
`../shared/data/sysfs` where that is there. One core is 100 %.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from edgetui.engine.telemetry.client import open_telemetry
from edgetui.engine.telemetry.history import History
from edgetui.engine.telemetry.ring import RingWriter
from edgetui.engine.telemetry.sample import Sample, encode
from edgetui.engine.telemetry.tegrastats_line import parse

REPO = Path(__file__).resolve().parents[2]
DATA = REPO.parent / "shared" / "data"
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
RAIL = "/sys/class/hwmon/hwmon1/curr1_input"


@contextmanager
def board(name: str = "orin_nano_super_r36") -> Iterator[Path]:
    """A board's tree in shared memory, and EDGETUI_ROOT pointing there."""
    document = json.loads((DATA / "sysfs" / f"{name}.json").read_text())
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for path, content in document["files"].items():
            place = Path(folder + path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        for link, target in document.get("symlinks", {}).items():
            place = Path(folder + link)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.path.relpath(folder + target, place.parent))
        os.environ["EDGETUI_ROOT"] = folder
        yield Path(folder)
        del os.environ["EDGETUI_ROOT"]


def burn() -> None:
    """Keep a core busy."""
    while True:
        sum(range(10000))


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Other work on `count` cores."""
    workers = [multiprocessing.Process(target=burn, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    yield
    for worker in workers:
        worker.terminate()
        worker.join()


def bench_parse() -> None:
    """Lines of all captures, over and over."""
    texts = (path.read_text() for path in sorted((DATA / "tegrastats").glob("*.txt")))
    lines = [line for text in texts for line in text.splitlines() if not line.startswith("#")]
    best = 0.0
    for _ in range(5):
        began = time.process_time()
        for _ in range(200):
            for line in lines:
                parse(line)
        best = max(best, 200 * len(lines) / (time.process_time() - began))
    print(f"tegrastats: {best:,.0f} lines/s (wanted 50,000)")


def bench_beat() -> None:
    """20 Hz on a laid-out board, alone and with all cores busy."""
    cores = os.cpu_count() or 1
    for busy in (0, cores):
        with board(), tempfile.TemporaryDirectory() as home, busy_cores(busy):
            share, distances = _collect(Path(home), 20.0, SECONDS)
        off = [abs(d - 0.05) * 1e3 for d in distances]
        within = 100.0 * sum(ms <= 2.0 for ms in off) / len(off)
        print(
            f"20 Hz, {busy} cores busy: {share:.2f} % of a core (wanted 3), {within:.2f} % of {len(off)} intervals within 2 ms "
            f"(wanted 99), median {median(off):.3f} ms, 99th {quantiles(off, n=100)[98]:.2f} ms, worst {max(off):.2f} ms off"
        )


def _collect(home: Path, rate_hz: float, seconds: float) -> tuple[float, list[float]]:
    """(percent of a core, distances between samples in s), after the first second."""
    with open_telemetry(home, "auto", rate_hz) as telemetry:
        while telemetry.newest() is None or not telemetry.stats().pid:
            time.sleep(0.01)
        time.sleep(1.0)
        seen, before, began = telemetry.newest_number(), _cpu_s(telemetry.stats().pid), time.monotonic()
        stamps: list[float] = []
        while time.monotonic() - began < seconds:
            time.sleep(0.5)
            for n, sample in telemetry.since(seen):
                seen = n
                stamps.append(sample.t_s)
        share = 100.0 * (_cpu_s(telemetry.stats().pid) - before) / (time.monotonic() - began)
    return share, [b - a for a, b in itertools.pairwise(stamps)]


def _cpu_s(pid: int) -> float:
    """Of all threads: the file of the process has the first one alone."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def bench_fast() -> None:
    """1000 Hz on a tree in memory whose current changes 200 times a second."""
    with board() as root, tempfile.TemporaryDirectory() as home:
        stop, changes = threading.Event(), [0]

        def change() -> None:
            rail, k = os.open(f"{root}{RAIL}", os.O_WRONLY), 0
            due = time.monotonic()
            while not stop.is_set():
                k += 1
                os.pwrite(rail, f"{1000 + k % 9000}\n".encode(), 0)
                changes[0] += 1
                due += 0.005
                time.sleep(max(due - time.monotonic(), 0))

        thread = threading.Thread(target=change)
        thread.start()
        with open_telemetry(Path(home), "auto", 1000.0) as telemetry:
            while not telemetry.stats().pid:
                time.sleep(0.01)
            time.sleep(2)
            pid, seen = telemetry.stats().pid, telemetry.newest_number()
            first, before, began, changed = seen, _cpu_s(pid), time.monotonic(), changes[0]
            stamps, lost = [], 0
            while time.monotonic() - began < SECONDS / 2:
                time.sleep(0.1)
                for n, sample in telemetry.since(seen):
                    lost += n - seen - 1
                    seen = n
                    stamps.append(sample.t_s)
            span, stats = time.monotonic() - began, telemetry.stats()
            share, made = 100.0 * (_cpu_s(pid) - before) / span, (changes[0] - changed) / span
        stop.set()
        thread.join()
    rate = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    print(
        f"1000 Hz: {seen - first} samples, {lost} lost to the reader, {stats.gaps} beats missed, {rate:.1f} a second, "
        f"it says {stats.effective_rate_hz} a second and {stats.distinct_rate_hz} changes (made: {made:.1f}), "
        f"{share:.1f} % of a core (wanted 40)"
    )


def bench_hour() -> None:
    """Memory of the sampler's work over an hour of samples at 20 Hz, as fast as it goes."""
    from edgetui.engine.system.root_files import Files
    from edgetui.engine.telemetry.sources.jetson import Jetson

    with board() as root, tempfile.TemporaryDirectory() as folder:
        source, ring = Jetson(Files(str(root))), RingWriter(Path(folder) / "ring", 3000, 1024)
        marks = []
        for k in range(72000):
            ring.push(encode(source.read(1e6 + k / 20)))
            if k in (7200, 71999):
                marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        source.close()
        ring.close()
    print(f"an hour at 20 Hz: {marks[0]} KiB after 6 minutes, {marks[1]} KiB after an hour (peak resident)")


def bench_day() -> None:
    """A day at 1 Hz in the store behind the charts: what it takes, and how fast its chart of 160 columns is there."""
    history = History()
    began = time.perf_counter()
    for second in range(86400):
        rails = {"VDD_IN": 5000 + second % 700, "VDD_SOC": 1500, "VDD_CPU_GPU_CV": 900}
        history.add(
            Sample(t_s=1e6 + second, rails_mw=rails, total_mw=5000, cpu_load_pct=(1.0, 2.0, 3.0, 4.0), ram_used_mb=3000.0)
        )
    filled = time.perf_counter() - began
    began = time.perf_counter()
    for name in history.names:
        history.buckets(name, 1e6, 1e6 + 86400, 320)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"a day at 1 Hz: filled in {filled:.1f} s; {len(history.names)} charts of the whole day in {took * 1e3:.0f} ms "
        f"(wanted 200 for one), {peak:.0f} MiB resident"
    )


PSUTIL_LOOP = """
import psutil, time, sys
rate, seconds = float(sys.argv[1]), float(sys.argv[2])
psutil.cpu_percent(percpu=True)
end = time.monotonic() + seconds
while time.monotonic() < end:
    psutil.cpu_percent(percpu=True); psutil.cpu_freq(percpu=True); psutil.virtual_memory(); psutil.swap_memory()
    psutil.sensors_temperatures()
    time.sleep(1 / rate)
print(time.process_time())
"""


def bench_psutil() -> None:
    """Cores, clocks, memory, swap and temperatures of this machine at 2 and 20 Hz: our sampler and a loop over psutil."""
    for rate in (2.0, 20.0):
        with tempfile.TemporaryDirectory() as home:
            ours, _ = _collect(Path(home), rate, SECONDS / 2)
        run = [sys.executable, "-c", PSUTIL_LOOP, str(rate), str(SECONDS / 2)]
        empty = float(subprocess.run([*run[:-1], "0"], capture_output=True, text=True, check=True).stdout)
        loop = float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) - empty
        print(
            f"this machine at {rate:g} Hz: edgetui's sampler {ours:.2f} % of a core, a psutil loop {200 * loop / SECONDS:.2f} %"
        )


def bench_screens() -> None:
    """Monitors on a terminal of 160x45 at one picture a second: processor time and bytes. Ours with its sampler's share."""
    from on_pty import table, watch

    ours = [sys.executable, "-m", "edgetui", "monitor", "--interval", "1"]
    commands = {"edgetui monitor": ours, "btop": ["btop", "--utf-force"], "glances": ["glances", "-t", "1"]}
    rows = []
    with tempfile.TemporaryDirectory() as home:
        place = {"XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
        (Path(home) / "btop").mkdir()
        (Path(home) / "btop" / "btop.conf").write_text("update_ms = 1000\n")
        for name, command in commands.items():
            if shutil.which(command[0]) is None:
                print(f"{name}: not installed")
                continue
            with contextlib.ExitStack() as beside:
                sampler = None
                if command is ours:
                    sampler = beside.enter_context(open_telemetry(Path(home) / "edgetui", "auto", 1.0))
                    (Path(home) / "edgetui.toml").write_text("[ui]\nrate_hz = 1.0\n")
                    place["EDGETUI_CONFIG"] = f"{home}/edgetui.toml"
                seen = watch(command, warm_s=6.0, count_s=SECONDS, env=place)
                share = 0.0 if sampler is None else 100 * (sampler.stats().cpu_share or 0.0)
            about = [f"{seen.cpu_pct + share:.1f} %", f"{seen.bytes_s / 1000:.2f} kB/s", f"{seen.rss_mb:.0f} MB"]
            rows.append([name, *about, f"{share:.1f} %" if share else ""])
    print(table(["160x45, 1 Hz", "of a core", "to the terminal", "resident", "of it the sampler"], rows))


BENCHES = {
    "parse": bench_parse,
    "beat": bench_beat,
    "fast": bench_fast,
    "hour": bench_hour,
    "day": bench_day,
    "psutil": bench_psutil,
    "screens": bench_screens,
}

if __name__ == "__main__":
    if not DATA.is_dir():
        sys.exit(f"needs the boards and captures in {DATA}")
    for chosen in sys.argv[1:] or BENCHES:
        BENCHES[chosen]()
