"""tegrastats lines: every capture exactly, and nothing invented from a damaged line."""

from __future__ import annotations

import json
import os
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.client import open_telemetry
from edgetui.engine.telemetry.sources.source import SourceRefused
from edgetui.engine.telemetry.sources.tegrastats import Tegrastats, sample_of
from edgetui.engine.telemetry.tegrastats_line import TegrastatsLine, parse
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import wait_until

ORIN = (
    "10-08-2026 04:35:02 RAM 6712/7620MB (lfb 12x4MB) SWAP 369/3810MB (cached 8MB) CPU [38%@1497,2%@729,off] "
    "EMC_FREQ 61%@2133 GR3D_FREQ 99%@[612] NVDEC off VIC 36%@115 APE 200 cpu@57.125C gpu@-256C tj@58.312C "
    "VDD_IN 16321mW/11204mW VDD_SOC -3mW/3659mW NC 0mW/0mW"
)


def captures(shared: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for sidecar in sorted((shared / "tegrastats").glob("*.json")):
        text = sidecar.with_suffix(".txt").read_text().splitlines()
        lines = [line for line in text if not line.startswith("#")]
        found += [(lines[expect["line"] - 1], expect) for expect in json.loads(sidecar.read_text())["lines"]]
    return found


def as_sidecar(line: TegrastatsLine) -> dict[str, Any]:
    names = ("instant", "average", "maximum")
    rails = {
        rail: {n: v for n, v in zip(names, values, strict=True) if v is not None} for rail, values in line.rails_mw.items()
    }
    plain = {name: getattr(line, name) for name in line.__struct_fields__}
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
    return {**lists, "rails_mw": rails}


def test_every_line_of_every_capture(shared: Path) -> None:
    seen = captures(shared)
    assert len(seen) > 40
    for text, expect in seen:
        got = as_sidecar(parse(text))
        for key, value in expect.items():
            if key not in ("line", "total_power_mw") and value != "unspecified":
                assert got[key] == value, (key, text)


def test_the_total_follows_from_the_rails_where_no_board_is_known(shared: Path) -> None:
    for text, expect in captures(shared):
        if expect["total_power_mw"] == "unspecified":
            continue
        sample = sample_of(parse(text), 0.0, "", "replay", None)
        assert sample.total_mw == expect["total_power_mw"]["value"]
        assert sample.total_scope == (expect["total_power_mw"]["scope"] or "").replace("_", " ") or sample.total_scope is None


def test_all_kinds_of_tokens() -> None:
    line = parse(ORIN)
    assert line.cpu_load_pct == (38, 2, None)
    assert line.cpu_freq_mhz == (1497, 729, None)
    assert (line.emc_load_pct, line.emc_freq_mhz, line.gpu_load_pct, line.gpu_freq_mhz) == (61, 2133, 99, (612,))
    assert line.clocks_mhz == {"NVDEC": None, "VIC": 115, "APE": 200}
    assert line.temps_c == {"cpu": 57.125, "gpu": None, "tj": 58.312}
    assert line.rails_mw == {"VDD_IN": (16321, 11204, None), "VDD_SOC": (-3, 3659, None)}


@pytest.mark.parametrize(
    ("before", "after", "field", "value"),
    [
        ("RAM 6712/7620MB", "RAM 67x2/7620MB", "ram_used_mb", None),
        ("RAM 6712/7620MB", "RAM 8712/7620MB", "ram_used_mb", None),
        ("38%@1497", "38%@14.97", "cpu_load_pct", (None, 2, None)),
        ("38%@1497", "138%@1497", "cpu_load_pct", (None, 2, None)),
        ("CPU [38", "CPU 38", "cpu_load_pct", ()),
        ("99%@[612]", "99%@[612", "gpu_load_pct", None),
        ("99%@[612]", "999%@[612]", "gpu_load_pct", None),
        ("GR3D_FREQ 99%@[612]", "GR3D_FREQ @[612,0]", "gpu_freq_mhz", (612, 0)),
        ("57.125C", "57.125", "temps_c", {"gpu": None, "tj": 58.312}),
        ("57.125C", "57..125C", "temps_c", {"gpu": None, "tj": 58.312}),
        ("16321mW/11204mW", "16321mW/11204", "rails_mw", {"VDD_SOC": (-3, 3659, None)}),
        ("16321mW/11204mW", "1632\u0661mW/11204mW", "rails_mw", {"VDD_SOC": (-3, 3659, None)}),
        ("16321mW", "9" * 5000 + "mW", "rails_mw", {"VDD_SOC": (-3, 3659, None)}),
        ("SWAP 369", "SWAP369", "swap_used_mb", None),
    ],
)
def test_a_damaged_field_is_absent_and_the_others_stay(before: str, after: str, field: str, value: object) -> None:
    assert before in ORIN
    damaged = parse(ORIN.replace(before, after))
    assert getattr(damaged, field) == value
    assert damaged.timestamp == "10-08-2026 04:35:02"


def numbers_of(line: TegrastatsLine) -> list[float]:
    values = [getattr(line, name) for name in line.__struct_fields__ if name not in ("timestamp", "lfb_block_kb")]
    found: list[float] = []
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, tuple):
            values += value
        elif value is not None:
            found.append(value)
    return found


