"""The table of quantities: complete, without doubles, and what is printed of it agrees with the samples."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from edgetui.engine.config import PACKAGE
from edgetui.engine.telemetry.alerts import AlertRule, Alerts
from edgetui.engine.telemetry.quantities import BY_KEY, GROUPS, IN_GROUPS, QUANTITIES, WATCHED, headings, series
from edgetui.engine.telemetry.recording_export import to_csv
from edgetui.engine.telemetry.replay import Recording
from edgetui.engine.telemetry.sample import Sample, encode
from msgspec.structs import replace

BESIDE = {"t_s", "wall", "time", "source", "total_scope", "power_mode", "silent", "counters", "throttled"}
"""Fields that are no figure over time."""


def test_a_heading_of_its_own_comes_last():
    assert headings(QUANTITIES) == GROUPS
    assert headings([*QUANTITIES, replace(BY_KEY["fan_rpm"], group="Stalls")]) == (*GROUPS, "Stalls")


def test_every_figure_of_a_sample_has_a_row_or_is_the_total_of_one() -> None:
    totals = {quantity.total for quantity in QUANTITIES if quantity.total}
    assert set(Sample.__struct_fields__) - BESIDE <= set(BY_KEY) | totals
    assert len(BY_KEY) == len(QUANTITIES)


def test_every_heading_has_a_row() -> None:
    assert list(dict.fromkeys(quantity.group for quantity in IN_GROUPS)) == list(GROUPS)


def test_series_have_the_names_that_rows_have() -> None:
    sample = Sample(
        t_s=1.0,
        rails_mw={"VDD_IN": 4000, "VDD_SOC": None},
        total_mw=4000,
        cpu_load_pct=(10.0, None, 30.0),
        temps_c={"cpu-thermal": 40.0, "PMIC-Die": 100.0},
    )
    assert dict(series(sample)) == {
        "rails_mw.VDD_IN": 4000,
        "total_mw": 4000,
        "cpu_mean_pct": 20.0,
        "cpu_load_pct.0": 10.0,
        "cpu_load_pct.2": 30.0,
        "hottest_c": 40.0,
        "temps_c.cpu-thermal": 40.0,
        "temps_c.PMIC-Die": 100.0,
    }
    rows = {figure.key for quantity in IN_GROUPS for figure in quantity.rows(sample, 2)}
    assert set(dict(series(sample))) <= rows


def _table(folder: Path, *samples: Sample) -> list[list[str]]:
    path = folder / "recording.jsonl"
    path.write_bytes(b"".join(encode(sample) + b"\n" for sample in samples))
    out = io.StringIO()
    recording = Recording(path)
    to_csv(recording, out)
    recording.close()
    return list(csv.reader(io.StringIO(out.getvalue())))


def test_an_exported_table_keeps_its_columns_and_their_order(tmp_path: Path) -> None:
    old = Sample(t_s=1.0, rails_mw={"VDD_IN": 4000}, temps_c={"cpu": 40.0}, cpu_load_pct=(10.0,), counters={"oc1": 0.0})
    heads = (
        "t_s wall source total_mw total_scope gpu_load_pct emc_load_pct ram_used_mb ram_total_mb swap_used_mb swap_total_mb"
        " fan_rpm power_mode rails_mw.VDD_IN temps_c.cpu counters.oc1 cpu_load_pct.0 mark"
    )
    assert _table(tmp_path, old)[0] == heads.split()


def test_memory_of_a_graphics_card_has_columns_where_there_is_one(tmp_path: Path) -> None:
    heads, row = _table(tmp_path, Sample(t_s=1.0, gpu_ram_used_mb=3072.0, gpu_ram_total_mb=81920.0))
    assert row[heads.index("gpu_ram_used_mb")] == "3072.0"
    assert row[heads.index("gpu_ram_total_mb")] == "81920.0"


def test_the_axis_of_memory_ends_at_what_there_is() -> None:
    sample = Sample(t_s=1.0, ram_total_mb=7620.0, swap_total_mb=3810.0)
    assert [BY_KEY[key].top(sample) for key in ("ram_used_mb", "swap_used_mb", "gpu_load_pct", "fan_rpm")] == [
        7.4,
        3.7,
        100,
        None,
    ]


def test_a_value_at_its_limit_is_not_above_it() -> None:
    alerts = Alerts((AlertRule(watch="power", above=2.3),))
    assert alerts.update(Sample(t_s=1.0, total_mw=2300)) == []
    assert alerts.update(Sample(t_s=2.0, total_mw=2301))[0].detail == "total"


def test_the_configuration_says_every_word_that_can_be_watched() -> None:
    (line,) = [line for line in (PACKAGE / "edgetui.toml").read_text().splitlines() if line.startswith("#   watch ")]
    assert [word for word in WATCHED if word not in line] == []
