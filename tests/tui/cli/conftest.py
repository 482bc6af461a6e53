"""The command line in this process and in processes and terminals of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.tui.start import run
from live_runs import end_all

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")


class Said(NamedTuple):
    code: int
    out: str
    err: str


Tell = Callable[..., Said]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """`tell("show", "last")`: run a command in this process."""

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = run(words)
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture(autouse=True)
def nothing_left(own_state: Path) -> Iterator[None]:
    """End the runs that a test left going."""
    yield
    end_all(own_state)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state home with one finished run in it (built, not measured), and the plan's folder beside it."""
    home = tmp_path_factory.mktemp("built")
    command = ["build", MODEL, "--recipe", "int8", "--calibration", DATA, "--out", str(home / "out"), "--json"]
    environment = os.environ | {"XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "edgetui", *command], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (home / "said.json").write_text(done.stdout)
    return home


@pytest.fixture
def digits(tmp_path: Path) -> Callable[..., Path]:
    """Write a dataset's TOML file: grey pictures in ten class folders, and a line under [input]."""
    from PIL import Image

    def write(line: str = "") -> Path:
        for label in range(10):
            (tmp_path / "pictures" / str(label)).mkdir(parents=True, exist_ok=True)
            for number in range(2):
                Image.new("L", (8, 8), 25 * label).save(tmp_path / "pictures" / str(label) / f"{number}.png")
        file = tmp_path / "digits.toml"
        file.write_text(f'kind = "image-folder"\npath = "pictures"\n[input]\n{line}\n')
        return file

    return write
