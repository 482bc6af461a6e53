"""A report in Markdown: what a run did and a table of baseline and candidates, to paste into an issue or a paper's draft."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..advice import words
from ..advice.compare import Comparison
from ..advice.sentences import verdict_sentence
from ..schema.result import Result
from .evidence import Evidence, said_of_samples
from .method import INTERVALS, calibrated_with, method
from .sanitize import sanitize
from .stamp_table import stamp_lines
from .text import executed_with

_SPECIAL = re.compile(r"[|`]|(?<=\])\(")
"""What Markdown would take for a border, for code, or for where a link or picture leads."""


def markdown(told: Evidence) -> str:
    """Runs side by side, the advice, how each was made and measured, and in which state."""
    found, results = told.comparison, told.results
    called = dict(zip(found.runs, found.columns, strict=True))
    parts = [f"# {_escape(found.title)}", ""]
    ruined = [(called.get(result.run, result.run), result.fidelity.ruined) for result in results if result.fidelity.ruined]
    parts += [f"- **RUINED ({_escape(name)}): {_escape(what)}**" for name, what in ruined]
    samples = {result.run: said_of_samples(told.recomputed_of(result.run)) for result in results}
    parts += [f"- **{_escape(run)}: {_escape(line)}**" for run, (wrong, _) in samples.items() for line in wrong]
    parts += [f"- warning: {_escape(line)}" for line in found.warnings]
    parts += [f"- {_escape(said)}" for result in results if (said := verdict_sentence(result, called.get(result.run, "")))]
    parts += ["", table(found), "", "## Advice", "", *(f"- {_escape(line)}" for line in found.advice)]
    for result in results:
        parts += ["", *_making(result), "", *(f"**{head}.** {_escape(text)}\n" for head, text in method(result))]
        parts += [_escape(" ".join(samples[result.run][1]))]
    parts += ["", "## How it was measured", "", _escape(INTERVALS), "", "## Stamps", "", *_stamps(results)]
    return "\n".join(parts) + "\n"


def _stamps(results: Sequence[Result]) -> list[str]:
    head = "| | " + " | ".join(_escape(result.run) for result in results) + " |"
    lines = [f"| {_escape(name)} | " + " | ".join(map(_escape, values)) + " |" for name, values in stamp_lines(results)]
    return [head, "|---|" + "---|" * len(results), *lines]


def table(found: Comparison) -> str:
    """The rows of a comparison as a Markdown table."""
    lines = ["| | " + " | ".join(map(_escape, found.columns)) + " |", "|---|" + "---|" * len(found.columns)]
    for row in found.rows:
        indent = "&nbsp;&nbsp;" if row.kind == "detail" else ""
        lines.append(f"| {indent}{_escape(row.label)} | " + " | ".join(map(_escape, row.cells)) + " |")
    return "\n".join(lines)


def _making(result: Result) -> list[str]:
    """How one run was made: the machine, the recipe, the stages, the warnings."""
    board, backend = result.board, result.backend
    lines = [f"## {_escape(result.recipe.name or result.run)}", "", f"- run {_code(result.run)}, {result.state}"]
    if result.model:
        lines.append(f"- model {_escape(result.model.name)}, SHA-256 {_code(result.model.sha256)}")
    if backend.name:
        said = [
            f"{backend.name} {backend.version}",
            f"{backend.mode} on {backend.device}{', TF32' if backend.tf32 else ''}" if backend.mode else "",
            f"threads {backend.threads}" if backend.threads else "",
            f"graph {backend.graph}" if backend.graph else "",
            f"preset {result.preset}",
        ]
        lines.append(f"- {_escape(', '.join(filter(None, said)))}")
    if result.candidate_backend is not None:
        lines.append(f"- {_escape('the candidate: ' + ', '.join(executed_with(result.candidate_backend)))}")
    if result.trained_on:
        lines.append(f"- trained on {_escape(result.trained_on)}")
    if board.cpu or board.name:
        clocks = f", clocks {board.clocks}" if board.clocks else ""
        lines.append(f"- {_escape(f'{board.name or board.cpu}, {board.os}{clocks}, measured {board.wall}')}")
    if result.dataset:
        data = result.dataset
        whence = f" ({data.evaluation})" if data.evaluation else ""
        told = ["" if data.evaluated is None else f"{data.evaluated} evaluated{whence}", calibrated_with(data)]
        used = ", ".join(filter(None, told))
        lines.append(f"- data {_escape(data.name or data.path)}: {_escape(used)}")
    lines += [f"- warning: {_escape(warning)}" for warning in result.warnings]
    if result.recipe.toml:
        lines += _fenced(result.recipe.toml, "toml")
    if result.stages:
        lines += ["", "| stage | took | peak MB | |", "|---|---|---|---|"]
        lines += [
            f"| {_escape(stage.name)} | {words.took(stage.seconds, cached=stage.cached)} | {words.mb(stage.peak_mb)} "
            f"| {_escape(stage.summary)} |"
            for stage in result.stages
        ]
    return lines


def _escape(text: str) -> str:
    """One line that only draws, in which nothing is a table's border, a tag or a link."""
    return _SPECIAL.sub(r"\\\g<0>", sanitize(text)).replace("<", "&lt;")


def _code(text: str) -> str:
    """A name in the letters of code."""
    return f"`{sanitize(text).replace('`', chr(39))}`"


def _fenced(text: str, language: str) -> list[str]:
    """Lines as they are, within a fence that they do not close."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    return ["", f"{fence}{language}", sanitize(text, keep="\n").strip(), fence]
