"""What a run made that is put to use somewhere: the files, where they went, and what has to be known before."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

FileState = Literal["here", "to copy", "differs there", "copied", "replaced", "was there"]


class DeployedFile(Struct, frozen=True, kw_only=True):
    """One file of it."""

    name: str
    """What it is called there."""
    path: str
    """Where it lies here."""
    bytes: int
    sha256: str
    state: FileState = "here"
    """`here`: it was only shown. `to copy`, `differs there` (another file has its name): it was only looked there. `copied`,
    `replaced` (in place of another) and `was there` have been held against the hash there."""


class Deployment(Struct, frozen=True, kw_only=True):
    """A run's files, and where they went."""

    run: str
    to: str = ""
    """The folder, or HOST:FOLDER; empty: nowhere, they are only shown."""
    made_folder: bool = False
    """The folder was not there and was made, or would be."""
    files: tuple[DeployedFile, ...] = ()
    notes: tuple[str, ...] = ()
    """What speaks against it: the verdict, a board that a plan was not built for."""

    @property
    def left(self) -> int:
        """Bytes of the files that are not there yet."""
        return sum(file.bytes for file in self.files if file.state in ("to copy", "differs there"))
