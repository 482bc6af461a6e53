"""What this machine offers a run, what is missing, and the command that mends it.

Light: metadata of packages, not the packages; files of /proc and /etc below EDGETUI_ROOT. Nothing is changed here, but for a
power mode that a killed sweep has left, which is put back.
"""

from __future__ import annotations

import errno
import getpass
import os
import platform
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ..backends.cards import CARDS
from ..config import Config, config_file, typed_path
from ..library.recipes import broken_recipes
from ..system import boards
from ..system.control_groups import cpu_quota
from ..system.cpu import read_processor
from ..system.disk import read_disk
from ..system.first_mode import put_back_all
from ..system.memory import read_memory
from ..system.patience import has_hung, patiently
from ..system.power_modes import known_modes, sudoers_line
from ..system.root_files import Files
from ..telemetry.mode_ways import set_mode, way_words, why_not_set
from .sensors import findings

PACKAGES = ("onnxruntime", "onnx", "onnxscript", "numpy", "pillow", "textual", "msgspec")
INT8_FLAGS = {"avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI", "asimddp": "dot product", "i8mm": "int8 matrix multiply"}
LOW_MEMORY_MB, LOW_DISK_MB = 1000, 1000
FULL_DISK_MB = 20
"""With less not even a small model's run has room for its files."""
_ELSEWHERE = "export XDG_STATE_HOME=DIR with a folder you may write to"
_LONGEST_S, _LONGEST_SENSORS_S, _LONGEST_MODES_S = 5.0, 20.0, 90.0


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    state: Literal["good", "note", "bad"]
    """`note`: works, but should be known. `bad`: a run will fail or be lost."""
    text: str
    mend: str = ""
    """A command or an act; empty: nothing to do."""


class Health(Struct, frozen=True, kw_only=True):
    """What `doctor --json` prints."""

    healthy: bool
    """Nothing is `bad`."""
    checks: tuple[Check, ...]


def examine(config: Config, home: Path) -> tuple[Check, ...]:
    """Look at everything; takes well under a second. What gives no answer is said, and holds nothing else up."""
    files = Files()
    looks: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("Python", _python),
        ("backend", _backends),
        ("system files", lambda: _root(files)),
        ("board", lambda: _board(files)),
        ("power modes", lambda: _power_modes(files, home)),  # may put one back, and the sensors tell which is on
        ("sensors", lambda: _sensors(files)),
        ("memory", lambda: _memory(files)),
        ("state folder", lambda: _state(home)),
        ("disk", lambda: _disk(home)),
        ("index", lambda: _index(home)),
        ("logout", lambda: _logout(files)),
        ("configuration", lambda: _configuration(config)),
    )
    checks = [check for name, look in looks for check in _answered(name, look)]
    hung = has_hung()
    if hung:
        text = f"no answer, and passed over: {', '.join(name.removeprefix(files.root) for name in hung)}"
        checks.append(Check(name="hangs", state="note", text=text, mend="`sudo dmesg` may say why"))
    return tuple(checks)


def _answered(name: str, look: Callable[[], Iterator[Check]]) -> tuple[Check, ...]:
    """What a look found, or that it found nothing in time: a disk of the network that is gone holds whoever asks it."""
    longest_s = {"sensors": _LONGEST_SENSORS_S, "power modes": _LONGEST_MODES_S}.get(name, _LONGEST_S)
    try:
        return patiently(lambda: tuple(look()), longest_s)
    except TimeoutError:
        return (Check(name=name, state="bad" if name == "state folder" else "note", text=f"no answer within {longest_s:g} s"),)
    except OSError as error:
        return (Check(name=name, state="note", text=f"cannot be looked at ({error.strerror or error})"),)


def _sensors(files: Files) -> Iterator[Check]:
    return (Check(name=f.name, state=f.state, text=f.text, mend=f.mend) for f in findings(files))


