"""The run folder, which is the truth about a run: write it, read it, follow it.

runs/NAME/ holds run.toml (what was asked), events.jsonl, log.txt, alive.lock (held while the supervisor lives), result.json
(the last thing written), artifacts/ and `reserve`, given up when the disk is full so that the ending can be told.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from ..config import read_toml
from ..errors import DAMAGED, StorageRefused, from_os_error
from ..schema.converted import converted
from ..schema.events import AnyEvent, Queued, Reading, RunBegan, StageBegan
from ..schema.events import decode as decode_event
from ..schema.result import Result
from ..schema.result import decode as decode_result
from ..schema.result import encode as encode_result
from ..schema.spec import RunRequest
from ..system.atomic_write import write_atomic
from ..system.disk import read_disk
from ..system.locks import is_held, take_lock
from ..system.plain_files import open_plain, read_plain

RESERVE_BYTES = 262_144
_TAIL_BYTES, _LOOK_BYTES = 65_536, 1 << 20
_BORDERS = tuple(f'{{"kind":"{kind.__struct_config__.tag}"'.encode() for kind in (StageBegan, RunBegan))
_READING = f'{{"kind":"{Reading.__struct_config__.tag}"'.encode()
"""How lines of these begin; within a text quotes have a stroke before them."""
_HEAD_BYTES = 800
"""Of run.toml, that hold its ticket, group and place, whatever the recipe is."""


class RunDir:
    """One run folder; cheap to make, reads nothing until asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def artifacts(self) -> Path:
        """Where the run's products lie."""
        return self.path / "artifacts"

    @classmethod
    def find(cls, home: Path, run: str) -> RunDir:
        """A run by its id, or by any part of it that only one run has; `last` is the newest.

        Raises:
            StorageRefused: there is none, or more than one.
        """
        if run and run[0] != "." and "/" not in run and os.path.isdir(home / "runs" / run):  # noqa: PTH112  never raises
            return cls(home / "runs" / run)  # at once: the order of all runs is in files of theirs
        names = [path.name for path in sorted(run_paths(home), key=lambda path: (ticket(path), path.name))]
        hits = names[-1:] if run == "last" else [n for n in names if run and run in n]
        if len(hits) == 1:
            return cls(home / "runs" / hits[0])
        if hits:
            raise StorageRefused(f"`{run}` means {len(hits)} runs", fix=f"say more of the name: {', '.join(hits[-3:])}")
        if os.sep in run and os.path.exists(run):  # noqa: PTH110  as above
            fix = "give a run's id: `edgetui runs` lists them; of what was exported read report.html"
            raise StorageRefused(f"`{run}` is a path, and no run", fix=fix)
        raise StorageRefused(f"there is no run `{run}`", fix="`edgetui runs` lists them")

    def asked(self) -> RunRequest:
        """What run.toml says.

        Raises:
            StorageRefused: it is missing or broken.
        """
        file = self.path / "run.toml"
        return converted(read_toml(file, StorageRefused), RunRequest, file, StorageRefused)

    def result(self) -> Result | None:
        """The result document; None while there is none."""
        try:
            return decode_result(read_plain(self.path / "result.json"))
        except (OSError, *DAMAGED):
            return None

    def events(self) -> list[AnyEvent]:
        """All events; a half line at the end and unknown kinds are passed over."""
        return self.events_from(0)[0]

    def last_events(self) -> list[AnyEvent]:
        """The newest events, and the one before them that says which stage is being done, where none of them does. Hours of
        others are not read: a day's readings took 0.2 s, each time that a list or a fleet looked.
        """
        try:
            size = (self.path / "events.jsonl").stat().st_size
        except OSError:
            return []
        found, _ = self.events_from(max(0, size - _TAIL_BYTES))
        if size <= _TAIL_BYTES or any(isinstance(event, StageBegan | RunBegan) for event in found):
            return found
        return [*self._border_before(size - _TAIL_BYTES), *found]

    def _border_before(self, end: int) -> list[AnyEvent]:
        """The last that says which stage is being done, of those that begin before a byte; found by its first letters."""
        with open_plain(self.path / "events.jsonl") as file:
            while end > 0:
                start = max(0, end - _LOOK_BYTES)
                file.seek(start)
                data = file.read(end - start + max(map(len, _BORDERS)) - 1)
                at = max(data.rfind(letters) for letters in _BORDERS)
                if at >= 0:
                    file.seek(start + at)
                    event = decode_event(file.readline())
                    return [] if event is None else [event]
                end = start
        return []

    def waited_s(self) -> float:
        """Seconds that it stood in the queue: time, but no work."""
        try:
            if b'"queued"' not in read_plain(self.path / "events.jsonl"):
                return 0.0  # most do not wait, and a long run's events take a while to read
        except OSError:
            return 0.0
        waited, since = 0.0, None
        for event in self.events():
            if since is not None:
                waited += max(0.0, event.t - since)
            since = event.t if isinstance(event, Queued) else None
        return waited

    def readings_from(self, newest: int) -> int:
        """The byte at which the newest so many readings begin, one at least; 0: there are no more."""
        try:
            with open_plain(self.path / "events.jsonl") as file:
                first = end = file.seek(0, os.SEEK_END)
                while end > 0:
                    start = max(0, end - _LOOK_BYTES)
                    file.seek(start)
                    data = file.read(end - start + len(_READING) - 1)
                    here = data.count(_READING)
                    if here > newest:
                        at = len(data)
                        for _ in range(newest):
                            at = data.rfind(_READING, 0, at)
                        return start + at if newest else first
                    if here:
                        first = start + data.find(_READING)
                    newest -= here
                    end = start
        except FileNotFoundError:
            pass
        return 0

    def events_from(self, offset: int, about_bytes: int = -1, readings_from: int = 0) -> tuple[list[AnyEvent], int]:
        """Whole lines from a byte offset on, and the offset behind them; all that there are, or so many bytes of them. Readings
        that begin before the byte `readings_from` are left out: most of a long run, and each takes longer to read than to skip.
        """
        try:
            with open_plain(self.path / "events.jsonl") as file:
                file.seek(offset)
                data = file.read(about_bytes)
                if about_bytes > 0:
                    data += file.readline()
        except FileNotFoundError:
            return [], offset
        end = data.rfind(b"\n") + 1
        newer = min(max(0, readings_from - offset), end)
        lines = [line for line in data[:newer].splitlines() if not line.startswith(_READING)] + data[newer:end].splitlines()
        return [event for event in map(decode_event, lines) if event is not None], offset + end

    def log_end(self, last_bytes: int) -> str:
        """The end of log.txt; empty while there is none."""
        path = self.path / "log.txt"
        if not path.is_file():
            return ""
        with open_plain(path) as file:
            file.seek(max(0, path.stat().st_size - last_bytes))
            return file.read().decode(errors="replace")

    def alive(self) -> bool:
        """Whether a supervisor holds the lock (free at once after SIGKILL)."""
        return is_held(self.path / "alive.lock")

    def pid(self) -> int | None:
        """The supervisor's process, which leads its group; None when it is not alive."""
        if not self.alive():
            return None
        try:
            return int((self.path / "alive.lock").read_text() or 0) or None
        except (OSError, ValueError):
            return None

    def ask_to_cancel(self) -> None:
        """Have the supervisor end this run, and go on with those that it carries besides."""
        (self.path / "cancel").touch(mode=0o600)

    def is_to_cancel(self) -> bool:
        """Whether that was asked."""
        return (self.path / "cancel").exists()

    def forget_ending(self) -> None:
        """Take away what an earlier try ended with: the run is taken up again."""
        for name in ("result.json", "cancel"):
            (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises:
            StorageRefused: another process holds it.
        """
        lock = take_lock(self.path / "alive.lock", patience_s=0.2)
        if lock is None:
            raise StorageRefused(f"run {self.name} is running already", fix=f"`edgetui watch {self.name}`")
        try:
            lock.write(str(os.getpid()))
            yield
        finally:
            lock.release()

    def write_result(self, document: Result) -> None:
        """Write result.json; on a full disk the reserve is given up for it."""
        data = msgspec.json.format(encode_result(document), indent=1)
        try:
            write_atomic(self.path / "result.json", data)
        except OSError:
            (self.path / "reserve").unlink(missing_ok=True)
            write_atomic(self.path / "result.json", data)


def create(home: Path, asked: RunRequest) -> RunDir:
    """Make the folder and run.toml.

    Raises:
        StorageRefused: the disk is full or read-only.
    """
    import tomlkit

    folder = RunDir(home / "runs" / asked.run)
    try:
        for path in (home, home / "runs", folder.path, folder.artifacts):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(home)
        write_atomic(folder.path / "reserve", os.urandom(RESERVE_BYTES))
        plain = msgspec.to_builtins(asked)
        write_atomic(folder.path / "run.toml", tomlkit.dumps({k: _without_none(v) for k, v in plain.items()}).encode())
    except OSError as error:
        raise from_os_error(error, path=folder.path) from None
    return folder


def _close_to_others(home: Path) -> None:
    """Take the state folder's mode back to 0700: plans are code, and who may write here decides what we load."""
    with suppress(OSError):
        if home.stat().st_mode & 0o077 and home.stat().st_uid == os.geteuid():
            home.chmod(0o700)


def _without_none(value: object) -> object:
    """TOML has no null: a key whose value is None is left out."""
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_none(v) for v in value]
    return value


