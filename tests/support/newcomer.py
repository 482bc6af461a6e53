"""A copy of the package with what a section of CONTRIBUTING.md tells a newcomer to add to it, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edgetui.engine.config import PACKAGE

SHIPS = ("__init__.py", "__main__.py", "edgetui.toml", "py.typed", "pyproject.toml", "engine", "profiles", "tui")
_BLOCK = re.compile(
    r"^`(?P<path>[\w/.-]+)`(?:, above `(?P<above>[^`]+)`)?:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(section: str) -> list[tuple[str, str | None, str]]:
    """What a section has one add: path, the line above which it goes (None: the file is new), text."""
    told = (PACKAGE / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [(block["path"], block["above"], block["text"]) for block in _BLOCK.finditer(told)]


class Scratch:
    """The package as it would be; its processes have a state folder of their own and measure in a fraction of the time."""

    def __init__(self, folder: Path, section: str) -> None:
        """`section`: the heading of CONTRIBUTING.md whose blocks are added, each below the path of its file.

        A block is a new file, or goes above the line that begins as it says.
        """
        self.folder, self.package = folder, folder / "edgetui"
        self.package.mkdir()
        for name in SHIPS:
            source = PACKAGE / name
            if source.is_dir():
                shutil.copytree(source, self.package / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.package / name)
        self.files = [self._add(path, above, text) for path, above, text in blocks(section)]

    def _add(self, path: str, above: str | None, text: str) -> str:
        file = self.package / path
        if above is None:
            assert not file.exists(), path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
            return path
        before, line, after = file.read_text(encoding="utf-8").partition(f"\n{above}")
        assert line, f"{path} has no line that begins with {above}"
        inside = above.startswith(" ")  # a class, a function, a table: without empty lines around it
        whole = f"{before}\n{text.rstrip()}{line}{after}" if inside else f"{before}{text}\n\n{line}{after}"
        file.write_text(whole, encoding="utf-8")
        return path

    def python(self, *argv: str) -> str:
        """What Python prints with the copy as its `edgetui`."""
        own = {"PYTHONPATH": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state"), "EDGETUI_MEASURE_S": "0.1"}
        known = {**os.environ, **own}
        ended = subprocess.run(
            [sys.executable, *argv], cwd=self.folder, env=known, capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, f"{argv}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def edgetui(self, *argv: str) -> str:
        """What a command prints."""
        return self.python("-m", "edgetui", *argv)
