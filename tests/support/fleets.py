"""Fleets of boards that are state folders of this machine, each with a worker of its own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil
import pytest
import tomlkit
from edgetui.engine.fleet.fleet_front import Fleet
from edgetui.engine.fleet.keeping import Keeping
from edgetui.engine.runs.folder import run_paths
from edgetui.engine.schema.fleet import FleetBoard, FleetFile
from live_runs import end_all


def needs_fleet() -> None:
    """Skip where the extra is not installed."""
    pytest.importorskip("distributed", reason="needs the extra fleet")
    pytest.importorskip("cryptography", reason="needs the extra fleet")


class LoopbackFleet:
    """A fleet.toml below a folder, and the state folders of its boards."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, home: Path | None = None) -> None:
        """`home`: the state folder here, else one below `folder`."""
        self.folder = folder
        self.home = home or folder / "here" / "edgetui"
        for needed in (folder, self.home):
            needed.mkdir(parents=True, exist_ok=True)
        self.boards: list[FleetBoard] = []
        self.file = folder / "fleet.toml"
        monkeypatch.setenv("EDGETUI_FLEET", str(self.file))
        monkeypatch.setenv("XDG_STATE_HOME", str(self.home.parent))
        self.fleet = Fleet(self.home)
        self.keeping = Keeping(self.home)

    def home_of(self, board: str) -> Path:
        """The state folder of a board."""
        return self.folder / board / "edgetui"

    def runs(self, board: str) -> list[Path]:
        """Run folders of a board in which something was asked: who is killed while one is made leaves an empty one."""
        return [path for path in run_paths(self.home_of(board)) if (path / "run.toml").exists()]

    def add(self, *names: str, **settings: object) -> None:
        """Boards of this machine, with settings as in fleet.toml."""
        own = settings.pop("env", {})
        for name in names:
            env = {"XDG_STATE_HOME": str(self.folder / name), **own}  # type: ignore[dict-item]
            self.boards.append(msgspec.convert({"name": name, "host": "localhost", "env": env, **settings}, FleetBoard))
        self.write()

    def write(self) -> None:
        """Write fleet.toml."""
        self.file.write_text(tomlkit.dumps(msgspec.to_builtins(FleetFile(board=tuple(self.boards)))))

    def processes(self, word: str) -> list[psutil.Process]:
        """Of this fleet, those with a word in their command line or, of workers, the board in their environment."""
        found = []
        for process in psutil.process_iter():
            try:
                line, where = " ".join(process.cmdline()), process.environ().get("XDG_STATE_HOME", "")
                if str(self.folder) in f"{line} {where}" and word in line and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def worker(self, board: str) -> psutil.Process:
        """The worker of a board."""
        mine = [p for p in self.processes("worker_process") if p.environ()["XDG_STATE_HOME"] == str(self.folder / board)]
        assert len(mine) == 1, mine
        return mine[0]

    def tunnels(self) -> list[psutil.Process]:
        """The clients of ssh that its keeper has started."""
        (keeper,) = self.processes("fleet.keeper")
        return [child for child in keeper.children() if "ssh" in child.name()]

    def close(self) -> None:
        """Take it down, with all that it runs."""
        self.keeping.end()
        for board in self.boards:
            end_all(self.home_of(board.name))


def silent(told: object) -> None:
    """Hears what boards say, and says nothing."""
    del told
