"""Stage outputs on disk, one folder a key; a folder appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import msgspec

from . import outcome
from .errors import DAMAGED
from .outcome import Outcome
from .rundir import write_atomic


class Cache:
    """`home`/cache."""

    def __init__(self, home: Path) -> None:
        self.root = home / "cache"

    def path(self, key: str) -> Path:
        """Where the output of a key lies, or would lie."""
        return self.root / key

    def get(self, key: str) -> Outcome | None:
        """What the stage of this key left; None when it was never finished."""
        try:
            found = outcome.decode((self.path(key) / "outcome.json").read_bytes())
            os.utime(self.path(key))
        except (OSError, *DAMAGED):
            return None
        return found

    def whole(self, key: str) -> Outcome | None:
        """The same, when every file is as it was left. The run folders share these files, where people may write into them."""
        found = self.get(key)
        try:
            return found if found is not None and found.sums == _sums(self.path(key)) else None
        except OSError:
            return None

    def begin(self, key: str) -> Path:
        """An empty folder to write into; not yet the output."""
        folder = self.root / f".making-{key}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def commit(self, key: str, made: Outcome) -> Outcome:
        """Make the folder of `begin` the output: facts beside it with the sums of all files, all flushed, renamed."""
        folder = self.root / f".making-{key}"
        made = msgspec.structs.replace(made, sums=_sums(folder))
        write_atomic(folder / "outcome.json", outcome.encode(made))
        for file in folder.iterdir():
            _sync(file)
        _sync(folder)
        shutil.rmtree(self.path(key), ignore_errors=True)
        folder.replace(self.path(key))
        _sync(self.root)
        return made

    def drop(self, key: str) -> None:
        """Forget an unfinished output."""
        shutil.rmtree(self.root / f".making-{key}", ignore_errors=True)

    def tidy(self, limit_mb: int, keep: set[str]) -> None:
        """Remove unfinished outputs, then the longest unused ones until all fit in `limit_mb` (0: no limit)."""
        sizes = []
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            if folder.name.startswith(".making-"):
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.is_dir():
                size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
                sizes.append((folder.stat().st_mtime, size, folder))
        total = sum(size for _, size, _ in sizes)
        for _, size, folder in sorted(sizes, key=lambda entry: entry[0]):
            if not limit_mb or total <= limit_mb * 1_000_000:
                break
            if folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size


def _sums(folder: Path) -> dict[str, str]:
    """`size-crc32` of every file but outcome.json: against damage, which a checksum of a GB in a second is enough for."""
    return {file.name: _sum(file) for file in folder.iterdir() if file.is_file() and file.name != "outcome.json"}


def _sum(file: Path) -> str:
    size = crc = 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            size, crc = size + len(block), zlib.crc32(block, crc)
    return f"{size}-{crc:08x}"


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def place(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the filesystem has no hard links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
