"""Stage outputs on disk, one folder a key; a folder appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import msgspec

from ..errors import DAMAGED
from ..system.atomic_write import flush, write_atomic
from ..system.hashing import checksum
from . import outcome
from .outcome import Outcome


class StageCache:
    """Outputs of stages in `home`/cache, a folder for each key."""

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
            flush(file)
        flush(folder)
        shutil.rmtree(self.path(key), ignore_errors=True)
        folder.replace(self.path(key))
        flush(self.root)
        return made

    def forget(self, key: str) -> None:
        """Remove the output of a key, which is not what its key says."""
        shutil.rmtree(self.path(key), ignore_errors=True)

    def drop(self, key: str) -> None:
        """Remove what an interrupted stage left for `key`; it may be nothing."""
        shutil.rmtree(self.root / f".making-{key}", ignore_errors=True)

    def tidy(self, limit_mb: int, keep: set[str]) -> None:
        """Remove unfinished outputs, then the longest unused ones until all fit in `limit_mb` (0: no limit). Weights that no
        stage changed have a name in several outputs: they count once, and are gone with the last of them.
        """
        outputs = []
        names: Counter[int] = Counter()
        sizes: dict[int, int] = {}
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            if folder.name.startswith(".making-"):
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.is_dir():
                files = [file.stat() for file in folder.rglob("*") if file.is_file()]
                names.update(file.st_ino for file in files)
                sizes |= {file.st_ino: file.st_size for file in files}
                outputs.append((folder.stat().st_mtime, [file.st_ino for file in files], folder))
        total = sum(sizes.values())
        for _, inodes, folder in sorted(outputs, key=lambda output: output[0]):
            if not limit_mb or total <= limit_mb * 1_000_000:
                break
            if folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)
                names.subtract(inodes)
                total -= sum(sizes[inode] for inode in set(inodes) if names[inode] == 0)


def _sums(folder: Path) -> dict[str, str]:
    """Checksums of all files but outcome.json."""
    return {file.name: checksum(file) for file in folder.iterdir() if file.is_file() and file.name != "outcome.json"}


def place(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the filesystem has no hard links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
