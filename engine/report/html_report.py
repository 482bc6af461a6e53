"""The report as one page: what to deploy, all figures with their intervals, charts, how it was measured, what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..advice import words
from ..advice.columns import Column, columns
from ..advice.sentences import verdict_sentence
from ..schema.plan import PlanFacts
from ..schema.result import Result
from . import charts, workload_charts
from .evidence import Evidence, said_of_samples
from .html import Row, code, figure, folded, listed, page, safe, table, tag
from .layer_table import precisions, times
from .method import INTERVALS, method
from .stamp_table import stamp_lines

_NOT_DONE = "what follows is what is known of it by now"


def html_report(told: Evidence) -> str:
    """The whole file."""
    return page(f"edgetui: {told.comparison.title}", _body(told))


def _body(told: Evidence) -> Iterator[str]:
    found = told.comparison
    yield tag("h1", found.title)
    yield from (f'<div class="alarm">{safe(text)}</div>' for text in _alarms(told))
    called = dict(zip(found.runs, found.columns, strict=True))
    sentences = [said for result in told.results if (said := verdict_sentence(result, called.get(result.run, "")))]
    yield from (tag("p", sentence, "lead") for sentence in sentences)
    yield tag("h2", "Advice")
    yield f'<div class="choice">{listed(found.advice)}</div>'
    yield tag("h2", "Figures")
    rows: list[Row] = [(row.label, row.cells, "detail" if row.kind == "detail" else "", row.tones) for row in found.rows]
    yield table("Baseline and candidates, each figure with its interval where it has one", ["", *found.columns], rows)
    shown = columns(told.results)
    yield figure(charts.ratios(shown), "Each candidate over its baseline; the bar is the interval.")
    yield figure(charts.pairs(shown), "Candidates that were measured together, over each other; the bar is the interval.")
    front = "the front is what no other beats on both, by its figures, intervals aside"
    if found.differs:
        front = f"no front, for the runs have different {', '.join(found.differs)}"
    yield figure(charts.front(found), f"Cost and quality of each column; {front}.")
    if found.latencies is not None:
        yield figure(charts.histograms(found.latencies), "How often an inference took how long; one axis for all.")
        box = "Box: quartiles; line: median; dot: mean; whiskers: the last inference within 1.5 times the box."
        yield figure(charts.boxes(found.latencies), box)
    yield from _workloads(told, shown)
    for result in told.results:
        yield from _run(told, result)
    yield tag("h2", "How it was measured")
    yield tag("p", INTERVALS)
    yield tag("h2", "Stamps")
    lines: list[Row] = [(name, values, "", ()) for name, values in stamp_lines(told.results)]
    yield table("The machine, what executed the plans, the data and the model", ["", *(r.run for r in told.results)], lines)
    yield tag("p", f"Written by edgetui {told.version}. Nothing in this page is fetched or executed.", "dim")


def _workloads(told: Evidence, shown: Sequence[Column]) -> Iterator[str]:
    yield figure(workload_charts.parts(shown), "What each part of a whole frame takes, on average.")
    yield figure(workload_charts.streams(shown), "Images a second and latency with each number of streams.")
    box = "Frames a second, real frames and interference apart; box: quartiles, line: median."
    yield figure(workload_charts.rates(told.comparison.frame_rates), box)
    for column in shown:
        yield figure(workload_charts.frames(column), f"{column.label}: 1 / own time of every frame, in the order of time.")
    passed = "What passes a threshold on the frame rate: a curve that leaves the diagonal tells real frames from interference."
    yield figure(workload_charts.roc(shown), passed)


def _alarms(told: Evidence) -> Iterator[str]:
    called = dict(zip(told.comparison.runs, told.comparison.columns, strict=True))
    for result in told.results:
        if result.fidelity.ruined:
            yield f"RUINED ({called.get(result.run, result.run)}): {result.fidelity.ruined}"
        if result.state != "done":
            what = f": {result.error.what}; {result.error.fix}" if result.error else ""
            yield f"{result.run} is {result.state}: {_NOT_DONE}{what}"
        for line in said_of_samples(told.recomputed_of(result.run))[0]:
            yield f"{result.run}: {line}"
    yield from told.comparison.warnings


def _run(told: Evidence, result: Result) -> Iterator[str]:
    again = told.recomputed_of(result.run)
    yield tag("h2", f"{result.recipe.name or 'run'}  {result.run}")
    if result.recipe.title:
        yield tag("p", result.recipe.title)
    if result.warnings:
        yield f'<div class="alarm">{listed(result.warnings)}</div>'
    for head, text in method(result):
        yield f"<p><strong>{safe(head)}.</strong> {safe(text)}</p>"
    if again is not None:
        yield figure(charts.blocks(again), "The mean of each block in the order of time.")
        yield figure(charts.power(again), "Power, the windows in which each plan ran alone, and the looks at the idle board.")
    stages: list[Row] = [
        (
            stage.name,
            (
                words.took(stage.seconds, cached=stage.cached),
                words.mb(stage.peak_mb),
                words.joules(stage.energy_j),
                stage.summary,
            ),
            "",
            (),
        )
        for stage in result.stages
    ]
    yield table("What each stage took", ["stage", "took", "peak MB", "energy", ""], stages)
    for plan in told.plans:
        if plan.run == result.run:
            yield from _layers(plan.side, plan.facts)
    yield tag("p", " ".join(said_of_samples(again)[1]), "dim")
    if result.recipe.toml:
        yield folded("Recipe", code(result.recipe.toml))
    missing: list[Row] = [(path, (why,), "", ()) for path, why in result.reasons.items()]
    yield folded(f"What is not known, and why ({len(missing)})", table("", ["figure", "why"], missing))


def _layers(side: str, facts: PlanFacts) -> Iterator[str]:
    yield tag("h3", f"Layers of the {side}'s plan")
    if facts.reason:
        yield tag("p", f"Not known here: {facts.reason}")
        return
    yield tag("p", f"{len(facts.layers)} layers: {precisions(facts.layers)}; {times(facts)}.")
    yield figure(charts.layers(facts), "The slowest layers, their share of the time, and what they compute in.")
