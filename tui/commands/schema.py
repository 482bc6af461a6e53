"""`edgetui schema`: what the documents that commands print look like."""

from __future__ import annotations

import click

from .completion import document_names
from .printing import echo, echo_json, json_option, paint, width


@click.command(short_help="What the JSON documents of the commands look like.")
@click.argument("document", required=False, default="", shell_complete=document_names)
@json_option
def schema(document: str, as_json: bool) -> int:
    """The JSON Schema (Draft 2020-12) of a DOCUMENT that a command prints with --json; without one, which there are."""
    import msgspec

    from ...engine.report.json_schemas import DOCUMENTS, path_of, shipped

    if document:
        echo_json(shipped(document).encode())
        return 0
    found = [(name, ", ".join(each.printed_by), str(path_of(name))) for name, each in DOCUMENTS.items()]
    if as_json:
        rows = [dict(zip(("document", "printed_by", "file"), row, strict=True)) for row in found]
        echo_json(msgspec.json.encode(rows))
    else:
        echo(paint.table([row[:2] for row in found], width=width()))
    return 0
