"""Bundles on a board: what of one is here, the next piece of it, and where its files lie when it is whole.

A file grows in place; the sizes of what is there say where to go on, after a cut link as after a power cut. What is whole has
been held against its hashes once.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec

from ..errors import DataRefused, StorageRefused, from_os_error
from ..schema.ready import ready
from ..schema.spec import RunSpec
from ..system.atomic_write import flush, write_atomic
from ..system.disk import read_disk
from ..system.hashing import sha256_of
from ..system.locks import wait_for_lock
from . import own_copies
from .bundles import MARK, Bundle, Plain, replaced

_TIME = (1_000_000_000, 1_000_000_000)
"""When received files were changed: external data are known by it, also after they were sent once more."""
KEPT_S = 30 * 86_400.0
_LEAST_FREE = 20_000_000


def folder_of(home: Path, bundle: str) -> Path:
    """Where the files of a bundle lie."""
    return home / "fleet" / "files" / bundle


def _whole_mark(home: Path, bundle: str) -> Path:
    """Beside the folder: all of it is here, and right."""
    return home / "fleet" / "files" / f"{bundle}.whole"


def _own_mark(home: Path, bundle: str) -> Path:
    """Beside the folder: it leads to the board's own copy."""
    return home / "fleet" / "files" / f"{bundle}.own"


def adopt(home: Path, bundle: Bundle, at: str) -> str:
    """Let the board's own copy stand for a bundle that is not here; why it cannot, empty: it does, or there was no need.

    Raises:
        StorageRefused: the folder cannot be written.
    """
    whole = _whole_mark(home, bundle.id)
    try:
        whole.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = wait_for_lock(whole.with_suffix(".lock"))  # hashing takes a while: who asks again meanwhile waits for the first
    except OSError as error:
        raise from_os_error(error, path=home) from None
    try:
        if whole.exists():
            return ""
        why = own_copies.adopt(folder_of(home, bundle.id), _own_mark(home, bundle.id), bundle, at)
        if not why:
            write_atomic(whole, msgspec.json.encode(bundle))
        return why
    except OSError as error:
        raise from_os_error(error, path=home) from None
    finally:
        lock.release()


def have(home: Path, bundle: Bundle) -> int:
    """How many bytes of the stream are here; all, where it is whole.

    Raises:
        StorageRefused: there is no room for the rest, or the folder cannot be written.
    """
    if _whole_mark(home, bundle.id).exists():
        return bundle.size_bytes
    _forget_half_adopted(home, bundle.id)
    here = _offset(home, bundle)
    forget_old(home, time.time())
    try:
        folder_of(home, bundle.id).mkdir(mode=0o700, parents=True, exist_ok=True)
        free = read_disk(home).free_bytes
    except OSError as error:
        raise from_os_error(error, path=home) from None
    left = bundle.size_bytes - here
    if free < left + _LEAST_FREE:
        what = f"no room for {bundle.files[0].name}: {left / 1e6:.0f} MB are to come, {free / 1e6:.0f} are free"
        raise StorageRefused(what, fix=f"free some space at {home}")
    if left == 0:
        _finish(home, bundle)
    return here


def _offset(home: Path, bundle: Bundle) -> int:
    here = 0
    for file in bundle.files:
        path = _inside(home, bundle.id, file.name)
        size = min(path.stat().st_size, file.size_bytes) if path.is_file() else 0
        here += size
        if size < file.size_bytes:
            break
    return here


def put(home: Path, bundle: Bundle, offset: int, data: bytes) -> int:
    """Take the next bytes of the stream; returns how many are here now. With the last of them all is held against its hashes.

    What does not begin where the stream ends here is passed over: the answer says where to go on.

    Raises:
        StorageRefused: the disk is full.
        DataRefused: what came is not what was announced; nothing of it is kept.
    """
    lock = wait_for_lock(_whole_mark(home, bundle.id).with_suffix(".lock"))  # two machines may send the same
    try:
        return _put(home, bundle, offset, data)
    finally:
        lock.release()


