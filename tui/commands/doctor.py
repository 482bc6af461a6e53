"""`edgetui doctor`: what this machine offers, what is missing, and the command that mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .printing import echo, echo_error, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.config import Config
    from ...engine.doctor.check import Check

SIGNS = {"good": ("✓", ""), "note": ("·", "dim"), "bad": ("✗", "worse")}


@click.command(short_help="What is missing here, and what mends it.")
@json_option
def doctor(as_json: bool) -> int:
    """What this board offers, what is missing, and the command that mends it."""
    from ...engine.doctor.check import examine

    engine = open_engine()
    return print_checks([*examine(engine.config, engine.home), *_keys(engine.config)], as_json)


def _keys(config: Config) -> list[Check]:
    """What is wrong with the user's own keys."""
    if not config.ui.keys:
        return []
    from ...engine.doctor.check import Check
    from ..own_keys import wrong_keys

    return [
        Check(name="keys", state="note", text=f"[ui.keys] {each.name}: {each.what}", mend=each.fix)
        for each in wrong_keys(config.ui.keys)
    ]


def print_checks(checks: Sequence[Check], as_json: bool) -> int:
    """Print what was looked at; returns 1 where something is bad."""
    import msgspec

    from ...engine.doctor.check import Health

    bad = [check.name for check in checks if check.state == "bad"]
    if as_json:
        echo_json(msgspec.json.encode(Health(healthy=not bad, checks=tuple(checks))))
    else:
        lines, tones = [], []
        for check in checks:
            sign, tone = SIGNS[check.state]
            lines.append((sign, check.name, check.text + (f"  mend: {check.mend}" if check.mend else "")))
            tones.append((tone, "dim", tone if check.state == "bad" else ""))
        echo(paint.table(lines, width=width(), tones=tones))
    if bad:
        echo_error(f"runs will fail or be lost here: {', '.join(bad)}; see the lines marked {SIGNS['bad'][0]}")
    return 1 if bad else 0
