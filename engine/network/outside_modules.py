"""PyTorch modules that come from outside: a factory's, with weights, or a `.pt2` file's.

A factory is code, and is imported because a recipe or edgetui.toml names it. Weights are data: what would be unpickled is
refused. `torch.export.load` is less strict than that, and falls back to whole pickles (2.13:
`deserialize_torch_artifact`), so that it reads with our `torch.load`, and what it evaluates is looked at beforehand.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import DAMAGED, EdgetuiError, ModelRefused, first_line
from ..schema.module_sources import Factory

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

_EVALUATED = ("expr_str", "guards_code")
"""Keys of a program's JSON whose texts PyTorch evaluates."""
_WORD = re.compile(r"[A-Za-z_]\w*")
_ARITHMETIC = re.compile(r"[\w\s.,()+*/%<>=!&|~'-]*")
# fmt: off
_KNOWN = frozenset((
    "Symbol", "positive", "integer", "nonnegative", "True", "False", "Integer", "Rational", "Float", "Max", "Min",
    "Mod", "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "CeilToInt", "FloorToInt", "TruncToInt", "RoundToInt",
    "ToFloat", "IntTrueDiv", "FloatTrueDiv", "ModularIndexing", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not",
    "Pow", "PowByNatural", "Abs", "Where", "Identity", "oo", "int_oo",
))
# fmt: on
_SYMBOL = re.compile(r"[a-z]{1,4}\d+")
"""How PyTorch calls lengths that are open: `s77`, `u0`."""
_OBJECTS = ("custom_obj", "opaque_obj")
"""Beginnings of members of a program's archive that are unpickled whatever they hold."""


def made_by(source: Factory, weights: str) -> nn.Module:
    """The module that a factory returns, with the weights of a file where one is named, for inference.

    Raises:
        ModelRefused: it cannot be imported or called, returns no module, or the weights cannot be read or are others.
    """
    import torch

    function = getattr(_imported(source), source.function, None)
    if not callable(function):
        raise ModelRefused(f"{source.where} has no function {source.function}", fix=f"name one that is in {source.file}")
    try:
        module = function()
    except Exception as error:  # somebody else's code
        raise ModelRefused(
            f"{source} failed ({type(error).__name__}: {first_line(error)})", fix="let it return a module without arguments"
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise ModelRefused(f"{source} returned {type(module).__name__}, no torch.nn.Module", fix="let it return the module")
    if weights:
        try:
            module.load_state_dict(read_state(Path(weights)))
        except (RuntimeError, TypeError) as error:
            lines = [line.strip() for line in str(error).splitlines()]
            raise ModelRefused(
                f"{weights} holds other weights than {source} makes ({' '.join(lines[:2])[:200]})",
                fix="name the weights of this module",
            ) from error
    return module.eval().cpu()


def _imported(source: Factory) -> ModuleType:
    try:
        if not source.is_file:
            return importlib.import_module(source.where)
        path = Path(source.where).expanduser()
        spec = importlib.util.spec_from_file_location(f"edgetui_factory_{path.stem}", path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise ModelRefused(f"there is no file {path}", fix="check the path")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        sys.path.insert(0, str(path.parent))  # for what stands beside it
        spec.loader.exec_module(module)
    except EdgetuiError:
        raise
    except Exception as error:  # somebody else's code
        raise ModelRefused(
            f"{source.where} cannot be imported ({type(error).__name__}: {first_line(error)})",
            fix="install it into this Python, set PYTHONPATH, or name its file: `file.py:function`",
        ) from error
    return module


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name: `.safetensors`, or a state dict without code; `state_dict` and `module.` are opened.

    Raises:
        ModelRefused: it is neither, cannot be read, or would have to be unpickled.
    """
    found = _safe_tensors(path) if path.suffix == ".safetensors" else _state(path)
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not found or not all(hasattr(value, "dtype") for value in found.values()):
        raise ModelRefused(f"{path} is no state dict of tensors by name", fix="save `module.state_dict()`")
    whole = all(name.startswith("module.") for name in found)  # as nn.DataParallel calls them
    return {name.removeprefix("module.") if whole else name: value for name, value in found.items()}


def _safe_tensors(path: Path) -> object:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ModelRefused(f"{path} needs the package safetensors", fix="pip install safetensors") from error
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelRefused(f"{path} is no safetensors file ({first_line(error)})", fix="save it again") from error


def _state(path: Path) -> object:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelRefused(f"cannot read {path} ({error.strerror or first_line(error)})", fix="check the path") from error
    except Exception as error:  # damaged files raise what pickle, zip and torch have
        raise ModelRefused(
            f"{path} holds more than tensors, or is damaged: what a pickle would run is not run here",
            fix="save `module.state_dict()` with torch.save, or as .safetensors",
        ) from error


def program_of(path: Path) -> ExportedProgram:
    """The torch.export.ExportedProgram in a `.pt2` file.

    Raises:
        ModelRefused: it is none, of another PyTorch, or holds what would run as code.
    """
    import torch

    _refuse_code(path)
    logged, log = _LoggedErrors(), logging.getLogger("torch.export")
    log.addHandler(logged)
    try:
        with _tensors_only():
            return torch.export.load(path)
    except Exception as error:  # of a damaged file, or of another version, it raises whatever it meets
        why = logged.found[0] if logged.found else error
        raise ModelRefused(
            f"{path} cannot be read as an exported program ({type(why).__name__}: {first_line(why)})",
            fix="save it with torch.export.save of this PyTorch, with nothing but tensors in it, or export it to ONNX",
        ) from error
    finally:
        log.removeHandler(logged)


class _LoggedErrors(logging.Handler):
    """What PyTorch met first: it logs that, and raises `Please check the warnings above`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Exception] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error that a record is about."""
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            self.found.append(record.exc_info[1])


@contextmanager
def _tensors_only() -> Iterator[None]:
    """`torch.load` unpickles nothing but tensors, whoever asks it for more."""
    import torch

    given = torch.load

    def strict(*args: object, **options: object) -> object:
        return given(*args, **{**options, "weights_only": True})

    torch.load = strict
    try:
        yield
    finally:
        torch.load = given


def _refuse_code(path: Path) -> None:
    """Raises ModelRefused for members that are unpickled, and texts that are evaluated and are no arithmetic of lengths."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if any(word in name for word in _OBJECTS):
                    raise ModelRefused(f"{path} holds an object of Python ({name})", fix="export a module of tensors alone")
                if name.endswith(".json"):
                    for text in _evaluated(json.loads(archive.read(name))):
                        _refuse_text(path, text)
    except (OSError, zipfile.BadZipFile, *DAMAGED) as error:
        raise ModelRefused(
            f"{path} is no exported program ({first_line(error)})", fix="write it with torch.export.save"
        ) from None


def _evaluated(value: object, *, inside: bool = False) -> Iterator[str]:
    if isinstance(value, str) and inside:
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _evaluated(inner, inside=inside or key in _EVALUATED)
    elif isinstance(value, list):
        for inner in value:
            yield from _evaluated(inner, inside=inside)


def _refuse_text(path: Path, text: str) -> None:
    words = _WORD.findall(text)
    plain = _ARITHMETIC.fullmatch(text) and not re.search(r"[A-Za-z_]\w*\.|\.\s*[A-Za-z_]", text)
    if not plain or not all(word in _KNOWN or _SYMBOL.fullmatch(word) for word in words):
        raise ModelRefused(
            f"{path} holds a condition that PyTorch would run as code ({text[:80]})", fix="export it with fixed shapes"
        )
