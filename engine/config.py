"""edgetui.toml: the packaged default and the user's own on top of it, and where state lives.

Order: the packaged `edgetui.toml`; then the file that EDGETUI_CONFIG names, or `edgetui.toml` in the
user's configuration folder.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from .errors import DAMAGED, ConfigRefused, EdgetuiError, close_to, nearest
from .spec import BackendName, Preset, TensorRtSettings, TorchSettings
from .telemetry.alerts import DEFAULT_RULES, AlertRule

T = TypeVar("T")
PACKAGE = Path(__file__).resolve().parents[1]


class Models(Struct, frozen=True, forbid_unknown_fields=True):
    """Where models lie."""

    folders: tuple[str, ...] = ()


class Recipes(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the user's own recipes lie."""

    folder: str = ""
    """Empty: `recipes` in the configuration folder."""


class Defaults(Struct, frozen=True, forbid_unknown_fields=True):
    """What a run uses when nothing is said."""

    recipe: str = "int8"
    backend: BackendName = "onnxruntime"
    preset: Preset = "normal"
    dataset: str = ""


class OnnxRuntimeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """See spec.BackendSettings."""

    threads: Annotated[int, Meta(ge=0)] = 0
    graph: Literal["off", "basic", "extended", "all"] = "all"


class BackendTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One table a backend."""

    onnxruntime: OnnxRuntimeSettings = OnnxRuntimeSettings()
    tensorrt: TensorRtSettings = TensorRtSettings()
    torch: TorchSettings = TorchSettings()


class Ui(Struct, frozen=True, forbid_unknown_fields=True):
    """The screen."""

    graph: Literal["auto", "braille", "block", "ascii"] = "auto"
    """auto: braille where the terminal speaks UTF-8, ascii elsewhere."""
    rate_hz: Annotated[float, Meta(gt=0, le=10)] = 4.0
    mouse: bool = True
    theme: str = "auto"
    keys: dict[str, str] = {}
    """Binding id to keys, e.g. `run = "f5"`."""


class Cache(Struct, frozen=True, forbid_unknown_fields=True):
    """Stage outputs that are kept."""

    limit_mb: Annotated[int, Meta(ge=0)] = 4096
    """The oldest are removed above this; 0: no limit."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of edgetui.toml."""

    models: Models = Models()
    recipes: Recipes = Recipes()
    datasets: dict[str, str] = {}
    """Name to the path of a dataset description, folder, zip or npz."""
    defaults: Defaults = Defaults()
    backend: BackendTable = BackendTable()
    ui: Ui = Ui()
    cache: Cache = Cache()
    alerts: tuple[AlertRule, ...] = DEFAULT_RULES
    """What telemetry is watched for."""


def state_home() -> Path:
    """The folder of runs, cache and index; not created here."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base).expanduser() / "edgetui"


def config_home() -> Path:
    """The folder of the user's edgetui.toml and recipes; not created here."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base).expanduser() / "edgetui"


def typed_path(text: str) -> Path:
    """A path as people type it: `~` is a home; of somebody who has none it is a name like others."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def config_file() -> Path:
    """The user's configuration file, which need not exist."""
    named = os.environ.get("EDGETUI_CONFIG")
    return Path(named).expanduser() if named else config_home() / "edgetui.toml"


def load_config() -> Config:
    """Read the packaged defaults and the user's file over them.

    Raises:
        ConfigRefused: a file is no TOML or has a key or value that cannot be.
    """
    merged = _anchored(read_toml(PACKAGE / "edgetui.toml", ConfigRefused), PACKAGE)
    own = config_file()
    if own.is_file():
        mine = read_toml(own, ConfigRefused)
        refuse_nul(mine, own, ConfigRefused)
        convert(mine, Config, own, ConfigRefused)
        merged = _over(merged, _anchored(mine, own.parent))
    elif os.environ.get("EDGETUI_CONFIG"):
        raise ConfigRefused(f"there is no file {own}", fix="correct or unset EDGETUI_CONFIG")
    return convert(merged, Config, own, ConfigRefused)


