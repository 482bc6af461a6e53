"""Rows of a sensitivity that were found, a line each, so that whoever asks again goes on where the last one was ended.

Apart from `cache.py`, whose folders appear whole or not at all; they lie beside those and are removed with them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from ..backends.cards import CARDS
from ..errors import DAMAGED
from ..library.models import model_hash
from ..schema.ready import ready
from ..schema.sensitivity import Sensitivity, SensitivityRow
from ..system.cpu import read_processor
from ..system.hashing import short_hash
from .input_hashes import data_hashes
from .queries import SensitivityQuestion
from .stages import OF_BACKENDS, OF_STEPS, versions

FORMAT = 2
"""Raised when rows are computed in another way."""


class KeptLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the file: one of the three."""

    begin: Sensitivity | None = None
    """All that is known before the first row."""
    row: SensitivityRow | None = None
    end: Sensitivity | None = None
    """The whole document."""


class KeptRows:
    """What is known of one question."""

    def __init__(self, home: Path, key: str) -> None:
        self._path = home / "cache" / key / "rows.jsonl"

    def read(self) -> Sensitivity | None:
        """The document, `unfinished` where its end is not there; None: nothing is known. Damaged lines are passed over."""
        try:
            lines = self._path.read_bytes().splitlines()
            os.utime(self._path.parent)
        except OSError:
            return None
        found: Sensitivity | None = None
        rows: dict[tuple[str, float | None], SensitivityRow] = {}
        for text in lines:
            try:
                line = msgspec.json.decode(text, type=ready(KeptLine))
            except DAMAGED:
                continue
            found = line.end or line.begin or found
            if line.end is not None:
                return line.end
            if line.row is not None:
                rows[line.row.key] = line.row
        if found is None:
            return None
        return msgspec.structs.replace(found, state="unfinished", rows=found.in_order(tuple(rows.values())))

    def add(self, line: KeptLine) -> None:
        """Append a line; one that was not finished before it stays by itself.

        Raises:
            OSError: it cannot be written.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read(1) == b"\n" else b"\n")
            file.write(msgspec.json.encode(line) + b"\n")


def keyed(question: SensitivityQuestion) -> SensitivityQuestion:
    """The question with the key of what it depends on: model, samples, step, settings and versions.

    Raises:
        ModelRefused: the model cannot be read.
        DataRefused: the samples cannot.
    """
    spec = question.spec
    card = CARDS[spec.backend.name]
    theirs = {*card.packages, *(package for step in spec.recipe.active for package in step.packages)}
    used = {name: each for name, each in versions().items() if name in theirs or name not in (*OF_BACKENDS, *OF_STEPS)}
    data = [part.described() if part else None for part in (spec.dataset, spec.calibration)]
    parts = [
        FORMAT, model_hash(Path(spec.model)), msgspec.to_builtins(spec.shapes), data_hashes(spec), data, spec.seed,
        [step.described() for step in spec.recipe.active], card.name, read_processor().instruction_sets, used,
        question.over, question.values, question.at, question.samples, question.made_up,
    ]  # fmt: skip
    digest = short_hash(json.dumps(parts, sort_keys=True, default=str).encode())[:24]
    return msgspec.structs.replace(question, key=digest)
