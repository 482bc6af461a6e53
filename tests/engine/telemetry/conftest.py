"""Boards laid out in a temporary folder, and commands of theirs put first on PATH."""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Laid:
    """A board's tree below `root`, and what a correct reader gets from it."""

    def __init__(self, root: Path, document: dict[str, Any], *, as_root: bool) -> None:
        self.root, self.document, self.expect = root, document, document["expect"]
        hidden = [] if as_root else document["root_only"]
        for path, content in document["files"].items():
            if not any(fnmatch.fnmatch(path, pattern) for pattern in hidden):
                self.write(path, content)
        for link, target in document.get("symlinks", {}).items():
            place = self.path(link)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.path.relpath(self.path(target), place.parent))

    def path(self, path: str) -> Path:
        return Path(f"{self.root}{path}")

    def write(self, path: str, content: str) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def a_second_later(self) -> None:
        for path, content in self.document["later"].items():
            self.write(path, content)


LayOut = Callable[..., Laid]


@pytest.fixture
def lay_out(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayOut:
    """`lay_out("nano_r32")` makes the board's files and commands and points EDGETUI_ROOT and PATH at them."""

    def make(name: str, *, as_root: bool = True) -> Laid:
        document = json.loads((shared / "sysfs" / f"{name}.json").read_text())
        laid = Laid(tmp_path / "board", document, as_root=as_root)
        commands = tmp_path / "bin"
        commands.mkdir()
        for line, output in document.get("commands", {}).items():
            program = commands / line.split()[0]
            program.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(output)}\n")
            program.chmod(0o755)
        monkeypatch.setenv("EDGETUI_ROOT", str(laid.root))
        monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
        return laid

    return make
