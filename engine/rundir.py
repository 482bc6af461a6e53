"""The run folder, which is the truth about a run: write it, read it, follow it.

runs/NAME/ holds run.toml (what was asked), events.jsonl, log.txt, alive.lock (held while the supervisor lives), result.json
(the last thing written), artifacts/ and `reserve`, given up when the disk is full so that the ending can be told.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from .config import convert, read_toml
from .errors import DAMAGED, StorageRefused, from_os_error
from .events import AnyEvent, Queued, RunBegan, StageBegan
from .events import decode as decode_event
from .events import encode as encode_event
from .locks import is_held
from .result import Result
from .result import decode as decode_result
from .result import encode as encode_result
from .spec import RunSpec

RESERVE_BYTES = 262_144
_TAIL_BYTES = 65_536


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """run.toml: what was asked, with hashes; written before the start, never changed."""

    run: str
    ticket: int
    """Order of submission; the board serves the lowest that waits."""
    wall: str
    """ISO 8601; the only wall time in the folder."""
    edgetui: str
    python: str
    versions: dict[str, str] = {}
    model_sha256: str
    dataset_hash: str = ""
    calibration_hash: str = ""
    samples_hash: str = ""
    """Of the files that outputs are compared on, whatever is asked of them; empty: there are none, or it was not yet kept."""
    spec: RunSpec


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
        names = [path.name for path in sorted(run_paths(home), key=lambda path: (ticket(path), path.name))]
        if run in names:
            return cls(home / "runs" / run)
        hits = names[-1:] if run == "last" else [n for n in names if run and run in n]
        if len(hits) == 1:
            return cls(home / "runs" / hits[0])
        if hits:
            raise StorageRefused(f"`{run}` means {len(hits)} runs", fix=f"say more of the name: {', '.join(hits[-3:])}")
        raise StorageRefused(f"there is no run `{run}`", fix="`edgetui runs` lists them")

    def asked(self) -> Asked:
        """What run.toml says.

        Raises:
            StorageRefused: it is missing or broken.
        """
        file = self.path / "run.toml"
        return convert(read_toml(file, StorageRefused), Asked, file, StorageRefused)

    def result(self) -> Result | None:
        """The result document; None while there is none."""
        try:
            return decode_result((self.path / "result.json").read_bytes())
        except (OSError, *DAMAGED):
            return None

    def events(self) -> list[AnyEvent]:
        """All events; a half line at the end and unknown kinds are passed over."""
        return self.events_from(0)[0]

    def last_events(self) -> list[AnyEvent]:
        """The newest events, back to one that says which stage is being done at least: a list need not read hours of them."""
        try:
            size = (self.path / "events.jsonl").stat().st_size
        except OSError:
            return []
        window = _TAIL_BYTES
        while window < size:
            found, _ = self.events_from(size - window)
            if any(isinstance(event, StageBegan | RunBegan) for event in found):
                return found
            window *= 16
        return self.events()

    def waited_s(self) -> float:
        """Seconds that it stood in the queue: time, but no work."""
        try:
            if b'"queued"' not in (self.path / "events.jsonl").read_bytes():
                return 0.0  # most do not wait, and a long run's events take a while to read
        except OSError:
            return 0.0
        waited, since = 0.0, None
        for event in self.events():
            if since is not None:
                waited += max(0.0, event.t - since)
            since = event.t if isinstance(event, Queued) else None
        return waited

    def events_from(self, offset: int) -> tuple[list[AnyEvent], int]:
        """Whole lines from a byte offset on, and the offset behind them."""
        try:
            with (self.path / "events.jsonl").open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], offset
        end = data.rfind(b"\n") + 1
        found = (decode_event(line) for line in data[:end].splitlines())
        return [event for event in found if event is not None], offset + end

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

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises:
            StorageRefused: another process holds it.
        """
        fd = os.open(self.path / "alive.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _lock(fd):
                raise StorageRefused(f"run {self.name} is running already", fix=f"`edgetui watch {self.name}`")
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(fd)

    def write_result(self, document: Result) -> None:
        """Write result.json; on a full disk the reserve is given up for it."""
        data = msgspec.json.format(encode_result(document), indent=1)
        try:
            write_atomic(self.path / "result.json", data)
        except OSError:
            (self.path / "reserve").unlink(missing_ok=True)
            write_atomic(self.path / "result.json", data)


def _lock(fd: int) -> bool:
    """Take a lock, trying again for a moment: a reader that asks whether it is held shares it for some microseconds."""
    for _ in range(10):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def create(home: Path, asked: Asked) -> RunDir:
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
        disk = os.statvfs(home)
    except OSError:
        return
    if disk.f_bavail * disk.f_frsize < 1_000_000:
        raise StorageRefused(f"no space left at {home}", fix="free some space, then try again")


def run_paths(home: Path) -> list[Path]:
    """All run folders, in no order."""
    try:
        with os.scandir(home / "runs") as entries:
            return [Path(e.path) for e in entries if e.is_dir() and not e.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error) from None


def ticket(path: Path) -> int:
    """A run's place in the order of submission, without parsing run.toml; 0: it does not say. Clocks jump, also back."""
    try:
        with (path / "run.toml").open("rb") as file:
            found = re.search(rb"^ticket = (\d+)$", file.read(400), re.MULTILINE)
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


def write_atomic(path: Path, data: bytes) -> None:
    """Write under a temporary name, flush to the disk, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    temporary.replace(path)


class EventLog:
    """The supervisor's pen: numbers events and appends them; a full disk makes it wait, not fail."""

    def __init__(self, folder: RunDir) -> None:
        self._file = folder.path / "events.jsonl"
        past, end = folder.events_from(0)
        self._fd = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.ftruncate(self._fd, end)
        self._end = end
        self._n = past[-1].n if past else 0
        self.resumed = bool(past)
        """The log had events already."""
        self.shift_s = (past[-1].t if past else 0.0) - time.monotonic()
        """Added to monotonic seconds it gives the run's own, which a resume carries on."""
        self._waiting: list[bytes] = []

    def write(self, event: AnyEvent) -> AnyEvent:
        """Stamp and append; lines that found no room are tried again with the next one."""
        self._n += 1
        stamped = msgspec.structs.replace(event, n=self._n, t=round(time.monotonic() + self.shift_s, 3))
        self._waiting.append(encode_event(stamped) + b"\n")
        self.flush()
        return stamped

    def flush(self) -> bool:
        """Append what waits; False when there is still no room."""
        data = b"".join(self._waiting)
        try:
            done = os.pwrite(self._fd, data, self._end)
        except OSError:
            return False
        if done < len(data):
            os.ftruncate(self._fd, self._end)
            return False
        self._end += done
        self._waiting.clear()
        return True

    def close(self) -> None:
        """Flush to the disk and close."""
        self.flush()
        os.close(self._fd)
