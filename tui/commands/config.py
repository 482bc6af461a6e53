"""`edgetui config`: every setting, its value, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .completion import setting_names
from .printing import echo, echo_json, json_option, paint, width

if TYPE_CHECKING:
    from ...engine.library.setting_origins import Setting


@click.command(short_help="Every setting, its value, and the file and line that it comes from.")
@click.argument("key", required=False, default="", shell_complete=setting_names)
@json_option
def config(key: str, as_json: bool) -> int:
    """Every setting that is KEY or below it, such as `ui` or `ui.theme`: its value, and the file and line that it comes from.

    Files are the packaged edgetui.toml and your own above it. A dash is no value: what happens then, the packaged file says.
    """
    import msgspec

    from ...engine.config import PACKAGE
    from ...engine.library.setting_origins import settings

    found = settings(key)
    if as_json:
        echo_json(msgspec.json.encode(found))
        return 0
    packaged = str(PACKAGE / "edgetui.toml")
    rows = [(one.key, one.in_toml, _origin(one, packaged)) for one in found.settings]
    tones = [
        ("", "dim" if one.value is None else "toml", "dim" if one.file in (None, packaged) else "accent")
        for one in found.settings
    ]
    echo(paint.table(rows, width=width(), tones=tones))
    if not key:
        echo(f"packaged  {packaged}")
        echo(f"your own  {found.own_file}" + ("" if found.own_file_is_there else "  (not there)"))
    return 0


def _origin(setting: Setting, packaged: str) -> str:
    if setting.file is None:
        return "built in"
    return f"packaged:{setting.line}" if setting.file == packaged else f"{setting.file}:{setting.line}"
