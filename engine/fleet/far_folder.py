"""Files into a folder elsewhere, through a shell there: looked at, sent, held against their hashes, and only then given their
names. It needs sh, sha256sum and df there, and no edgetui.

A file that is sent grows as `.NAME.HASH.part`, so a cut link goes on where it was, and who is killed leaves no half file
under a name. Into a folder of this machine it is the same shell without ssh.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import StorageRefused, from_os_error
from ..schema.deployment import DeployedFile
from .complaints import ssh_complaint
from .places import DeployPlace
from .transport import shell_of

Told = Callable[[str, int, int], None]
"""Hears of a file how many bytes have gone, and of how many."""
STILL_S, LOOK_S = 90.0, 0.25
"""A link over which nothing moves for so long is given up; hashing a large file there takes a while."""
_LEAST_FREE = 1_000_000
_CUT, _FULL, _WRONG, _TAKEN, _NO_FOLDER = 75, 74, 76, 77, 73
_LOOK = (
    'd=$1; shift; command -v sha256sum >/dev/null 2>&1 || { echo "= lacks"; exit 0; }; '
    'if [ -d "$d" ]; then at=$d; elif [ -e "$d" ] || [ -L "$d" ]; then echo "= taken"; exit 0; '
    'else at=$(dirname "$d"); [ -d "$at" ] || { echo "= orphan"; exit 0; }; echo "= new"; fi; '
    '[ -w "$at" ] && [ -x "$at" ] || echo "= closed"; '
    'df -Pk "$at" 2>/dev/null | { read -r _; read -r _ _ _ free _ && echo "= free $free"; }; '
    'while [ $# -ge 2 ]; do f=$d/$1; p=$d/$2; shift 2; s=-; z=0; '
    'if [ -d "$f" ]; then s=folder; elif [ -e "$f" ]; then s=$(sha256sum <"$f") || s=unreadable; s=${s%% *}; fi; '
    '[ -f "$p" ] && z=$(wc -c <"$p"); echo "= is" $s $z; done; '
    'echo "= machine $(uname -m)"; r=${EDGETUI_ROOT:-}; c=$r/proc/device-tree/compatible; '
    '[ -r "$c" ] && echo "= compatible $(tr "\\000" " " <"$c")"; '
    'for l in "$r"/usr/lib/*-linux-gnu/libnvinfer.so.*.*; do [ -e "$l" ] && echo "= nvinfer ${l##*/}"; done; '
    '[ -n "$r" ] || timeout 5 nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null '
    "| while read -r g; do echo \"= gpu $g\"; done; exit 0"
)  # fmt: skip
_SEND = (
    'd=$1; n=$d/$2; p=$d/$3; [ -d "$d" ] || mkdir "$d" || exit 73; '
    'cat >>"$p" || { rm -f "$p"; exit 74; }; s=$(wc -c <"$p"); [ $s -lt $4 ] && exit 75; '
    's=$(sha256sum <"$p"); s=${s%% *}; [ "$s" = "$5" ] || { rm -f "$p"; exit 76; }; '
    'sync "$p" 2>/dev/null || sync; '
    '[ -d "$n" ] && { rm -f "$p"; exit 77; }; '
    'if [ -e "$n" ]; then o=$(sha256sum <"$n"); [ "${o%% *}" = "$5" ] || [ "$6" = replace ] || { rm -f "$p"; exit 77; }; fi; '
    'mv -f "$p" "$n" || exit 74; rm -f "$d/.$2."*.part; sync "$d" 2>/dev/null; '
    's=$(sha256sum <"$n"); echo "= sent ${s%% *}"; exit 0'
)  # fmt: skip


class FarFile(NamedTuple):
    """What is there under a file's name."""

    sha256: str
    """Empty: nothing; `folder`, `unreadable`: what cannot be a file of ours."""
    part_bytes: int
    """Of our file that have come already."""


class FarLook(NamedTuple):
    """A folder elsewhere, before anything is sent."""

    new: bool
    """It is not there, and the one above it is."""
    files: tuple[FarFile, ...]
    facts: dict[str, tuple[str, ...]]
    """What the machine there says of itself: `machine`, `compatible`, `nvinfer`, `gpu`."""


def _part(file: DeployedFile) -> str:
    return f".{file.name}.{file.sha256[:16]}.part"


async def look(place: DeployPlace, files: Sequence[DeployedFile]) -> FarLook:
    """What is there.

    Raises:
        StorageRefused: it cannot be reached, is no folder or cannot be written to, or has no room for what is not there.
    """
    words = [place.folder, *(word for file in files for word in (file.name, _part(file)))]
    status, out, said = await _ask(place, _LOOK, words)
    told: dict[str, list[str]] = {}
    for line in out.splitlines():
        sign, _, rest = line.partition(" ")
        if sign == "=":  # what a login shell prints besides is passed over
            key, _, value = rest.partition(" ")
            told.setdefault(key, []).append(value.strip())
    _refuse_folder(place, told)
    if status or len(told.get("is", ())) != len(files):
        raise _failed(place, said, status)
    found = tuple(_far_file(line) for line in told.get("is", ()))
    left = sum(file.bytes - far.part_bytes for file, far in zip(files, found, strict=True) if far.sha256 != file.sha256)
    free = next((int(text) * 1024 for text in told.get("free", ()) if text.isdigit()), None)
    if free is not None and left > 0 and free < left + _LEAST_FREE:
        what = f"no room at {place.text}: {left / 1e6:.1f} MB are to come, {free / 1e6:.1f} are free"
        raise StorageRefused(what, fix="free some space there, or name another folder")
    facts = {key: tuple(told.get(key, ())) for key in ("machine", "compatible", "nvinfer", "gpu")}
    return FarLook("new" in told, found, facts)