def check_room(home: Path) -> None:
    """Refuse to begin where not even the events of a run would find room.

    Raises:
        StorageRefused: less than 1 MB is free.
    """
    try:
        disk = read_disk(home)
    except OSError:
        return
    if disk.free_bytes < 1_000_000:
        raise StorageRefused(f"no space left at {home}", fix="free some space, then try again")


def run_paths(home: Path) -> list[Path]:
    """All run folders, in no order."""
    return [home / "runs" / name for name in run_names(home)]


def run_names(home: Path) -> list[str]:
    """Their names."""
    try:
        with os.scandir(home / "runs") as entries:
            return [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error) from None


def group_members(home: Path, group: str) -> list[RunDir]:
    """The run folders of a group that are there, in their order; empty: there is no such group."""
    return _members(home, f'\ngroup = "{group}"\n')


def once_members(home: Path, once: str) -> list[RunDir]:
    """The run folders that were asked for with this key, in their order; empty: there are none."""
    return _members(home, f'\nonce = "{once}"\n')


def _members(home: Path, line: str) -> list[RunDir]:
    """Run folders with a line in the head of their run.toml, by their places."""
    found = []
    for path in run_paths(home):
        with suppress(OSError, ValueError):
            with open_plain(path / "run.toml") as file:
                head = file.read(_HEAD_BYTES).decode(errors="replace")
            if line in head:
                place = re.search(r"^place = (\d+)$", head, re.MULTILINE)
                found.append((int(place[1]) if place else 0, path))
    return [RunDir(path) for _, path in sorted(found)]


def ticket(path: Path) -> int:
    """A run's place in the order of submission, without parsing run.toml; 0: it does not say. Clocks jump, also back."""
    try:
        with open_plain(path / "run.toml") as file:
            found = re.search(rb"^ticket = (\d+)$", file.read(_HEAD_BYTES), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def new_name(home: Path, model: str, recipe: str) -> str:
    """A run id: minute, model and recipe, a number behind it when that is taken. Its folder is made, so that nobody else who
    submits at the same moment gets the same.

    Raises:
        OSError: the disk is full or read-only.
    """
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{Path(model).stem}-{recipe or 'recipe'}")[:60]
    base = f"{time.strftime('%Y%m%d-%H%M')}-{stem}"
    for count in itertools.count(1):
        name = base if count == 1 else f"{base}-{count}"
        try:
            (home / "runs" / name).mkdir(mode=0o700, parents=True)
        except FileExistsError:
            if not (home / "runs").is_dir():
                raise
        else:
            break
    return name