def check_invents_nothing(text: str) -> None:
    line = parse(text)
    written = [float(number) for number in re.findall(r"-?[0-9]+(?:\.[0-9]+)?", text) if len(number) < 12]
    for value in numbers_of(line):
        assert value in written or -value in written, (value, text)


def mutated(text: str, dice: random.Random) -> str:
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(4):
            case 0:
                text = text[:at] + text[at + dice.randint(1, 6) :]
            case 1:
                text = text[:at] + dice.choice("0123456789@%[]/, mWC-.xN\0\u0663\t") + text[at:]
            case 2:
                text = text[:at]
            case 3:
                other = dice.randrange(len(text) + 1)
                text = text[:at] + text[min(at, other) : max(at, other)] + text[at:]
        text = text or " "
    return text


def test_mutated_captures_raise_nothing_and_invent_nothing(shared: Path) -> None:
    dice = random.Random(20261120)
    lines = [text for text, _ in captures(shared)]
    for _ in range(int(os.environ.get("EDGETUI_FUZZ", "2000"))):
        check_invents_nothing(mutated(dice.choice(lines), dice))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_at_all(text: str) -> None:
    check_invents_nothing(text)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{2,8}", fullmatch=True), st.integers(-99999, 999999), max_size=6),
    st.lists(st.none() | st.tuples(st.integers(0, 100), st.integers(0, 9999)), min_size=1, max_size=16),
)
def test_what_is_printed_is_read_back(rails: dict[str, int], cores: list[tuple[int, int] | None]) -> None:
    rails = {name: mw for name, mw in rails.items() if name not in ("RAM", "SWAP", "IRAM", "CPU")}
    listed = ",".join("off" if core is None else f"{core[0]}%@{core[1]}" for core in cores)
    line = parse(f"RAM 1/2MB CPU [{listed}] " + " ".join(f"{name} {mw}mW/{mw}mW" for name, mw in rails.items()))
    assert {name: values[0] for name, values in line.rails_mw.items()} == rails
    assert line.cpu_load_pct == tuple(None if core is None else core[0] for core in cores)
    assert line.cpu_freq_mhz == tuple(None if core is None else core[1] for core in cores)


@pytest.fixture
def fake_tegrastats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make(body: str) -> None:
        program = tmp_path / "tegrastats"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))

    return make


def test_the_command_is_read_line_by_line_and_ended(fake_tegrastats, tmp_path: Path) -> None:
    fake_tegrastats(f"echo $$ > {tmp_path}/pid; echo $2 > {tmp_path}/interval\nwhile :; do echo '{ORIN}'; sleep 0.1; done")
    source = Tegrastats(Files(), 10.0)
    samples = []
    while len(samples) < 3:
        sample = source.read(time.monotonic())
        if sample is not None:
            samples.append(sample)
        time.sleep(0.02)
    assert samples[2].rails_mw["VDD_IN"] == 16321
    assert samples[2].total_mw == 16321
    assert (tmp_path / "interval").read_text() == "100\n"
    pid = int((tmp_path / "pid").read_text())
    source.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_through_the_sampler_no_line_is_lost(fake_tegrastats, own_state: Path) -> None:
    fake_tegrastats('k=1000\nwhile :; do k=$((k+1)); echo "RAM 1/2MB CPU [1%@2] VDD_IN ${k}mW/1mW"; sleep 0.05; done')
    with open_telemetry(own_state, "tegrastats", 2.0) as telemetry:
        wait_until(lambda: len(list(telemetry.since(0))) >= 12)
        seen = [sample.rails_mw["VDD_IN"] for _, sample in telemetry.since(0)]
    assert seen == list(range(seen[0] or 0, (seen[0] or 0) + len(seen)))  # type: ignore[operator]


@pytest.mark.parametrize("body", ["exit 1", "echo hello"])
def test_a_command_that_prints_nothing_of_use_is_passed_over(fake_tegrastats, body: str) -> None:
    fake_tegrastats(body)
    with pytest.raises(SourceRefused, match="nothing that can be read"):
        Tegrastats(Files())
