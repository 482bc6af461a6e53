"""What hangs is left behind and named, and everything else goes on: files, commands, whole programs."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.system import commands, power_modes
from edgetui.engine.system.patience import ask, patiently, unanswered
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.channel import Notes
from edgetui.engine.telemetry.single_sample import once
from edgetui.engine.telemetry.sources.machine import Machine
from edgetui.engine.telemetry.sources.tegrastats import Tegrastats
from processes import group, wait_until

EDGETUI = [sys.executable, "-m", "edgetui"]
ZONES = {0: "cpu-thermal", 1: "gpu-thermal", 2: "tj-thermal"}


def test_work_goes_on_without_what_hangs_and_takes_it_up_again_when_it_answers() -> None:
    gate = threading.Event()
    finished: list[object] = []

    def slow() -> int:
        gate.wait()
        return 1

    def work() -> tuple[int | None, int]:
        try:
            first = ask("slow one", slow)
        except TimeoutError:
            first = None
        finished.append(first)
        return first, ask("quick one", lambda: 2)

    assert patiently(work) == (None, 2)
    assert unanswered() == ("slow one",)
    gate.set()
    wait_until(lambda: patiently(work) == (1, 2))
    assert unanswered() == ()
    assert finished.count(1) == 1, "the thread that was left behind went on with its work"


def test_many_quick_questions_are_none_that_hangs() -> None:
    def work() -> int:
        return sum(ask(f"quick {k % 2}", lambda: time.sleep(0.05) or 1) for k in range(30))

    assert patiently(work) == 30
    assert not any(name.startswith("quick") for name in unanswered())


@pytest.mark.long
def test_several_that_hang_are_all_passed_over() -> None:
    gate = threading.Event()

    def work() -> list[str]:
        told = []
        for name in ("a", "b", "c"):
            try:
                ask(f"hanging {name}", gate.wait)
            except TimeoutError:
                told.append(name)
        return told

    assert patiently(work) == ["a", "b", "c"]
    gate.set()


def test_an_error_of_the_work_is_raised_where_it_was_wanted() -> None:
    with pytest.raises(FileNotFoundError):
        patiently(lambda: Files("/nowhere").read("/x"))


def test_work_that_never_ends_has_a_time() -> None:
    gate = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.3 s"):
        patiently(gate.wait, 0.3)
    gate.set()


def script(folder: Path, name: str, body: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


def test_a_command_is_not_waited_for_while_its_child_holds_the_pipe(tmp_path: Path) -> None:
    program = script(tmp_path, "told", f"sleep 600 & echo $! > {tmp_path}/child; echo 15W; exit 3")
    told = commands.run([str(program)], 60.0)
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert told == (3, "15W\n")


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    program = script(tmp_path, "hangs", f"echo $$ > {tmp_path}/leader; echo begun; sleep 600 & sleep 600")
    told = commands.run([str(program)], 1.0)
    assert told == (None, "begun\n")
    wait_until(lambda: not group(int((tmp_path / "leader").read_text())))


def test_what_a_command_prints_is_read_whole(tmp_path: Path) -> None:
    program = script(tmp_path, "long", "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo no >&2; exit 0")
    assert commands.run([str(program)], 60.0).text.split() == [str(k) for k in range(20000)]
    assert commands.run([str(program)], 60.0, errors=True).text.split()[-1] == "no"


@pytest.fixture
def jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small Jetson; returns where it lies."""
    root = tmp_path / "board"

    def lay(path: str, text: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    lay("proc/device-tree/compatible", "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0")
    lay("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0")
    lay("proc/stat", "cpu 9 0 9 99 0 0 0 0\ncpu0 9 0 9 99 0 0 0 0\n")
    lay("proc/meminfo", "MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable: 4000000 kB\n")
    for k, zone in ZONES.items():
        lay(f"sys/class/thermal/thermal_zone{k}/type", f"{zone}\n")
        lay(f"sys/class/thermal/thermal_zone{k}/temp", f"{50000 + k}\n")
    lay("sys/class/hwmon/hwmon1/name", "ina3221\n")
    for k, rail in enumerate(("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"), 1):
        lay(f"sys/class/hwmon/hwmon1/in{k}_label", f"{rail}\n")
        lay(f"sys/class/hwmon/hwmon1/in{k}_input", "5000\n")
        lay(f"sys/class/hwmon/hwmon1/curr{k}_input", "1000\n")
    monkeypatch.setenv("EDGETUI_ROOT", str(root))
    return root


Hang = Callable[..., None]


@pytest.fixture
def hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hang:
    """`hang("zone1/temp")`: programs that are started from now on wait ten minutes for these files."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = tmp_path / "hanging.so"
    source = Path(__file__).resolve().parents[2] / "support" / "hanging.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)

    def make(*parts: str) -> None:
        monkeypatch.setenv("LD_PRELOAD", str(library))
        monkeypatch.setenv("HANGS", ",".join(parts))

    return make


def edgetui(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*EDGETUI, *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("parts", "zone", "rail"),
    [
        (("thermal_zone1/temp",), "gpu-thermal", None),
        (("hwmon1/curr2_input",), None, "VDD_CPU_GPU_CV"),
        pytest.param(
            ("thermal_zone0/temp", "thermal_zone2/type", "device-tree/model"), "cpu-thermal", None, marks=pytest.mark.long
        ),
    ],
)
def test_one_sample_has_everything_but_what_hangs(own_state, jetson: Path, hang: Hang, parts, zone, rail) -> None:
    monkey_root = os.environ["EDGETUI_ROOT"]
    assert Path(monkey_root) == jetson
    hang(*parts)
    done = edgetui("monitor", "--once", "--json")
    assert done.returncode == 0, done.stderr
    sample = json.loads(done.stdout)
    silent = {name for name in (zone, rail) if name}
    assert {name for name, degrees in sample["temps_c"].items() if degrees is None} | {
        name for name, mw in sample["rails_mw"].items() if mw is None
    } == silent
    assert sample["silent"] == dict.fromkeys(silent, "no answer within 1 s")
    assert sample["total_mw"] == 5000
    assert sample["ram_total_mb"] is not None
    assert all(any(part in line for line in done.stderr.splitlines()) for part in parts), "what hangs is not named"


@pytest.mark.long
def test_a_dead_board_of_chips_does_not_end_the_monitor(own_state, jetson: Path, hang: Hang) -> None:
    for chip in (2, 3, 4):
        shutil.copytree(jetson / "sys/class/hwmon/hwmon1", jetson / f"sys/class/hwmon/hwmon{chip}")
        for rail in (1, 2, 3):
            (jetson / f"sys/class/hwmon/hwmon{chip}/in{rail}_label").write_text(f"CARRIER{chip}_{rail}\n")
    for path in jetson.glob("sys/class/hwmon/hwmon?/curr?_input"):
        for limit in ("max", "crit"):
            path.with_name(path.name.replace("input", limit)).write_text("5000\n")
    hang(*(f"/{name}" for name in ("curr1_", "curr2_", "curr3_", "in1_input", "in2_input", "in3_input")))
    command = [*EDGETUI, "monitor", "--json", "--interval", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        sample = json.loads(process.stdout.readline())
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert set(sample["rails_mw"].values()) == {None}
    assert sample["temps_c"]["gpu-thermal"] == 50.001
    assert said == f"! no answer from 9 files in {jetson}/sys/class/hwmon/hwmon1; the others go on\n"


def test_what_is_known_is_read_on_while_looking_for_more_hangs(jetson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgetui.engine.telemetry.sources.jetson import Jetson

    for name, text in (("type", "gpu-throttle-alert"), ("cur_state", "1")):
        path = jetson / "sys/class/thermal/cooling_device0" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    source = Jetson(Files())
    before = source.read(100.0)
    listed = os.listdir

    def hanging(folder: str) -> list[str]:
        if "/sys/class" in folder:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), folder)
        return listed(folder)

    monkeypatch.setattr(os, "listdir", hanging)
    after = source.read(140.0)
    source.close()
    assert before.rails_mw == after.rails_mw == {"VDD_IN": 5000, "VDD_CPU_GPU_CV": 5000, "VDD_SOC": 5000}
    assert before.temps_c == after.temps_c == {"cpu-thermal": 50.0, "gpu-thermal": 50.001, "tj-thermal": 50.002}
    assert before.throttled == after.throttled == ("gpu-throttle-alert",)


def test_clocks_are_told_while_loads_are_not(tmp_path: Path) -> None:
    cpu = tmp_path / "sys/devices/system/cpu"
    for core in (0, 1):
        (cpu / f"cpu{core}/cpufreq").mkdir(parents=True)
        (cpu / f"cpu{core}/cpufreq/scaling_cur_freq").write_text("1500000\n")
    (cpu / "present").write_text("0-2\n")
    state = Machine(Files(str(tmp_path))).read(1.0)
    assert (state.cpu_load_pct, state.cpu_freq_mhz) == ((None,) * 3, (1500.0, 1500.0, None))


@pytest.mark.long
def test_the_doctor_tells_all_the_rest_and_names_what_hangs(own_state, jetson: Path, hang: Hang) -> None:
    hang("thermal_zone1/temp")
    done = edgetui("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert {"power", "temperatures", "memory", "disk", "index", "configuration"} <= set(checks)
    assert "no reading: gpu-thermal (no answer within 1 s)" in checks["temperatures"]["text"]
    assert checks["hangs"]["text"].endswith("/sys/class/thermal/thermal_zone1/temp")


def test_the_doctor_takes_what_hangs_for_nothing_else(own_state, jetson: Path, hang: Hang) -> None:
    hang("hwmon1/name", "device-tree/compatible")
    (jetson / "etc").mkdir()
    (jetson / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3\n")
    checks = {check["name"]: check for check in json.loads(edgetui("doctor", "--json").stdout)["checks"]}
    assert "/sys/class/hwmon/hwmon1/name gives no answer" in checks["power"]["text"]
    assert "modprobe" not in checks["power"]["mend"]
    assert checks["board profile"]["text"].startswith("the device tree gives no answer")
    assert "outside the container" not in str(checks)


def test_live_samples_go_on_and_it_can_be_ended(own_state, jetson: Path, hang: Hang) -> None:
    hang("thermal_zone1/temp")
    command = [*EDGETUI, "monitor", "--json", "--interval", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        samples = [json.loads(process.stdout.readline()) for _ in range(5)]
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert all(sample["temps_c"]["gpu-thermal"] is None and sample["rails_mw"]["VDD_IN"] == 5000 for sample in samples)
    assert said == f"! no answer from {jetson}/sys/class/thermal/thermal_zone1/temp; the others go on\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("exec sleep 600", marks=pytest.mark.long),
        "sleep 600 & sleep 600",
        pytest.param("sleep 600 & exit 0", marks=pytest.mark.long),
    ],
)
def test_a_power_mode_that_is_not_told_holds_no_sensor(
    own_state, jetson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    script(tmp_path, "nvpmodel", f"echo $$ > {tmp_path}/leader\n{body}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    sample, choice = once("auto")
    assert sample.power_mode is None
    assert sample.rails_mw["VDD_IN"] == 5000
    assert any(note.startswith("power mode: ") for note in choice.source.notes())
    assert power_modes.power_mode(Files(), 0.5) is None
    for pid in group(int((tmp_path / "leader").read_text())):
        os.kill(pid, signal.SIGKILL)  # what it left behind after it had ended by itself


def test_a_zone_that_fails_is_not_called_off(own_state, jetson: Path) -> None:
    broken = jetson / "sys/class/thermal/thermal_zone1/temp"
    broken.unlink()
    broken.symlink_to("/proc/self/mem")  # a read answers EIO
    (jetson / "sys/class/thermal/thermal_zone2/temp").write_text("-256000\n")
    sample, _ = once("auto")
    assert sample.temps_c == {"cpu-thermal": 50.0, "gpu-thermal": None, "tj-thermal": None}
    assert sample.silent == {"gpu-thermal": "the sensor does not answer"}
    doctor = {c["name"]: c for c in json.loads(edgetui("doctor", "--json").stdout)["checks"]}["temperatures"]
    assert doctor["text"].endswith("; off now: tj-thermal; no reading: gpu-thermal (the sensor does not answer)")
    shown = edgetui("monitor", "--once").stdout
    assert "the sensor does not answer" in next(line for line in shown.splitlines() if "gpu-thermal" in line)
    assert " off" in next(line for line in shown.splitlines() if "tj-thermal" in line)


def test_a_sensor_that_speaks_again_is_no_longer_called_silent(own_state, jetson: Path) -> None:
    from edgetui.engine.telemetry.sources.jetson import Jetson

    zone = jetson / "sys/class/thermal/thermal_zone1/temp"
    zone.unlink()
    source = Jetson(Files())
    assert source.read(100.0).silent == {"gpu-thermal": "not there"}
    zone.write_text("51000\n")
    later = source.read(110.0)
    source.close()
    assert (later.temps_c["gpu-thermal"], later.silent) == (51.0, {})


@pytest.mark.long
def test_tegrastats_that_ends_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "tegrastats", f"echo x >> {tmp_path}/starts; echo 'RAM 1/2MB CPU [1%@2] VDD_IN 5000mW/1mW'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    source = Tegrastats(Files(), 2.0)
    samples: list[object] = []
    wait_until(lambda: samples.append(source.read(time.monotonic())) or sum(one is not None for one in samples) >= 3)
    source.close()
    assert (tmp_path / "starts").read_text().count("x") >= 3
    assert source.notes() == ("tegrastats has ended by itself; it is started again",)


def test_a_command_that_fails_at_once_is_tried_ever_more_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgetui.engine.telemetry.sources import lines

    now_s = [1000.0]
    monkeypatch.setattr(lines.time, "monotonic", lambda: now_s[0])
    program = script(tmp_path, "fails", f"echo x >> {tmp_path}/starts; exit 1")
    kept = lines.KeptLines("fails", [str(program)], Notes(), terminal=True, interval_s=1.0)
    for _ in range(300):
        wait_for_end(kept)
        assert kept.newest() is None
        now_s[0] += 1.0
    kept.close()
    assert 5 <= (tmp_path / "starts").read_text().count("x") <= 12


def wait_for_end(kept) -> None:
    """Until the command that runs has ended; there need not be one."""
    while kept._child is not None and not kept._child.ended:
        time.sleep(0.001)
