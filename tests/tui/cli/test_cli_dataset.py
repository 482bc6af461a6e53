"""`edgetui dataset`: what it prints, what it writes, and how it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.spec import Dataset
from edgetui.tui.start import run


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    np.savez(path, image=np.zeros((12, 3, 4, 4), np.float32), labels=np.arange(12) % 3)
    return path


def test_what_is_written_is_read_and_is_not_written_over(arrays: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "some.toml"
    assert run(["dataset", str(arrays), "--out", str(out)]) == 0
    assert read_dataset(str(out), {}) == Dataset(kind="npz", path=str(arrays), name="some")
    capsys.readouterr()
    assert run(["dataset", str(arrays), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {out} is there already; ")
    assert said.out == ""
    assert run(["dataset", str(arrays), "--out", str(out), "--force"]) == 0


def test_what_is_broken_ends_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "zero.npz").touch()
    assert run(["dataset", str(tmp_path / "zero.npz")]) == 1
    assert capsys.readouterr().err.endswith("truncated one; save it again with numpy.savez\n")


def test_flags_that_do_nothing_are_refused(arrays: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["dataset", str(arrays), "--force"]) == 2
    assert "add --model MODEL or --out" in capsys.readouterr().err
