"""`monitor` as users run it, over boards that are laid out, logs and recordings; where a signal ends it in its own process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.tui.start import run
from laid_boards import Laid, lay_out_board, write_recording
from log_lines import R36

EDGETUI = [sys.executable, "-m", "edgetui"]
CAPTURES = ("agx_orin64_r36.4.4", "agx_thor_r38.4.0", "nano_r32_root", "tk1_r21", "tx2_r32", "xavier_nx_r35.4.1")
HOT = '[[alerts]]\nwatch = "temperature"\nabove = {above}\n'


@pytest.fixture
def board(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Laid]:
    """`board("nano_r32")`: from now on this is the machine."""

    def lay(name: str) -> Laid:
        laid, variables = lay_out_board(shared / "sysfs" / f"{name}.json", tmp_path)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        return laid

    return lay


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_recording(tmp_path / "field.jsonl")


def edgetui(*words: object) -> subprocess.CompletedProcess[str]:
    """A command in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(word) for word in words])
    return subprocess.CompletedProcess(words, code, *(said.buffer.getvalue().decode() for said in (out, err)))


def monitor(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = edgetui("monitor", *words)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def begun(*words: object) -> subprocess.Popen[str]:
    """A monitor that runs beside us."""
    return subprocess.Popen([*EDGETUI, "monitor", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def started(*words: object) -> subprocess.Popen[str]:
    """A monitor that has printed its first line; `communicate` loses those that came with it into the reader's buffer."""
    process = begun(*words)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def documents(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def samples_in(path: Path) -> list[dict]:
    """Samples of a recording; a half line at its end is passed over."""
    whole = path.read_text().rpartition("\n")[0]
    return [line for line in documents(whole) if "kind" not in line]


@pytest.mark.parametrize("name", CAPTURES)
def test_each_line_of_a_log_is_one_document_with_its_values(shared: Path, name: str):
    log = shared / "tegrastats" / f"{name}.txt"
    known = json.loads(log.with_suffix(".json").read_text())["lines"]
    found = documents(monitor("--replay", log, "--json").stdout)
    assert len(found) == len(known)
    for document, line in zip(found, known, strict=True):
        assert document["ram_used_mb"] == line["ram_used_mb"]
        assert document["cpu_load_pct"] == line["cpu_load_pct"]
        assert document["source"] == "tegrastats"


def test_a_recording_is_replayed_as_it_was(recording: Path):
    found = documents(monitor("--replay", recording, "--json").stdout)
    assert found == [sample | {key: found[0][key] for key in found[0] if key not in sample} for sample in samples_in(recording)]


def test_a_speed_keeps_the_time_between_samples(recording: Path):
    began = time.monotonic()
    assert len(documents(monitor("--replay", recording, "--json", "--speed", "200").stdout)) == 240
    assert time.monotonic() - began > 239 / 200


def test_an_interval_thins_a_replay(recording: Path):
    found = documents(monitor("--replay", recording, "--json", "--interval", "10").stdout)
    assert [document["t_s"] for document in found] == [1000.0 + 10 * k for k in range(24)]


@pytest.mark.parametrize("name", ["agx_orin_r35", "nano_r32", "xavier_nx_r35"])
def test_one_sample_of_a_board(board, name: str):
    laid = board(name)
    (document,) = documents(monitor("--once", "--json").stdout)
    assert document["rails_mw"] == pytest.approx(laid.expect["rails_mw"], abs=1)
    assert document["total_mw"] == pytest.approx(laid.expect["total_mw"], abs=1)


def test_watts_have_the_decimals_that_the_sensor_means(board):
    board("agx_orin_r35")
    lines = monitor("--once").stdout.splitlines()
    assert any(line.split() == ["Power", "total", "7", "W", "module"] for line in lines)
    assert any("GPU-therm" in line and "–" in line and "off" in line for line in lines)


def test_a_machine_without_a_power_sensor_says_so(board):
    laid = board("x86_rapl")
    for path in list(laid.root.rglob("energy_uj")):
        path.unlink()
    assert "no power sensor here" in monitor("--once").stdout
    process = started("--interval", "0.1")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_lines_have_a_header(shared: Path):
    header, first, *_ = monitor("--replay", shared / "tegrastats" / "xavier_nx_r32.txt").stdout.splitlines()
    assert "VDD_IN W" in header
    assert "total W (module)" in header
    assert len(first) == len(header) or "4.07" in first


def test_marks_and_alerts_stand_between_the_lines(recording: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "own.toml").write_text(HOT.format(above=54))
    monkeypatch.setenv("EDGETUI_CONFIG", str(tmp_path / "own.toml"))
    lines = monitor("--replay", recording).stdout.splitlines()
    assert "! mark: the drone turns" in lines
    assert any(line.startswith("! alert: temperature above 54 °C (cpu-thermal 54") for line in lines)
    assert any(line.startswith("! alert over: ") for line in lines)


def test_until_alert_has_an_exit_status_of_its_own(recording: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "own.toml").write_text(HOT.format(above=54))
    monkeypatch.setenv("EDGETUI_CONFIG", str(tmp_path / "own.toml"))
    done = monitor("--replay", recording, "--until-alert", "--json", code=3)
    assert "temperature above 54 °C (cpu-thermal" in done.stderr
    assert documents(done.stdout)[-1]["temps_c"]["cpu-thermal"] > 54
    (tmp_path / "own.toml").write_text(HOT.format(above=90))
    monitor("--replay", recording, "--until-alert")


def test_until_alert_on_a_live_board(board, tmp_path: Path, monkeypatch):
    board("nano_r32")
    (tmp_path / "own.toml").write_text(HOT.format(above=39))
    monkeypatch.setenv("EDGETUI_CONFIG", str(tmp_path / "own.toml"))
    assert "! alert: temperature above 39 °C" in monitor("--until-alert", "--interval", "0.1", code=3).stdout


def test_ctrl_c_leaves_a_whole_recording(board, tmp_path: Path):
    laid = board("xavier_nx_r35")
    file = tmp_path / "kept.jsonl"
    with begun("--record", file, "--interval", "0.05", "--json") as process:
        printed = process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        printed += process.stdout.read()
        err = process.stderr.read()
    assert process.returncode == 130
    assert f"recorded {file}: " in err
    assert file.read_text().endswith("}\n")
    kept = samples_in(file)
    assert kept == documents(printed)
    assert kept[0]["rails_mw"] == pytest.approx(laid.expect["rails_mw"], abs=1)
    header = json.loads(file.read_text().splitlines()[0])
    assert (header["kind"], header["source"]) == ("recording", "jetson")
    assert "Xavier NX" in header["board"]
    assert len(documents(monitor("--replay", file, "--json").stdout)) == len(kept)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_the_link_leaves_a_whole_recording(board, tmp_path: Path, number: signal.Signals):
    board("nano_r32")
    file = tmp_path / "kept.jsonl"
    process = started("--record", file, "--interval", "0.05")
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert file.read_text().endswith("}\n")


@pytest.mark.long
def test_kill_loses_at_most_the_last_second(board, tmp_path: Path):
    board("nano_r32")
    file = tmp_path / "kept.jsonl"
    with begun("--record", file, "--interval", "0.05", "--json") as process:
        printed = "".join(process.stdout.readline() for _ in range(40))
        process.kill()
        printed += process.stdout.read()
    last_s = documents(printed.rpartition("\n")[0])[-1]["t_s"]
    assert last_s - samples_in(file)[-1]["t_s"] <= 1.25  # a sample may come late, and is written when it comes
    assert len(documents(monitor("--replay", file, "--json").stdout)) == len(samples_in(file))


def test_a_reader_that_leaves_is_no_failure(shared: Path, tmp_path: Path):
    log = tmp_path / "long.txt"
    log.write_text((shared / "tegrastats" / "tx2_r32.txt").read_text() * 3000)
    process = started("--replay", log, "--json")
    process.stdout.close()
    with process.stderr as said:
        assert said.read() == ""
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--replay", "/nowhere/x.jsonl"], 1, "there is no file /nowhere/x.jsonl; check the path"),
        (["--source", "jetsn", "--plain"], 2, "no telemetry source `jetsn`; did you mean `jetson`?"),
        (["--speed", "2"], 2, "--speed is for replays"),
        (["--source", "host", "--replay", "x"], 2, "--source is for live sensors"),
        (["--once", "--until-alert"], 2, "--once prints one sample"),
        (["--interval", "0"], 2, "`--interval`"),
        (["--source", "jtop"], 1, "jtop"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, monkeypatch, words: list[str], code: int, said: str):
    (tmp_path / "bare").mkdir()
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "bare"))
    done = monitor(*words, code=code)
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert done.stdout == ""


def test_nothing_is_overwritten(board, recording: Path):
    board("nano_r32")
    before = recording.read_text()
    assert "is there already" in monitor("--record", recording, code=1).stderr
    assert recording.read_text() == before


def test_a_log_becomes_a_recording(shared: Path, tmp_path: Path):
    log, file = shared / "tegrastats" / "xavier_nx_r32.txt", tmp_path / "made.jsonl"
    direct = documents(monitor("--replay", log, "--json", "--record", file).stdout)
    assert documents(monitor("--replay", file, "--json").stdout) == direct


def export(*words: object) -> subprocess.CompletedProcess[str]:
    return edgetui("export", *words)


def test_a_recording_as_a_table_and_as_one_document(recording: Path, tmp_path: Path):
    done = export(recording, "--to", tmp_path / "out.csv", "--json")
    assert json.loads(done.stdout)["samples"] == 240
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    head = rows[0]
    assert len(rows) == 241
    assert rows[1][head.index("rails_mw.VDD_IN")] == "5000"
    assert rows[1][head.index("temps_c.cv0-thermal")] == ""
    assert [row[head.index("t_s")] for row in rows if row[-1] == "the drone turns"] == ["1061.0"]
    assert export(recording, "--to", tmp_path / "out.json").returncode == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert (len(document["samples"]), len(document["marks"]), len(document["alerts"])) == (240, 1, 2)


def test_what_an_export_cannot_be(recording: Path, tmp_path: Path):
    assert export(recording, "--to", tmp_path / "out.xls").returncode == 2
    (tmp_path / "there.csv").write_text("mine")
    done = export(recording, "--to", tmp_path / "there.csv")
    assert (done.returncode, "is there already" in done.stderr) == (1, True)
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert export(recording, "--to", tmp_path / "no" / "out.csv").returncode == 1


def test_the_doctor_tells_the_sensors_of_a_board(board):
    board("nano_r32")
    done = edgetui("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert "total 1750 mW" in checks["power"]["text"]
    assert {"telemetry", "temperatures", "power mode", "clocks", "disk", "logout", "memory"} <= set(checks)
    assert os.environ["EDGETUI_ROOT"] not in done.stdout.replace(str(Path.home()), "")


def test_a_log_is_shown_past_lines_of_other_programs(tmp_path: Path):
    log = tmp_path / "x.log"
    log.write_text(f"user@jetson:~$ tegrastats\n{R36}\nepoch 1/10\n{R36}\n")
    done = monitor("--replay", log)
    header, *rows = done.stdout.splitlines()
    assert "total W (module)" in header
    assert len(rows) == 2
    assert "1 s apart" in done.stderr
    assert any(row.split()[:2] == ["Engines", "NVENC"] for row in monitor("--replay", log, "--once").stdout.splitlines())
    documents_ = documents(monitor("--replay", log, "--json").stdout)
    assert [document["total_mw"] for document in documents_] == [None, 17946, None, 17946]
    assert documents_[1]["engine_load_pct"] == {"NVENC": 1, "NVDEC": 40, "VIC": 31}
    assert export(log, "--to", tmp_path / "x.csv").stderr.startswith("note: its lines have no time")
    assert "engine_load_pct.NVDEC" in (tmp_path / "x.csv").read_text().splitlines()[0]


def test_a_log_whose_first_line_lacks_power_has_power_all_the_same(tmp_path: Path):
    log = tmp_path / "x.log"
    log.write_text(f"RAM 1/2MB CPU [1%@2]\n{R36}\n")
    assert "no power" not in monitor("--replay", log).stdout
    log.write_text("RAM 1/2MB CPU [1%@2]\n" * 2)
    assert "# tegrastats tells no power here" in monitor("--replay", log).stdout.splitlines()


def test_what_has_to_be_known_of_a_file_is_said_beside_the_documents(recording: Path):
    recording.write_text(recording.read_text() * 2)
    done = monitor("--replay", recording, "--json")
    assert len(documents(done.stdout)) == 480
    assert "note: 2 recordings are in this file" in done.stderr


@pytest.mark.parametrize("other", ["--once", "--plain", "--json"])
def test_field_mode_is_a_screen_and_no_lines(tell, other: str):
    said = tell("monitor", "--field", other)
    assert said.code == 2
    assert "--field is a screen" in said.err