def _anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with relative paths started at the folder of the file that has them."""

    def anchor(text: str) -> str:
        return text if not text or text.startswith("~") else str(folder.absolute() / text)

    changed = dict(data)
    if "models" in data:
        changed["models"] = {k: [anchor(text) for text in v] for k, v in data["models"].items()}
    if "recipes" in data:
        changed["recipes"] = {k: anchor(v) for k, v in data["recipes"].items()}
    if "datasets" in data:
        changed["datasets"] = {k: anchor(v) for k, v in data["datasets"].items()}
    return changed


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables merge, anything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def read_toml(path: Path, refuse: type[EdgetuiError]) -> dict[str, Any]:
    """Parse a TOML file of at most 1 MB; `refuse` is the error to raise."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise refuse(f"cannot read {path} ({what_is(path)})", fix="give a TOML file written by hand")
        if size > 1_000_000:
            raise refuse(f"{path} is over 1 MB", fix="give a TOML file written by hand")
        text = path.read_text(encoding="utf-8-sig")
        table: dict[str, Any] = msgspec.toml.decode(text)
    except OSError as error:
        raise refuse(f"cannot read {path} ({error.strerror})", fix="check the path and its permissions") from None
    except DAMAGED as error:
        raise refuse(f"{path} is not valid TOML: {error}", fix="correct that line") from None
    return table


def refuse_nul(table: dict[str, Any], path: Path, refuse: type[EdgetuiError]) -> None:
    """Refuse a table with a NUL character in a text: no path may have one."""
    for key in _with_nul(table):
        raise refuse(f"{path}: `{key}` holds a NUL character", fix="take it out")


def what_is(path: Path) -> str:
    """What lies at a path that is no regular file: reading a pipe waits for ever, and a device may have no end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "not there"
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((word for test, word in kinds if test(mode)), "a device")


def _with_nul(value: object, where: str = "") -> Iterator[str]:
    """The keys of texts with a NUL in them."""
    if isinstance(value, str) and "\0" in value:
        yield where
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _with_nul(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _with_nul(inner, where)


_UNKNOWN = re.compile(r"unknown field `([^`]+)`(?: - at `\$\.?(.*)`)?")


def convert(data: object, kind: type[T], path: Path | str, refuse: type[EdgetuiError]) -> T:
    """Check TOML data against a struct; the error names the key, the file and the nearest known name."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _UNKNOWN.search(text)
        if found:
            word, where = found.group(1), found.group(2) or ""
            known = _keys_at(kind, where)
            place = f"{where}." if where else ""
            raise refuse(f"{path} has an unknown key `{place}{word}`", fix=nearest(word, known)) from None
        what, _, where = text.partition(" - at `$")
        where = where.rstrip("`").lstrip(".")
        raise refuse(f"{path}: {where or 'top level'}: {what}", fix=may_be(kind, where, what)) from None


_INVALID = re.compile(r"Invalid enum value (?:'(.*)'|(.*))")
_MISSING = re.compile(r"missing required field `([^`]+)`")


def may_be(kind: type, where: str, what: str) -> str:
    """What a value that was refused at a path like `input.color` may be."""
    missing = _MISSING.search(what)
    if missing:
        choices = _choices_at(kind, f"{where}.{missing.group(1)}")
        return f"add the line {missing.group(1)} = …" + (f", one of {', '.join(choices)}" if choices else "")
    choices = _choices_at(kind, where)
    found = _INVALID.search(what)
    if found and choices:
        near = close_to(found.group(1) or found.group(2) or "", choices)
        return (f"write `{near}`: " if near else "") + f"it is one of {', '.join(choices)}"
    return "write a list, in brackets" if what.startswith("Expected `array`, got") else "correct that value"


def _choices_at(kind: type, where: str) -> tuple[str, ...]:
    """The words that a value at a path like `input.color` is one of; empty: not words to choose from."""
    above, _, key = re.sub(r"\[[^]]*\]", "", where).strip(".").rpartition(".")
    for field in msgspec.structs.fields(_struct_at(kind, above)):
        if field.encode_name == key:
            info = msgspec.inspect.type_info(field.type)
            parts = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
            literal = next((part for part in parts if isinstance(part, msgspec.inspect.LiteralType)), None)
            return tuple(map(str, literal.values)) if literal else ()
    return ()


def _keys_at(kind: type, where: str) -> tuple[str, ...]:
    """The keys that the struct at a path like `ui`, `backend.onnxruntime` or `alerts[...]` may have."""
    return tuple(f.encode_name for f in msgspec.structs.fields(_struct_at(kind, where)))


def _struct_at(kind: type, where: str) -> type:
    """The struct at a path; where that is none, the one it is a field of."""
    for part in [p for p in re.sub(r"\[[^]]*\]", "", where).split(".") if p]:
        fields = {f.encode_name: f.type for f in msgspec.structs.fields(kind)}
        below = fields.get(part)
        inner = next(iter(get_args(below)), below)  # of a list its items
        if not isinstance(inner, type) or not issubclass(inner, Struct):
            return kind
        kind = inner
    return kind
