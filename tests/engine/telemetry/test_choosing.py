"""Where no source can be used, the reason and the way out are those of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.doctor.sensors import findings
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.client import open_telemetry
from edgetui.engine.telemetry.rendezvous import rendezvous_dir
from edgetui.engine.telemetry.source_choice import choose
from edgetui.engine.telemetry.sources.source import SourceRefused
from processes import wait_until


def test_a_root_that_is_nowhere_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as told:
        choose("auto", Files(f"{tmp_path}/nowhere"))
    assert str(told.value) == f"EDGETUI_ROOT={tmp_path}/nowhere is not a folder; unset EDGETUI_ROOT, or correct it"


def test_a_root_without_a_system_tells_why_each_source_is_none(tmp_path: Path, own_state: Path, monkeypatch) -> None:
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    with pytest.raises(SourceRefused, match="host: there is no /proc/stat") as told:
        choose("auto", Files())
    assert told.value.fix == f"unset EDGETUI_ROOT, or lay out a system in {tmp_path}"
    with open_telemetry(own_state) as telemetry:
        wait_until(telemetry.problem)
        refusal = telemetry.refusal(0.0)
        assert refusal is not None
        assert (refusal.what, refusal.fix) == (told.value.what, told.value.fix)


def test_a_reason_that_was_mended_is_not_given_again(tmp_path: Path, own_state: Path, monkeypatch) -> None:
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    with open_telemetry(own_state) as telemetry:
        wait_until(telemetry.problem)
        problem = rendezvous_dir(own_state, "auto") / "problem"
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/stat").write_text("cpu0 1 0 1 9 0\n")
        assert problem.exists()
        with open_telemetry(own_state) as later:
            assert later.refusal(0.0) is None
            wait_until(later.newest)


def test_the_doctor_does_not_send_to_the_doctor(tmp_path: Path) -> None:
    finding = next(f for f in findings(Files(str(tmp_path))) if f.name == "telemetry")
    assert finding.state == "note"
    assert "`edgetui doctor`" not in finding.mend


def test_a_source_that_was_asked_for_keeps_its_own_way_out(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="jetson: this is not a Jetson") as told:
        choose("jetson", Files())
    assert "--source auto" in told.value.fix


def test_rapl_is_not_named_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "stat").write_text("cpu0 1 0 1 9 0\n")
    (tmp_path / "proc" / "cpuinfo").write_text("processor\t: 0\nModel\t: Raspberry Pi 5\n")
    told = findings(Files(str(tmp_path)))
    assert not any("RAPL" in f.text or "processor power" in f.name for f in told)
    assert any(f.name == "power" and "no power sensor" in f.text for f in told)
