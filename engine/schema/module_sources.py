"""Where a PyTorch module comes from: a factory, named by its module or file, or a `.pt2` file.

Apart from the steps because a model of edgetui.toml is named in the same way. Nothing is imported here.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from .numbers import Count

PROGRAM = ".pt2"
"""What torch.export.save writes."""
DType = Literal["float32", "float64", "int32", "int64", "bool"]


class Factory(NamedTuple):
    """A function that returns a torch.nn.Module."""

    where: str
    """A module as `import` takes it, or a path that ends in `.py`."""
    function: str

    @property
    def is_file(self) -> bool:
        """Whether `where` is a path."""
        return self.where.endswith(".py")

    @property
    def file(self) -> str:
        """The file that is imported, found without importing anything; of a module that is not there, where it would be."""
        if self.is_file:
            return self.where
        top, *inner = self.where.split(".")
        beyond = str(Path(*self.where.split("."))) + ".py"
        try:
            found = importlib.util.find_spec(top) if top else None
        except (ImportError, ValueError, AttributeError):
            return beyond
        if found is None:
            return beyond
        if not inner:
            return found.origin or beyond
        for folder in found.submodule_search_locations or ():
            for file in (Path(folder, *inner).with_suffix(".py"), Path(folder, *inner, "__init__.py")):
                if file.is_file():
                    return str(file)
        return beyond

    def __str__(self) -> str:
        return f"{self.where}:{self.function}"


def factory(text: str) -> Factory | None:
    """`package.module:function` or `file.py:function`; None: it is neither."""
    where, colon, function = text.rpartition(":")
    if not (colon and function.isidentifier()):
        return None
    named = where.endswith(".py") or all(part.isidentifier() for part in where.split("."))
    return Factory(where, function) if named else None


def placed(text: str, folder: Path) -> str:
    """The same with the whole path of a file that is named from a folder on; a module stays."""
    made = factory(text)
    if made is None:
        return str(folder / Path(text).expanduser())
    return str(made._replace(where=str(folder / Path(made.where).expanduser()))) if made.is_file else text


class ModelFactory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model of edgetui.toml that a function makes."""

    make: Annotated[str, Meta(min_length=1)]
    """`package.module:function` or `file.py:function`: it is imported and called without arguments."""
    inputs: Annotated[dict[str, tuple[Count, ...]], Meta(min_length=1)]
    """Shape of each argument of the module, by the name that it shall have."""
    types: dict[str, DType] = {}
    """Of inputs that are not float32."""
    outputs: tuple[str, ...] = ()
    """Names in the order of what the module returns; none: the exporter's."""
    weights: str = ""
    """A `.safetensors` file, or a state dict that torch.load reads with weights_only; empty: as the function leaves them."""
