"""Models that are PyTorch modules: where their ONNX export lies. Light: nothing of theirs is imported here."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..config import Config
from ..errors import ModelRefused
from ..schema.module_sources import PROGRAM, ModelFactory, factory
from .models import model_hash

FOLDER = "models"
"""In the state folder: exports, one for each module and PyTorch."""


def module_named(text: str, path: Path, config: Config) -> Path | ModelFactory | None:
    """A `.pt2` file by its path, or a factory by its name in edgetui.toml; None: it is neither."""
    if path.suffix == PROGRAM and path.is_file():
        return path
    return config.factories.get(text)


def export_path(home: Path, name: str, source: Path | ModelFactory) -> Path:
    """Where the export of a module is, or shall be: by the content of its files, and PyTorch's version.

    Raises:
        ModelRefused: a file of it is not there, or PyTorch is not.
    """
    import hashlib
    from importlib import metadata

    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        called = source.name if isinstance(source, Path) else name
        raise ModelRefused(
            f"{called} is a PyTorch module, and PyTorch is not here", fix="pip install 'edgetui[train]', or export it to ONNX"
        ) from None
    told = hashlib.sha256(version.encode())
    if isinstance(source, Path):
        told.update(model_hash(source).encode())
    else:
        made = factory(source.make)
        if made is None:
            raise ModelRefused(
                f"factory {name}: `{source.make}` is no function", fix="write `package.module:function`, or `file.py:function`"
            )
        told.update(msgspec.json.encode(source))
        for file in (made.file, source.weights):
            told.update(model_hash(Path(file).expanduser()).encode() if file else b"-")
    return home / FOLDER / f"{name}-{told.hexdigest()[:8]}.onnx"
