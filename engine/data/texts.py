"""Texts from a TSV, as token ids, attention mask and token types: whatever of these the model takes.

Apart from `arrays.py`, which takes ids as they are: here the library `tokenizers` makes them, with the model's own
`tokenizer.json`. It is imported inside functions: whoever has no texts does without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..schema.model_facts import TensorFacts
from ..system.reporter import Reporter
from .known_ids import past
from .labelled_texts import LabelledText, read_texts
from .samples import NOTHING, Array, Pixels, Row, Truth, Truths, UnreadableSample

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

Made = TypeVar("Made")
_SAVE_AGAIN = "save it again with `tokenizer.save(...)`"
_LARGEST_BYTES = 256_000_000
_LONGEST = 4096
"""Tokens; a model's input of more is none of texts."""
_PADS = ("[PAD]", "<pad>", "<|pad|>", "<unk>", "[UNK]")
_INTEGERS = {"int64": np.int64, "int32": np.int32}


def open_texts(
    path: Path,
    tokenizer: str,
    inputs: Sequence[TensorFacts],
    shapes: Mapping[str, tuple[int, ...]],
    known: Mapping[str, int],
    classes: Sequence[str],
    say: Reporter,
    *,
    labelled: bool,
) -> Texts:
    """Match the texts of `path` with the model's inputs. `known`: how many ids an input may have, where that is known.

    Raises:
        DataRefused: no texts, no tokenizer, or the model takes no token ids.
    """
    length = _length(inputs, shapes)
    made = _tokenizer(tokenizer, path, length)
    lines = read_texts(path, classes, say, labelled=labelled)
    ids = next((each.name for each in inputs if _use(each.name) == "ids"), inputs[0].name)
    if ids in known and made.get_vocab_size() > known[ids]:
        say.warn(
            f"{Path(tokenizer).name} has {made.get_vocab_size()} tokens, and input {ids} of the model takes {known[ids]}: "
            "likely it is another model's"
        )
    return Texts(path, lines, made, inputs, length, known, classes, labelled=labelled)


