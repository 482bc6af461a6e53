"""Installing it as people do: what the wheel has, what it needs, and that it works where nothing else of ours is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.config import PACKAGE

pytestmark = pytest.mark.long
GLIBC = {"JetPack 4": 27, "JetPack 5": 31, "JetPack 6": 35, "JetPack 7": 39}
PYTHONS = ("3.10", "3.12")
OFFLINE = ("Temporary failure in name resolution", "Failed to establish a new connection", "Network is unreachable")


def pip(*words: str, python: str = sys.executable, cwd: Path | None = None) -> str:
    """What pip says; skips where there is no package index."""
    argv = [python, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode and any(word in done.stderr for word in OFFLINE):
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def tracked() -> list[str]:
    told = subprocess.run(["git", "ls-files", "-z"], cwd=PACKAGE, capture_output=True, text=True, check=True)
    return [name for name in told.stdout.split("\0") if name and (PACKAGE / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git has, in a folder of another name than `edgetui`."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, folder / name)
    out = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-deps", "--quiet", "--wheel-dir", str(out), ".", cwd=folder)
    (made,) = out.glob("*.whl")
    return made


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path):
    tops = ("engine/", "tui/", "profiles/")
    wanted = {name for name in tracked() if name.startswith(tops)} | {"__init__.py", "__main__.py", "py.typed", "edgetui.toml"}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    held = {name.removeprefix("edgetui/") for name in names if name.startswith("edgetui/")}
    assert wanted - held == set()
    assert held - wanted == set()
    others = {name.partition("/")[2] for name in names if not name.startswith("edgetui/")}
    assert others == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE", "data/share/man/man1/edgetui.1",
    }  # fmt: skip
    assert wheel.name.endswith("-py3-none-any.whl")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=120)
    pip("install", "--quiet", str(wheel), python=str(folder / "venv" / "bin" / "python"))
    return folder / "venv"


def ask(installed: Path, home: Path, *words: str) -> str:
    """What the installed program says, at somebody's home who has nothing of edgetui's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "EDGETUI_", "PYTHON"))}
    environment |= {"HOME": str(home), "EDGETUI_MEASURE_S": "0.1"}
    argv = [str(installed / "bin" / "edgetui"), *words]
    done = subprocess.run(argv, cwd=home, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_installed_does_the_whole_job(installed: Path, tmp_path: Path):
    assert json.loads(ask(installed, tmp_path, "config", "models.folders", "--json"))["settings"][0]["file"].startswith(
        str(installed)
    )
    compared = json.loads(ask(installed, tmp_path, "demo", "--json"))
    assert [name.rpartition("digits-")[2] for name in compared["runs"]] == ["", "int8", "prune-5-fp16"]
    names = {each.name for each in (tmp_path / ".local" / "state" / "edgetui" / "runs").iterdir()}
    assert any(name.endswith("-digits-int8") for name in names)


def test_data_that_ships_is_found(installed: Path, tmp_path: Path):
    assert len(json.loads(ask(installed, tmp_path, "recipes", "--json"))) > 30
    assert len(json.loads(ask(installed, tmp_path, "study", "--json"))) >= 4
    assert json.loads(ask(installed, tmp_path, "schema", "result"))["title"] == "edgetui result"
    assert "runs in" in ask(installed, tmp_path, "study", "qin2018", "--small", "--dry-run")


def test_the_man_page_lies_where_pipx_looks(installed: Path):
    assert (installed / "share" / "man" / "man1" / "edgetui.1").read_text().startswith(".TH EDGETUI 1")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        pytest.param("pipx", ("install",), id="pipx"),
        pytest.param("uv", ("tool", "install", "--python", sys.executable), marks=pytest.mark.rare, id="uv"),
    ],
)
def test_people_install_it_with(program: str, words: tuple[str, ...], wheel: Path, tmp_path: Path):
    tools = tmp_path / "tools"
    subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True, timeout=120)
    pip("install", "--quiet", program, python=str(tools / "bin" / "python"))
    folders = {name: str(tmp_path / name) for name in ("PIPX_HOME", "PIPX_MAN_DIR", "UV_TOOL_DIR", "UV_CACHE_DIR")}
    folders |= {"PIPX_BIN_DIR": str(tmp_path / "bin"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    argv = [str(tools / "bin" / program), *words, str(wheel)]
    done = subprocess.run(argv, env=os.environ | folders, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode and any(word in done.stdout + done.stderr for word in OFFLINE):
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert ask(tmp_path, tmp_path, "--version").startswith("edgetui, version ")
    if program == "pipx":
        assert (tmp_path / "PIPX_MAN_DIR" / "man1" / "edgetui.1").is_file()


@pytest.mark.parametrize("jetpack", GLIBC)
def test_nothing_of_the_core_is_compiled_on_a_jetson(jetpack: str, tmp_path: Path):
    asked = msgspec.toml.decode((PACKAGE / "pyproject.toml").read_bytes())["project"]["dependencies"]
    names = [each.partition(";")[0].strip() for each in asked]
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(GLIBC[jetpack], 16, -1)] + ["manylinux2014_aarch64"]
    for python in PYTHONS:
        words = ["install", "--dry-run", "--quiet", "--ignore-installed", "--target", str(tmp_path), "--only-binary=:all:"]
        words += ["--implementation", "cp", "--python-version", python, *(f"--platform={each}" for each in platforms), *names]
        pip(*words)
