"""Lines of tegrastats in what others make of them: the same values as the bare line, and none from lines of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from edgetui.engine.telemetry.replay import Recording
from edgetui.engine.telemetry.sources.tegrastats import sample_of
from edgetui.engine.telemetry.tegrastats_line import TegrastatsLine, parse
from hypothesis import given
from hypothesis import strategies as st
from log_lines import DECORATIONS, LINES, PREFIXES, R36, UNTIMED
from msgspec import structs


def values(text: str) -> TegrastatsLine:
    return structs.replace(parse(text), timestamp=None)


@pytest.mark.parametrize("name", DECORATIONS)
def test_decoration_costs_no_value(name: str) -> None:
    for line in LINES:
        assert parse(DECORATIONS[name](line)) == parse(line)


@given(st.sampled_from(LINES), st.sampled_from(sorted(PREFIXES)), st.sampled_from(sorted(DECORATIONS)), st.integers(0, 59))
def test_any_time_before_any_decoration(line: str, prefix: str, decoration: str, second: int) -> None:
    before, around = PREFIXES[prefix](second), DECORATIONS[decoration]
    assert values(before + around(line)) == values(around(before + line)) == values(line)


@given(st.sampled_from(LINES), st.sampled_from(sorted(UNTIMED)), st.sampled_from(sorted(DECORATIONS)))
def test_any_words_before_it(line: str, prefix: str, decoration: str) -> None:
    assert parse(UNTIMED[prefix] + DECORATIONS[decoration](line)) == parse(line)


@pytest.mark.parametrize("stamp", ["", "May 15 18:30:28 jetson tegrastats[1]: ", "[2025-12-16 21:22:11.326] Tegrastats: "])
def test_its_own_time_is_found_wherever_it_stands(stamp: str) -> None:
    assert parse(f"{stamp}05-15-2025 18:30:28 {R36}").timestamp == "05-15-2025 18:30:28"


def test_blanks_within_tokens_as_the_manual_prints_them() -> None:
    line = parse(
        "RAM 20642 / 62817 MB (lfb 1x2MB) CPU [23%@2201, 10 %@2201, off] EMC_FREQ 3 % GR3D_FREQ 12 %@[1300, 1301] "
        "NVENC 5% @ [ 300 , 301 ] APE 174 VDD_IN 3150 mW / 2971 mW"
    )
    assert (line.ram_used_mb, line.cpu_load_pct, line.cpu_freq_mhz) == (20642, (23, 10, None), (2201, 2201, None))
    assert (line.gpu_load_pct, line.gpu_freq_mhz, line.emc_load_pct) == (12, (1300, 1301), 3)
    assert (line.engine_load_pct, line.clocks_mhz) == ({"NVENC": 5}, {"NVENC": 300, "APE": 174})
    assert line.rails_mw == {"VDD_IN": (3150, 2971, None)}


@pytest.mark.parametrize("token", ["GR3D_FREQ 12", "GR3D_FREQ 12 percent", "EMC_FREQ 12 x", "GR3D_FREQ 12 [1300]"])
def test_a_load_that_is_not_understood_is_no_clock(token: str) -> None:
    line = parse(f"RAM 1/2MB {token} APE 174")
    assert (line.gpu_load_pct, line.gpu_freq_mhz, line.emc_load_pct, line.emc_freq_mhz) == (None, (), None, None)
    assert line.clocks_mhz == {"APE": 174}


@pytest.mark.parametrize(
    ("text", "rails", "total_mw"),
    [
        ("POM_5V_IN 2830/1483 POM_5V_GPU 41/31", {"POM_5V_IN": 2830, "POM_5V_GPU": 41}, 2830),
        ("VDD_IN 5079mW/5079mW VDD_SOC 1104mW/1104mW", {"VDD_IN": 5079, "VDD_SOC": 1104}, 5079),
        ("[x] VDD_IN 5079mW/5079mW", {"VDD_IN": 5079}, 5079),
    ],
)
def test_the_first_token_of_a_line_is_a_token(text: str, rails: dict[str, int], total_mw: int) -> None:
    sample = sample_of(parse(text), 0.0, "", "tegrastats", None)
    assert (sample.rails_mw, sample.total_mw) == (rails, total_mw)


def test_loads_of_engines() -> None:
    sample = sample_of(parse(R36), 0.0, "", "tegrastats", None)
    assert sample.engine_load_pct == {"NVENC": 1, "NVDEC": 40, "VIC": 31}
    assert sample.clocks_mhz == {
        "EMC": 3199, "NVENC": 115, "NVDEC": 115, "NVJPG": None, "VIC": 115, "OFA": None, "PVA0": None, "APE": 174,
    }  # fmt: skip
    assert parse("RAM 1/2MB VIC 131%@115").engine_load_pct == {}


@pytest.mark.parametrize(
    "text",
    [
        "epoch 3/10 loss 0.5", "GPU 1/8 step 12/200", "VIC 20 left", "APE 174", "NVENC 30%", "SOC 3/4",
        "2025-05-15 18:30:28 INFO CPU 12/24 jobs", "RAM 16GB of DDR5", "user@jetson:~$ tegrastats --interval 500", "-- Logs",
    ],
)  # fmt: skip
def test_other_programs_count_as_well(text: str) -> None:
    assert parse(text).empty
    assert sample_of(parse(text), 0.0, "", "tegrastats", None).empty


@pytest.mark.parametrize("width", [40, 57, 80, 100, 132])
@pytest.mark.parametrize(
    "stamp", ["", "05-15-2025 18:30:{:02} ", "May 15 18:30:{0:02} jetson tegrastats[1234]: 05-15-2025 18:30:{0:02} "]
)
def test_lines_that_a_terminal_broke_lose_and_invent_nothing(tmp_path: Path, stamp: str, width: int) -> None:
    path = tmp_path / "pasted.txt"
    for text in LINES:
        whole = sample_of(parse(text), 0.0, "", "tegrastats", None)
        records = [stamp.format(k) + text[text.lower().find("ram") :] for k in range(3)]
        path.write_text("".join(f"{record[at : at + width]}\n" for record in records for at in range(0, len(record), width)))
        recording = Recording(path)
        samples = list(recording)
        count = len(samples) // 3
        recording.close()
        for group in ("rails_mw", "temps_c", "clocks_mhz", "engine_load_pct"):
            got: dict[str, float | None] = {}
            for sample in samples[:count]:
                got |= getattr(sample, group)
            assert got == getattr(whole, group)
        for name in ("cpu_load_pct", "gpu_load_pct", "gpu_freq_mhz", "ram_used_mb", "swap_used_mb", "emc_load_pct"):
            seen = [value for sample in samples[:count] if (value := getattr(sample, name)) not in (None, ())]
            assert seen == [value for value in [getattr(whole, name)] if value not in (None, ())]
        assert [samples[count * k - 1].t_s for k in (1, 2, 3)] == [0, 1, 2]


def test_lines_in_one_line_are_lines_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    lost_end = "05-15-2025 18:30:28 RAM 1/9MB VDD_IN 5mW/5mW05-15-2025 18:30:29 RAM 2/9MB VDD_IN 6mW/6mW"
    path.write_text(f"{lost_end}\n['RAM 3/9MB VDD_IN 7mW/7mW\\n', 'RAM 4/9MB VDD_IN 8mW/8mW\\n']\n")
    recording = Recording(path)
    assert [sample.ram_used_mb for sample in recording] == [1, 2, 3, 4]
    assert [sample.rails_mw["VDD_IN"] for sample in recording] == [5, 6, 7, 8]
    recording.close()


def test_tokens_with_commas_between_them() -> None:
    line = parse(
        ", ".join(["RAM 1/2MB", "SWAP 1/2MB", "GR3D_FREQ 5%@[306]", "cpu@45.5C", "VDD_IN 4067mW/4067mW", "VDD_SOC 9mW/9mW"])
    )
    assert (line.ram_used_mb, line.swap_used_mb, line.gpu_load_pct, line.temps_c) == (1, 1, 5, {"cpu": 45.5})
    assert line.rails_mw == {"VDD_IN": (4067, 4067, None), "VDD_SOC": (9, 9, None)}


@pytest.mark.parametrize(
    "chatter", [("epoch {}/5 loss 0.3 GPU 1/8", "[INFO] 3/4 done 50% | 12 ms"), ("12 ms", "3 GPU 1/8 CPU 2/4")]
)
def test_lines_of_other_programs_are_no_rest_of_one(tmp_path: Path, chatter: Sequence[str]) -> None:
    path = tmp_path / "x.log"
    old = "RAM 1982/3983MB (lfb 80x4MB) cpu [35%,52%]@1734 EMC 30%@1600 APE 25 GR3D 38%@153"
    for text in (R36, old):
        path.write_text("".join(f"{other.format(k)}\n" for k in range(5) for other in (chatter[0], text, chatter[1])))
        recording = Recording(path)
        samples = [sample for sample in recording if not sample.empty]
        recording.close()
        assert samples == [structs.replace(sample_of(parse(text), k, "", "tegrastats", None), time="assumed") for k in range(5)]


@pytest.mark.parametrize("text", LINES)
@pytest.mark.parametrize("place", [0, *(pytest.param(place, marks=pytest.mark.long) for place in (2, 4))])
def test_what_is_left_of_a_line_invents_nothing(tmp_path: Path, text: str, place: int) -> None:
    path = tmp_path / "x.log"
    whole = sample_of(parse(text), 0.0, "", "tegrastats", None)
    for cut in range(1, len(text)):
        for left in (text[:cut], text[cut:]):
            path.write_text("\n".join([*[text] * place, left, *[text] * (4 - place)]))
            recording = Recording(path)
            sample = recording.sample(place)
            recording.close()
            for group in ("rails_mw", "temps_c", "clocks_mhz", "engine_load_pct"):
                said = {name: value for name, value in getattr(sample, group).items() if value is not None}
                assert said.items() <= getattr(whole, group).items()
            for name in ("gpu_load_pct", "gpu_freq_mhz", "ram_used_mb", "swap_used_mb", "emc_load_pct", "cpu_load_pct"):
                assert getattr(sample, name) in (None, (), getattr(whole, name))