def _length(inputs: Sequence[TensorFacts], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Tokens of the model's inputs.

    Raises:
        DataRefused: they are no token ids.
    """
    lengths = set()
    for each in inputs:
        shape = shapes.get(each.name) or tuple(axis if isinstance(axis, int) else 1 for axis in each.shape)
        if each.dtype not in _INTEGERS or len(shape) != 2:
            raise DataRefused(
                f"input {each.name} of type {each.dtype} and shape {list(shape)} takes no token ids",
                fix="give an .npz with one array for each input",
            )
        lengths.add(shape[1])
    if len(lengths) != 1 or not 1 < max(lengths) <= _LONGEST:
        names = ", ".join(f"{each.name} {list(shapes.get(each.name, each.shape))}" for each in inputs)
        raise DataRefused(
            f"the model's inputs ({names}) are not of one length of 2 to {_LONGEST} tokens",
            fix=f"say how many: --shape {inputs[0].name}=1x128, and so for each input",
        )
    return lengths.pop()


def _tokenizer(file: str, texts: Path, length: int) -> Tokenizer:
    """It pads and cuts to `length`.

    Raises:
        DataRefused: there is none, it cannot be read, or the library is not installed.
    """
    if not file:
        raise DataRefused(
            f"nothing says how the texts of {texts.name} become token ids",
            fix="put the model's tokenizer.json beside it, or write `tokenizer` into a dataset's TOML file",
        )
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise DataRefused(
            "texts need the package tokenizers, which is not installed",
            fix="pip install 'edgetui[text]'; or make an .npz of token ids, with one array for each input",
        ) from None
    try:
        if (size := Path(file).stat().st_size) > _LARGEST_BYTES:
            raise DataRefused(f"{file} takes {size / 1e6:.0f} MB", fix="give the model's own tokenizer.json")
        text = Path(file).read_bytes().decode()
    except OSError as error:
        raise DataRefused(f"{file} cannot be read ({error.strerror})", fix="check the path and its permissions") from None
    except UnicodeDecodeError as error:
        raise DataRefused(f"{file} is no tokenizer.json ({error})", fix=_SAVE_AGAIN) from None
    try:
        return _attempt(lambda: _settled(Tokenizer.from_str(text), length))
    except TokenizerFailed as error:
        raise DataRefused(f"{file} is no tokenizer.json ({error})", fix=_SAVE_AGAIN) from None


def _settled(made: Tokenizer, length: int) -> Tokenizer:
    """It pads and cuts to `length`."""
    padding = made.padding or {}
    pad = next((each for each in (padding.get("pad_token"), *_PADS) if each and made.token_to_id(each) is not None), None)
    made.enable_truncation(length)
    made.enable_padding(
        direction=padding.get("direction", "right"),
        pad_id=made.token_to_id(pad) if pad else 0,
        pad_type_id=padding.get("pad_type_id", 0),
        pad_token=pad or "[PAD]",
        length=length,
    )
    return made


class TokenizerFailed(Exception):
    """What the library says of itself, in a line."""


def _attempt(do: Callable[[], Made]) -> Made:
    """What the library is asked for, whatever it raises: a bare Exception where it cannot read or encode, and where its Rust
    code panics (an index out of a table, an expression that tries for ever) a PanicException, which is a BaseException and
    would end the process.

    Raises:
        TokenizerFailed: it could not.
    """
    try:
        return do()
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerFailed(" ".join(str(error).split())[:200] or type(error).__name__) from None


def _use(name: str) -> str:
    """What an input of this name takes."""
    name = name.lower()
    if "mask" in name:
        return "mask"
    if "type" in name or "segment" in name:
        return "types"
    return "places" if "position" in name else "ids"


def _taken(use: str, encoded: Encoding) -> Sequence[int]:
    found: dict[str, Sequence[int]] = {
        "mask": encoded.attention_mask,
        "types": encoded.type_ids,
        "places": range(len(encoded.ids)),
        "ids": encoded.ids,
    }
    return found[use]


class Texts:
    """See `samples.Reader`."""

    largest_batch: int | None = None
    points: int | None = None
    pixels: Pixels | None = None
    assumed = ""

    def __init__(
        self,
        path: Path,
        lines: list[LabelledText],
        tokenizer: Tokenizer,
        inputs: Sequence[TensorFacts],
        length: int,
        known: Mapping[str, int],
        classes: Sequence[str],
        *,
        labelled: bool,
    ) -> None:
        self._path, self._lines, self._tokenizer, self._length = path, lines, tokenizer, length
        self._inputs = {each.name: (_use(each.name), _INTEGERS[each.dtype]) for each in inputs}
        self._known = known
        self.classes = tuple(classes)
        self.labels: NDArray[np.int64] | None = None
        if labelled and all(line.label >= 0 for line in lines):
            self.labels = np.array([line.label for line in lines], np.int64)
        self.truth: Truth = "" if self.labels is None else "classes"

    def __len__(self) -> int:
        """How many lines can be used."""
        return len(self._lines)

    def name(self, number: int) -> str:
        """Its line in the file, from 1."""
        return f"line {self._lines[number].line}"

    def rows(self, order: Sequence[int]) -> Iterator[Row | UnreadableSample]:
        """Ids, mask and types of each text; one with an id that the model does not know is none."""
        for number in order:
            line = self._lines[number]
            try:
                encoded = _attempt(lambda text=line.text: self._tokenizer.encode(text))  # type: ignore[misc]
            except TokenizerFailed as error:
                where = f"{self._path.name}, {self.name(number)}"
                yield UnreadableSample(where, f"its tokenizer.json makes no ids of it: {error}")
                continue
            row: Row = {name: np.array(_taken(use, encoded), kind) for name, (use, kind) in self._inputs.items()}
            why = next(filter(None, (past(name, row[name], self._known) for name in row)), "")
            yield UnreadableSample(f"{self._path.name}, {self.name(number)}", why) if why else row

    def pack(self, rows: list[Row]) -> dict[str, Array]:
        """Rows stacked."""
        return {name: np.stack([row[name] for row in rows]) for name in self._inputs}

    def frames(self, order: Sequence[int], most_bytes: int) -> None:
        """None: texts are no image files."""

    def truths(self, rows: Sequence[Row], numbers: Sequence[int]) -> Truths:
        """Nothing beside classes."""
        del rows, numbers
        return NOTHING
