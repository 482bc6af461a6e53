"""What lies in `examples/` works as it stands."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.library.recipes import read_recipe
from edgetui.engine.system.boards import Profile
from measuring import short_elsewhere

EXAMPLES = PACKAGE / "examples"


def test_the_recipe_can_be_read():
    assert [step.method for step in read_recipe(EXAMPLES / "half-and-prune.toml").active] == [
        "prune.magnitude",
        "precision.fp16",
    ]


def test_the_board_is_a_profile():
    profile = msgspec.toml.decode((EXAMPLES / "board.toml").read_bytes(), type=Profile)
    assert profile.total[0].rails == ("VDD_IN",)


def test_the_dataset_file_describes_class_folders(tmp_path):
    file = tmp_path / "dataset.toml"
    file.write_text((EXAMPLES / "dataset.toml").read_text())
    for name in ("test.zip", "train.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("cat/1.png", b"")
    dataset = read_dataset(str(file), {})
    assert (dataset.kind, Path(dataset.calibration)) == ("image-folder", tmp_path / "train.zip")
    assert dataset.input.size == (224, 224)


@pytest.mark.long
def test_the_script_compresses_and_reads_the_result(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    short_elsewhere(monkeypatch)
    demo = PACKAGE / "profiles" / "demo"
    argv = [sys.executable, str(EXAMPLES / "compress.py"), str(demo / "digits.onnx"), "int8", "digits"]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    assert shown.stdout.splitlines()[0].startswith("run ")
    assert "\ndone {" in shown.stdout
    assert "\nlatency: " in shown.stdout


def test_the_script_says_how_it_is_called():
    shown = subprocess.run(
        [sys.executable, str(EXAMPLES / "compress.py")], capture_output=True, text=True, timeout=60, check=False
    )
    assert (shown.returncode, shown.stderr) == (1, "usage: python examples/compress.py MODEL RECIPE [DATASET]\n")


def test_the_script_says_what_is_wrong():
    argv = [sys.executable, str(EXAMPLES / "compress.py"), "nowhere.onnx", "int8"]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 1
    assert shown.stderr.startswith("error: there is no model ")