def _root(files: Files) -> Iterator[Check]:
    """Where system files are looked up, when that is nowhere."""
    if files.root and not Path(files.root).is_dir():
        text = f"EDGETUI_ROOT={files.root} is not a folder: nothing is known of this machine"
        yield Check(name="system files", state="bad", text=text, mend="unset EDGETUI_ROOT, or correct it")


def _python() -> Iterator[Check]:
    version = platform.python_version()
    good = sys.version_info >= (3, 10)
    yield Check(
        name="Python",
        state="good" if good else "bad",
        text=f"{version}, {sys.executable}",
        mend="" if good else "install Python 3.10 or later",
    )
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, version in found.items() if version is None]
    if missing:
        yield Check(
            name="packages", state="bad", text=f"missing: {', '.join(missing)}", mend=f"pip install {' '.join(missing)}"
        )
    else:
        yield Check(name="packages", state="good", text=", ".join(f"{name} {version}" for name, version in found.items()))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _backends() -> Iterator[Check]:
    """What executes models here, and what would after an installation."""
    for card in CARDS.values():
        present = card.here()
        if present is not None:
            yield Check(name=present.name, state=present.state, text=present.text, mend=present.mend)


def _board(files: Files) -> Iterator[Check]:
    board = boards.detect(files)
    parts = [
        board.name,
        board.model if board.model != board.name else "",
        board.os,
        f"kernel {board.kernel}" if board.kernel else "",
    ]
    yield Check(name="board", state="good", text=", ".join(filter(None, parts)))
    processor = read_processor(files)
    fast = [words for flag, words in INT8_FLAGS.items() if flag in processor.flags]
    cores = f"{board.cpu or processor.machine}, {board.cores or '?'} cores"
    quota = cpu_quota(files)
    if quota is not None and quota < (board.cores or quota + 1):
        cores += f", of whose time this container or control group may use {quota:g}"
    if fast:
        yield Check(name="processor", state="good", text=f"{cores}; INT8 arithmetic: {', '.join(fast)}")
    else:
        text = f"{cores}; no INT8 dot products (VNNI, dotprod): INT8 makes models smaller here, and less faster than elsewhere"
        yield Check(name="processor", state="note", text=text)


def _power_modes(files: Files, home: Path) -> Iterator[Check]:
    """A mode that a killed sweep has left, put back; and what lets a sweep set modes."""
    known = known_modes(files)
    for told in put_back_all(files, home / "sweeps", set_mode):
        was = f"sweep {told.folder.name} was killed and left {told.found or 'an unknown mode'}"
        if told.why_not:
            text, mend = f"{was}; {told.first.name} is not back: {told.why_not}", f"sudo nvpmodel -m {told.first.id}"
            yield Check(name="power mode left", state="bad", text=text, mend=mend)
        elif told.others:
            text = f"sweep {told.folder.name} was killed; {told.found} was set since then by another program, and stays"
            yield Check(name="power mode left", state="note", text=text)
        else:
            yield Check(name="power mode left", state="note", text=f"{was}; {told.first.name} is back, as before")
    if known and (why := why_not_set(files, known[0])):
        line = f"echo '{sudoers_line(_user())}' | sudo tee /etc/sudoers.d/edgetui"
        yield Check(name="power modes", state="note", text=f"{why}; `edgetui sweep` needs to", mend=line)
    elif known and (way := way_words(files, known[0])) != "nvpmodel":
        yield Check(name="power modes", state="good", text=f"`edgetui sweep` sets them through {way}")


def _memory(files: Files) -> Iterator[Check]:
    found = read_memory(files)
    if found.available is None or found.total is None:
        return
    free, total, swap = (kib * 1024 / 1e6 for kib in (found.available, found.total, found.swap_total or 0))
    low = free < LOW_MEMORY_MB
    swap_text = f"{swap / 1000:.1f} GB swap" if swap else "no swap"
    yield Check(
        name="memory",
        state="note" if low else "good",
        text=f"{free / 1000:.1f} of {total / 1000:.1f} GB free, {swap_text}"
        + (" (what this container or control group allows)" if found.limited else ""),
        mend="raise its limit (docker run --memory), or close other programs in it"
        if low and found.limited
        else "close other programs, or add swap: sudo fallocate -l 4G /swap && sudo mkswap /swap && sudo swapon /swap"
        if low
        else "",
    )


