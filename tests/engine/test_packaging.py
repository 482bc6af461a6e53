"""What pyproject.toml says of the package is what the package is."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import edgetui
import msgspec
import pytest

ROOT = Path(edgetui.__file__).parent
PYPROJECT: dict[str, Any] = msgspec.toml.decode((ROOT / "pyproject.toml").read_bytes())
IMPORTED_AS = {"pillow": "PIL"}
THROUGH_OTHERS = {"tomli"}
"""msgspec reads TOML through it before Python 3.11."""


def name_of(requirement: str) -> str:
    return re.split(r"[<>=;\[ ]", requirement, maxsplit=1)[0]


def test_every_folder_with_code_or_data_is_packaged() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "engine", "tui", "profiles"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    code = {str(Path(file).parent).replace("/", ".") for file in listed.stdout.split() if file.endswith(".py")}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == {"edgetui", "edgetui.profiles"} | {
        f"edgetui.{name}" for name in code
    }


@pytest.mark.parametrize("name", sorted({name_of(one) for one in PYPROJECT["project"]["dependencies"]} - THROUGH_OTHERS))
def test_every_dependency_is_used(name: str) -> None:
    module = IMPORTED_AS.get(name, name)
    importing = re.compile(rf"^\s*(from|import) {module}\b", re.MULTILINE)
    files = (file for room in ("engine", "tui") for file in (ROOT / room).rglob("*.py"))
    assert any(importing.search(file.read_text()) for file in files), f"nothing imports {module}"


def test_the_version_is_said_once() -> None:
    assert "version" not in PYPROJECT["project"]
    assert metadata.version("edgetui") == edgetui.__version__
