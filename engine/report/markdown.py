"""A report in Markdown: what a run did and a table of baseline and candidates, to paste into an issue or a paper's draft."""

from __future__ import annotations

from collections.abc import Sequence

from ..advise import Comparison, compare, in_words
from ..result import Result
from . import words


def markdown(results: Sequence[Result]) -> str:
    """Runs side by side, the advice, and how each was made."""
    found = compare(results)
    parts = [f"# {_escape(found.title)}", ""]
    parts += [
        f"- **RUINED ({_escape(r.recipe.name or r.run)}): {_escape(r.fidelity.ruined)}**" for r in results if r.fidelity.ruined
    ]
    parts += [f"- {_escape(sentence)}" for result in results if (sentence := in_words(result))]
    parts += ["", table(found), "", "## Advice", "", *(f"- {_escape(line)}" for line in found.advice)]
    for result in results:
        parts += ["", *_making(result)]
    return "\n".join(parts) + "\n"


def table(found: Comparison) -> str:
    """The rows of a comparison as a Markdown table."""
    lines = ["| | " + " | ".join(map(_escape, found.columns)) + " |", "|---|" + "---|" * len(found.columns)]
    for row in found.rows:
        label = f"&nbsp;&nbsp;{row.label}" if row.kind == "detail" else row.label
        lines.append(f"| {_escape(label)} | " + " | ".join(map(_escape, row.cells)) + " |")
    return "\n".join(lines)


def _making(result: Result) -> list[str]:
    """How one run was made: the machine, the recipe, the stages, the warnings."""
    board, backend = result.board, result.backend
    lines = [f"## {_escape(result.recipe.name or result.run)}", "", f"- run `{result.run}`, {result.state}"]
    if result.model:
        lines.append(f"- model {_escape(result.model.name)}, SHA-256 `{result.model.sha256}`")
    if backend.name:
        said = [
            f"{backend.name} {backend.version}",
            f"{backend.mode} on {_escape(backend.device)}{', TF32' if backend.tf32 else ''}" if backend.mode else "",
            f"threads {backend.threads}" if backend.threads else "",
            f"graph {backend.graph}" if backend.graph else "",
            f"preset {result.preset}",
        ]
        lines.append(f"- {', '.join(filter(None, said))}")
    if board.cpu or board.name:
        clocks = f", clocks {board.clocks}" if board.clocks else ""
        lines.append(f"- {_escape(board.name or board.cpu)}, {_escape(board.os)}{clocks}, measured {board.wall}")
    if result.dataset:
        data = result.dataset
        lines.append(f"- data {_escape(data.name or data.path)}: {data.evaluated} evaluated, {data.calibrated} to calibrate")
    lines += [f"- warning: {_escape(warning)}" for warning in result.warnings]
    if result.recipe.toml:
        lines += ["", "```toml", result.recipe.toml.strip(), "```"]
    if result.stages:
        lines += ["", "| stage | took | peak MB | |", "|---|---|---|---|"]
        lines += [
            f"| {stage.name} | {words.seconds(stage.seconds)} | {words.mb(stage.peak_mb)} | {_escape(stage.summary)} |"
            for stage in result.stages
        ]
    return lines


def _escape(text: str) -> str:
    """Keep what would be a table's border or a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