def _state(home: Path) -> Iterator[Check]:
    """The state folder: can a run be kept in it."""
    below = _nearest(home)
    parts = (home, *(home / name for name in ("runs", "cache", "recordings", "index.db")))
    locked = [part for part in parts if os.access(part, os.F_OK) and not _writable(part)]
    there = next((path for path in (home, *home.parents) if os.path.lexists(path)), below)
    if not os.path.isdir(there):  # noqa: PTH112  never raises
        mend = f"mv {home} {home}.old" if there == home else _ELSEWHERE
        yield Check(name="state folder", state="bad", text=f"{there} is not a folder", mend=mend)
        return
    try:
        with tempfile.TemporaryFile(dir=below) as file:
            file.write(bytes(1 << 16))
    except OSError as error:
        yield _unwritable(home, below, error)
        return
    if locked:
        text = f"{home}: {', '.join(str(part.relative_to(home)) for part in locked)} cannot be written to"
        mend = f"chmod -R u+rwX {home}" if all(map(_ours, locked)) else f"sudo chown -R {_user()} {home}"
        yield Check(name="state folder", state="bad", text=text, mend=mend)
    else:
        yield Check(name="state folder", state="good", text=str(home))


def _unwritable(home: Path, below: Path, error: OSError) -> Check:
    """Why nothing can be written there, and what mends that."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        why = "its disk is full" if error.errno == errno.ENOSPC else "your quota on its disk is used up"
        mend = f"free some space there, or {_ELSEWHERE}"
    elif error.errno == errno.EROFS:
        why, mend = "its disk is mounted read-only", f"{_ELSEWHERE} (or: sudo mount -o remount,rw the disk)"
    elif error.errno == errno.EACCES and _ours(below):
        why, mend = f"{below} is yours, and its mode forbids it", f"chmod u+rwx {below}"
    elif error.errno == errno.EACCES:
        # never `chown -R` of a folder above: it may be /opt, or /
        make = "" if below == home else f"sudo mkdir -p {home} && "
        reached = below == home or os.access(below, os.X_OK, effective_ids=True)
        why = f"{below} belongs to {_owner(below)}"
        mend = _ELSEWHERE + (f" (or: {make}sudo chown -R {_user()} {home})" if reached else "")
    else:
        why, mend = error.strerror or str(error), _ELSEWHERE
    return Check(name="state folder", state="bad", text=f"{home} cannot be written to: {why}", mend=mend)


def _ours(path: Path) -> bool:
    return path.stat().st_uid == os.geteuid()


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=True)


def _owner(path: Path) -> str:
    """The name of whose it is, or the number where the number has no name."""
    try:
        return path.owner()
    except (KeyError, OSError):
        return "somebody else"


def _nearest(home: Path) -> Path:
    """The state folder, or the folder above in which it would be made."""
    return next((folder for folder in (home, *home.parents) if os.path.isdir(folder)), Path("/"))  # noqa: PTH112  never raises


def _disk(home: Path) -> Iterator[Check]:
    """Room for runs: bytes, and files."""
    disk = read_disk(_nearest(home))
    free_mb = disk.free_bytes / 1e6
    state: Literal["good", "note", "bad"] = "good"
    if free_mb < LOW_DISK_MB:
        state = "note" if free_mb >= FULL_DISK_MB else "bad"
    text = f"{_room(free_mb)} free for runs and cache"
    if not disk.more_files:
        state, text = "bad", f"{text}, but no more files can be made (no inode is free)"
    mend = "" if state == "good" else f"free some space, or lower [cache] limit_mb in {config_file()}"
    yield Check(name="disk", state=state, text=text, mend=mend)


def _room(mb: float) -> str:
    return f"{mb / 1000:.1f} GB" if mb >= 1000 else f"{mb:.0f} MB" if mb >= 1 else f"{mb * 1000:.0f} kB"


def _index(home: Path) -> Iterator[Check]:
    file = home / "index.db"
    try:
        file.stat()
    except FileNotFoundError:
        yield Check(name="index", state="good", text="none yet; the first run makes it")
        return
    # beside a log that cannot be written, SQLite reads a file only when it is told that nobody else does
    alone = not (_writable(file) and _writable(home))
    try:
        with closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' * alone}", uri=True, timeout=2.0)
        ) as db:
            told = db.execute("pragma quick_check(1)").fetchone()[0]
            if db.execute("select 1 from sqlite_master where type = 'table' and name = 'runs'").fetchone() is None:
                raise sqlite3.DatabaseError("it has no table of runs")
            count = db.execute("select count(*) from runs").fetchone()[0]
    except sqlite3.OperationalError as error:  # locked, or on a disk that does not answer: not damaged
        yield Check(name="index", state="note", text=f"index.db cannot be read now ({error}); no run is lost")
        return
    except sqlite3.Error as error:
        told, count = str(error), 0
    if told == "ok":
        yield Check(name="index", state="good", text=f"{count} runs")
    else:
        text = f"index.db is damaged ({told}); no run is lost"
        yield Check(name="index", state="note", text=text, mend="edgetui runs --rebuild")


def _logout(files: Files) -> Iterator[Check]:
    """Whether systemd-logind ends what a user leaves running (KillUserProcesses)."""
    if not files.exists("/run/systemd/system"):
        yield Check(name="logout", state="good", text="no systemd here: runs go on after logout")
        return
    kills, where = _kill_user_processes(files)
    if not kills or _user() == "root":  # KillExcludeUsers=root is the default
        yield Check(name="logout", state="good", text=f"runs go on after logout ({where})")
        return
    yield Check(
        name="logout",
        state="bad",
        text=f"logging out ends runs ({where})",
        mend="loginctl enable-linger, then start with: systemd-run --user --scope edgetui run ...",
    )


def _user() -> str:
    """Who we are; a container may have no name for us."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _kill_user_processes(files: Files) -> tuple[bool, str]:
    """(whether, who says so). systemd's own default is yes; Debian and Ubuntu, so JetPack too, build it with no."""
    folders = ("/usr/lib/systemd", "/run/systemd", "/etc/systemd")
    drops = [path for folder in folders for path in files.under(f"{folder}/logind.conf.d") if path.endswith(".conf")]
    told: bool | None = None
    where = ""
    for path in (*(f"{folder}/logind.conf" for folder in folders), *drops):
        for value in re.findall(r"^\s*KillUserProcesses\s*=\s*(\w+)", files.text(path) or "", re.MULTILINE):
            told, where = value.lower() in ("yes", "true", "on", "1"), f"KillUserProcesses={value} in {path}"
    if told is not None:
        return told, where
    release = files.text("/etc/os-release") or ""
    debian = re.search(r"^ID(?:_LIKE)?=.*\b(?:debian|ubuntu)\b", release, re.MULTILINE) is not None
    return not debian, f"KillUserProcesses is not set, {'no' if debian else 'yes'} is its default here"


def _configuration(config: Config) -> Iterator[Check]:
    file = config_file()
    yield Check(name="configuration", state="good", text=str(file) if file.is_file() else f"defaults ({file} is not there)")
    for folder in config.models.folders:
        if not os.access(typed_path(folder), os.R_OK | os.X_OK):
            yield Check(name="models", state="note", text=f"{folder} cannot be read", mend=f"mkdir -p {folder}")
    for line in broken_recipes(config):
        yield Check(name="recipe", state="note", text=line)
