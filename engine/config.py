"""edgetui.toml: the packaged default and the user's own on top of it, and where state lives.

Order: the packaged `edgetui.toml`; then the file that EDGETUI_CONFIG names, or `edgetui.toml` in the
user's configuration folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from .errors import DAMAGED, ConfigRefused, EdgetuiError
from .schema.converted import converted
from .schema.module_sources import ModelFactory, placed
from .schema.settings import BackendName, BackendTable, Preset
from .telemetry.alerts import DEFAULT_RULES, AlertRule

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


class Trash(Struct, frozen=True, forbid_unknown_fields=True):
    """Runs that were deleted."""

    keep_days: Annotated[float, Meta(ge=0, le=36500)] = 7.0
    """So long `edgetui restore` brings them back; 0: deleting is for good."""
    limit_mb: Annotated[int, Meta(ge=0)] = 2048
    """What was deleted first is gone above this."""


class Notify(Struct, frozen=True, forbid_unknown_fields=True):
    """How it is told that a run has ended."""

    terminal: Literal["always", "unfocused", "never"] = "always"
    """Bell and message (OSC 9) of the terminal from which a run is watched."""
    command: str = ""
    """Of the shell, run by the run itself, also when nobody watches; for one that was killed (`kill -9`, a power cut) by who
    notices it first, once: a screen, `edgetui runs`, the next in the queue. It finds what to tell in EDGETUI_* variables.
    """


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of edgetui.toml."""

    models: Models = Models()
    recipes: Recipes = Recipes()
    datasets: dict[str, str] = {}
    """Name to the path of a dataset description, folder, zip or npz."""
    factories: dict[str, ModelFactory] = {}
    """Models that a function makes, by the name that stands for MODEL."""
    defaults: Defaults = Defaults()
    backend: BackendTable = BackendTable()
    ui: Ui = Ui()
    cache: Cache = Cache()
    trash: Trash = Trash()
    notify: Notify = Notify()
    alerts: tuple[AlertRule, ...] = DEFAULT_RULES
    """What telemetry is watched for."""


def state_home() -> Path:
    """The folder of runs, cache and index; not created here.

    Not by platformdirs: what it makes of a variable that begins with `~` or is relative changes from release to release, and
    its import takes longer than ours of the whole module.
    """
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


def here() -> Path:
    """The folder that we were started in; home, where it has been removed since."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path.home()


def shown_path(path: str) -> str:
    """As people would type it: what lies below home begins with `~`."""
    home = str(Path.home())
    return f"~{path.removeprefix(home)}" if path == home or path.startswith(f"{home}/") else path


def config_file() -> Path:
    """The user's configuration file, which need not exist."""
    named = os.environ.get("EDGETUI_CONFIG")
    return Path(named).expanduser() if named else config_home() / "edgetui.toml"


def load_config() -> Config:
    """Read the packaged defaults and the user's file over them.

    Raises:
        ConfigRefused: a file is no TOML or has a key or value that is not valid.
    """
    merged: dict[str, Any] = {}
    for file, table in config_layers():
        merged = _over(merged, _anchored(table, file.parent))
    return converted(merged, Config, config_file(), ConfigRefused)


def config_layers() -> list[tuple[Path, dict[str, Any]]]:
    """The files that settings come from, as they are written: the packaged defaults, then the user's own where there is one.

    Raises:
        ConfigRefused: a file is no TOML or has a key or value that is not valid.
    """
    packaged, own = PACKAGE / "edgetui.toml", config_file()
    layers = [(packaged, read_toml(packaged, ConfigRefused))]
    if own.is_file():
        mine = _keys_by_name(read_toml(own, ConfigRefused))
        refuse_nul(mine, own, ConfigRefused)
        converted(mine, Config, own, ConfigRefused)
        layers.append((own, mine))
    elif os.environ.get("EDGETUI_CONFIG"):
        raise ConfigRefused(f"there is no file {own}", fix="correct or unset EDGETUI_CONFIG")
    return layers


def _keys_by_name(data: dict[str, Any]) -> dict[str, Any]:
    """The same with `runs.tag = "f2"` under [ui.keys] as one name, which without quotes is a table within a table to TOML."""
    ui = data.get("ui")
    if not isinstance(ui, dict) or not isinstance(ui.get("keys"), dict):
        return data

    def flat(table: dict[str, Any], before: str) -> Iterator[tuple[str, Any]]:
        for name, value in table.items():
            if isinstance(value, dict):
                yield from flat(value, f"{before}{name}.")
            else:
                yield f"{before}{name}", value

    return {**data, "ui": {**ui, "keys": dict(flat(ui["keys"], ""))}}


def _anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with relative paths started at the folder of the file that has them."""

    def anchor(text: str) -> str:
        return text if not text or text.startswith("~") else str(folder.absolute() / text)

    changed = dict(data)
    if "models" in data:
        changed["models"] = {k: [anchor(text) for text in v] for k, v in data["models"].items()}
    if "recipes" in data:
        changed["recipes"] = {k: anchor(v) for k, v in data["recipes"].items()}
    if "factories" in data:
        changed["factories"] = {
            name: {
                **table,
                **({"make": placed(table["make"], folder.absolute())} if "make" in table else {}),
                **({"weights": anchor(table["weights"])} if "weights" in table else {}),
            }
            for name, table in data["factories"].items()
        }
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