def _far_file(line: str) -> FarFile:
    sha256, _, size = line.partition(" ")
    return FarFile("" if sha256 == "-" else sha256, int(size) if size.strip().isdigit() else 0)


def _refuse_folder(place: DeployPlace, told: dict[str, list[str]]) -> None:
    folder = place.folder.removeprefix("./")
    if "lacks" in told:
        raise StorageRefused(f"there is no sha256sum {place.title}, which says what arrived", fix="install coreutils there")
    if "taken" in told:
        raise StorageRefused(f"{place.text} is a file", fix="name a folder")
    if "orphan" in told:
        above = str(Path(folder).parent)
        raise StorageRefused(f"there is no folder {above} {place.title}", fix=f"make it (`mkdir -p {above}`), or name another")
    if "closed" in told:
        raise StorageRefused(f"{place.text} cannot be written to", fix="name a folder that is yours there")


async def send(place: DeployPlace, file: DeployedFile, far: FarFile, told: Told, *, replace: bool) -> None:
    """Send a file, or the rest of it, and have it held against its hash there before it gets its name.

    Raises:
        StorageRefused: the link was cut, the disk there is full, what arrived is not what was sent, or another file has come
            under its name meanwhile.
    """
    begun = far.part_bytes if far.part_bytes <= file.bytes else 0
    words = [place.folder, file.name, _part(file), str(file.bytes), file.sha256, "replace" if replace else "keep"]
    try:
        source = Path(file.path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise from_os_error(error) from None
    with source:
        source.seek(begun)
        status, out, said = await _ask(place, _SEND, words, source, lambda at: told(file.name, at, file.bytes))
        at = os.lseek(source.fileno(), 0, os.SEEK_CUR)
    told(file.name, at, file.bytes)
    if status == 0 and f"= sent {file.sha256}" in out.splitlines():
        return
    again = "try again; it goes on where it was"
    if status == _CUT:
        raise StorageRefused(f"{file.name} did not arrive whole {place.title}", fix=again)
    if status == _FULL:
        full = "No space left" in said or "quota" in said
        what = f"no space left at {place.text}" if full else f"{file.name} cannot be written at {place.text}: {_last(said)}"
        raise StorageRefused(what, fix="free some space there, then try again" if full else "check the disk there")
    if status == _TAKEN:
        raise StorageRefused(
            f"another {file.name} has come to {place.text} meanwhile", fix="look at it, or allow to replace it"
        )
    if status == _NO_FOLDER:
        raise StorageRefused(f"{place.text} cannot be made: {_last(said)}", fix="name another folder")
    if status in (0, _WRONG):
        raise StorageRefused(f"{file.name} did not arrive {place.title} as it was sent", fix="try again; it is sent anew")
    if status == 255 and not place.here and at > begun:  # ssh reads nothing of it before it is let in
        how_far = f"after {at / 1e6:.1f} of {file.bytes / 1e6:.1f} MB of {file.name}"
        raise StorageRefused(f"the link to {place.board.name} was lost {how_far}", fix=again)
    raise _failed(place, said, status)


def _failed(place: DeployPlace, said: str, status: int | None) -> StorageRefused:
    """Why a shell there did not do what it was asked."""
    refusal = None if place.here else ssh_complaint(place.board, said, "" if place.of_fleet else "check the host's name")
    if refusal is not None:
        return StorageRefused(refusal.what, fix=refusal.fixes)
    why = f": {last}" if (last := _last(said)) else f" ({status})" if status is not None else ""
    if status == 255 and not place.here:
        return StorageRefused(f"the link to {place.board.name} was lost{why}", fix="try again")
    return StorageRefused(f"nothing can be put to {place.text}{why}", fix="try it in a shell there")


def _last(said: str) -> str:
    """The last line of what a program complained of."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


async def _ask(
    place: DeployPlace,
    script: str,
    words: Sequence[str],
    source: BinaryIO | None = None,
    told: Callable[[int], None] | None = None,
) -> tuple[int | None, str, str]:
    """Exit status, output and complaints of a line of sh there. `source` is its standard input from where it stands: that
    place moves as the program reads, so nothing of it goes through us. Who is cancelled ends the program.

    Raises:
        StorageRefused: the program cannot be started here, or nothing has moved for long.
    """
    argv = shell_of(place.board, script, words)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=source or DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except OSError as error:
        raise StorageRefused(f"{argv[0]} cannot be started ({error.strerror})", fix="install it") from None
    ending = asyncio.ensure_future(process.communicate())
    at, still_s = -1, 0.0
    try:
        while not (await asyncio.wait([ending], timeout=LOOK_S))[0]:
            before, at = at, os.lseek(source.fileno(), 0, os.SEEK_CUR) if source is not None else 0
            still_s = 0.0 if at != before else still_s + LOOK_S
            if told is not None and at != before:
                told(at)
            if still_s > STILL_S:
                raise StorageRefused(
                    f"nothing has moved {place.title} for {STILL_S:.0f} s", fix="check the link, then try again"
                )
        out, said = ending.result()
    finally:
        if not ending.done():
            await _end(process, ending)
    return process.returncode, out.decode("utf-8", "replace"), said.decode("utf-8", "replace")


async def _end(process: Process, ending: asyncio.Future[tuple[bytes, bytes]]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    if not (await asyncio.wait([ending], timeout=1.0))[0]:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.wait([ending], timeout=1.0)
    ending.cancel()