def _put(home: Path, bundle: Bundle, offset: int, data: bytes) -> int:
    _forget_half_adopted(home, bundle.id)
    here = _offset(home, bundle)
    if offset != here or here == bundle.size_bytes:
        return here
    left = memoryview(data)
    start = 0
    try:
        for file in bundle.files:
            have_of = min(max(offset - start, 0), file.size_bytes)
            start += file.size_bytes
            if have_of == file.size_bytes and file.size_bytes:
                continue
            path = _inside(home, bundle.id, file.name)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = left[: file.size_bytes - have_of]
            with path.open("ab", buffering=0) as stream:
                stream.truncate(have_of)
                _write_all(stream.fileno(), part)
            left, offset = left[len(part) :], offset + len(part)
            if not left:
                break
    except OSError as error:
        raise from_os_error(error, path=home) from None
    if offset == bundle.size_bytes:
        _finish(home, bundle)
    return offset


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _finish(home: Path, bundle: Bundle) -> None:
    folder = folder_of(home, bundle.id)
    try:
        for file in bundle.files:
            path = _inside(home, bundle.id, file.name)
            if not file.size_bytes:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch()
            if sha256_of([path]) != file.sha256:
                shutil.rmtree(folder, ignore_errors=True)
                raise DataRefused(f"{file.name} did not arrive as it was sent", fix="ask again; it is sent anew")
            flush(path)
            os.utime(path, _TIME)
        write_atomic(_whole_mark(home, bundle.id), msgspec.json.encode(bundle))
    except OSError as error:
        raise from_os_error(error, path=folder) from None


def _inside(home: Path, bundle: str, name: str) -> Path:
    """A file of a bundle, below its folder and nowhere else.

    Raises:
        DataRefused: it would be elsewhere.
    """
    parts = PurePosixPath(name)
    if not bundle.isalnum() or parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise DataRefused(f"`{name}` is no name for a file that was sent", fix="send it under another")
    return folder_of(home, bundle) / parts


def missing(home: Path, bundles: Sequence[str]) -> tuple[str, ...]:
    """Which of these are not whole here; the others are kept for longer."""
    marks = {each: _whole_mark(home, each) for each in bundles}
    for each, mark in marks.items():
        if mark.exists() and not own_copies.unchanged(folder_of(home, each), _own_mark(home, each)):
            _drop(home, each)
    for mark in marks.values():
        with suppress(OSError):
            os.utime(mark)
    return tuple(each for each, mark in marks.items() if not mark.exists())


def forget_old(home: Path, now_s: float) -> None:
    """Remove bundles that no run has asked for in the last 30 days; asked for again they are sent again."""
    for mark in (home / "fleet" / "files").glob("*.whole"):
        with suppress(OSError):
            if now_s - mark.stat().st_mtime > KEPT_S:
                _drop(home, mark.stem)


def _forget_half_adopted(home: Path, bundle: str) -> None:
    """Who was killed while a board's own copy was taken on may have left a link to it: nothing may be written through that."""
    if _own_mark(home, bundle).exists() and not _whole_mark(home, bundle).exists():
        _drop(home, bundle)


def _drop(home: Path, bundle: str) -> None:
    """Its mark first: what is half gone is not whole."""
    _whole_mark(home, bundle).unlink(missing_ok=True)
    own_copies.forget(folder_of(home, bundle))
    _own_mark(home, bundle).unlink(missing_ok=True)


def placed(home: Path, portable: bytes) -> Plain:
    """What was asked, with paths of this board."""
    plain: Plain = msgspec.json.decode(portable)
    return replaced(plain, {text: str(_of_mark(home, text)) for text in _marks(plain)})


def placed_specs(home: Path, portable: bytes) -> list[RunSpec]:
    """Specs whose paths are of this board."""
    return msgspec.convert(placed(home, portable), ready(list[RunSpec]))


def _of_mark(home: Path, text: str) -> Path:
    bundle, _, name = text.removeprefix(MARK).partition("/")
    return _inside(home, bundle, name) if name else folder_of(home, bundle)


def _marks(value: Plain) -> set[str]:
    if isinstance(value, str):
        return {_path_of(value)} if value.startswith(MARK) else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {mark for each in inner for mark in _marks(each)}


def _path_of(text: str) -> str:
    """Without the function behind a `FILE:FUNCTION`."""
    return MARK + text.removeprefix(MARK).partition(":")[0]
