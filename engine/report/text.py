"""Reports as plain text for a terminal: a run, a comparison, a model's facts, the list of runs.

Each takes the terminal's width and a `paint`, and returns lines without a newline at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from ..advice import words
from ..advice.columns import Column, columns
from ..advice.compare import Comparison
from ..advice.forecast import Forecast
from ..advice.metrics import listed
from ..advice.pareto import AXES
from ..advice.rows import TableRow, rows
from ..advice.sentences import intervals_words, verdict_sentence
from ..advice.verdict import RUINED, tone
from ..schema.figures import Metrics
from ..schema.model_facts import ModelFacts, TensorFacts
from ..schema.result import Result
from ..schema.stamps import BackendStamp
from .method import calibrated_with
from .spread_table import spread_report
from .table import GAP, Paint, paragraph, plain
from .width import width_of

if TYPE_CHECKING:
    from ..schema.run_summary import RunSummary

BARS = " ▁▂▃▄▅▆▇█"
INDENT = "  "
ID_ROOM = 34
"""Columns for a run's id in the list, where there are fewer than it is long."""
RUNS_LAST = ("took", "accuracy")
"""Columns of the list that others go before; the time ratio never goes."""
LABEL_COLUMNS, COLUMN_COLUMNS = 22, 19
"""Least room on the terminal for a row's label and for a cell before it is wrapped too often to be read."""


def run_report(result: Result, width: int, paint: Paint = plain) -> str:
    """One run: what it was, the verdict, the table, what it cost, and what to know before trusting it."""
    parts = [paint(f"{result.run}  {result.state}", "head"), *_stamps(result, width)]
    if result.error:
        where = f"in stage {result.error.stage}: " if result.error.stage else ""
        parts += ["", paint(paragraph(f"{where}{result.error.what}; {result.error.fix}", width), "worse")]
    parts += _findings(result, width, paint)
    if result.stages:
        parts += ["", _stages(result, width, paint)]
    if result.artifacts:
        longest = max(map(len, result.artifacts))
        parts += ["", *(f"{word:<{longest}}  {path}" for word, path in result.artifacts.items())]
    return "\n".join(parts + warning_lines(result, width, paint))


def ending_report(result: Result, width: int, paint: Paint = plain) -> str:
    """What `run` prints below the stages that it has shown already; short, so that the verdict stays on a small screen."""
    parts = [*_findings(result, width, paint)[1:], *warning_lines(result, width, paint)]
    plans = [(word, path) for word in ("plan", "guard_plan") if (path := result.artifacts.get(word))]
    parts += ["", *(f"{word.replace('_', ' ')}  {path}" for word, path in plans), f"more  edgetui show {result.run}"]
    return "\n".join(parts)


def _findings(result: Result, width: int, paint: Paint) -> list[str]:
    """The verdict in words, then the table; an empty line before each."""
    parts = ["", *ruin_lines(result, width, paint)] if result.fidelity.ruined else []
    verdict = verdict_sentence(result)
    if verdict:
        parts += ["", paint(paragraph(verdict, width), "accent")]
    shown = columns([result])
    lines = rows(shown)
    if lines:
        parts += ["", figures([column.label for column in shown], lines, width, paint)]
    return parts


def ruin_lines(result: Result, width: int, paint: Paint = plain) -> list[str]:
    """What must be seen before all else: that the outputs are ruined. Nothing where they are not."""
    return [paint(paragraph(f"!! {result.fidelity.ruined}", width), "worse")] if result.fidelity.ruined else []


def warning_lines(result: Result, width: int, paint: Paint = plain) -> list[str]:
    """All warnings but what stands above the verdict."""
    others = (warning for warning in result.warnings if warning != result.fidelity.ruined)
    return [paint(paragraph(f"! {warning}", width), "worse") for warning in others]


def executed_with(backend: BackendStamp) -> list[str]:
    """Its version and settings, as far as they are not usual."""
    found = [
        f"{backend.name} {backend.version}",
        f"{backend.mode} on {backend.device}{', TF32' if backend.tf32 else ''}" if backend.mode else "",
        f"{backend.threads} thread{'' if backend.threads == 1 else 's'}" if backend.threads else "",
        f"graph {backend.graph}" if backend.graph not in ("", "all") else "",
    ]
    return list(filter(None, found))


def _stamps(result: Result, width: int) -> list[str]:
    """Model, recipe, data, board and backend, a line each."""
    board, backend, data = result.board, result.backend, result.dataset
    found = []
    if result.model:
        found.append(("model", f"{result.model.name}  {words.count(result.model.parameters)} parameters"))
    found.append(("recipe", f"{result.recipe.name}  {result.recipe.title}".rstrip()))
    if data:
        used = [
            f"{data.evaluated} to evaluate{f' ({data.evaluation})' if data.evaluation else ''}" if data.evaluated else "",
            calibrated_with(data),
        ]
        skipped = f"{data.skipped} broken files passed over" if data.skipped else ""
        found.append(("data", "  ".join([data.name or data.path, ", ".join(filter(None, [*used, skipped]))])))
    if backend.name:
        parts = [*executed_with(backend), f"preset {result.preset}, {result.workload_text or result.workload}"]
        found.append(("backend", "  ".join(parts)))
        if own := result.candidate_backend:
            found.append(("", f"the candidate: {'  '.join(executed_with(own))}"))
    if result.trained_on:
        found.append(("trained", f"on {result.trained_on}: what learns was done there"))
    if board.name or board.cpu:
        power = [board.power_mode or "", f"clocks {board.clocks}" if board.clocks else "", board.os]
        found.append(("board", "  ".join(filter(None, [board.name, board.cpu, *power]))))
    if intervals := intervals_words(result):
        found.append(("ratios", intervals))
    if board.busy:
        busy = Counter(board.busy)
        found.append(("busy", ", ".join(name if many == 1 else f"{name} ({many})" for name, many in busy.items())))
    return [paragraph(f"{label:<8} {text}", width) for label, text in found]


def _stages(result: Result, width: int, paint: Paint) -> str:
    head = ("stage", "took", "peak MB", "")
    lines = [
        (
            stage.name,
            words.took(stage.seconds, cached=stage.cached),
            words.mb(stage.peak_mb),
            stage.summary,
        )
        for stage in result.stages
    ]
    tones = [("dim",) * 4, *((("", "", "", "dim"),) * len(lines))]
    return paint.table([head, *lines], width=width, right={1, 2}, tones=tones, heads=True)


def figures(names: Sequence[str], lines: Sequence[TableRow], width: int, paint: Paint = plain) -> str:
    """The rows of a comparison below the names of its columns; columns that do not fit follow below, the first one again."""
    room = max(2, (width - LABEL_COLUMNS) // COLUMN_COLUMNS)
    blocks: list[list[int]] = []
    rest = list(range(1, len(names)))
    while rest or not blocks:
        blocks.append([0, *rest[: room - 1]])
        rest = rest[room - 1 :]
    return "\n\n".join(_block(block, names, lines, width, paint) for block in blocks)


def fitted(names: Sequence[str], lines: Sequence[TableRow], width: int, again: Sequence[int], paint: Paint = plain) -> str:
    """As `figures`, with as many columns side by side as fit without a wrapped cell; each table begins with `again`."""
    wide = [GAP + max(width_of(name), *(width_of(row.cells[n]) for row in lines)) for n, name in enumerate(names)]
    label = max(width_of(INDENT + row.label if row.kind == "detail" else row.label) for row in lines)
    left = width - min(label, width // 2) - sum(wide[n] for n in again)
    blocks: list[list[int]] = [[]]
    for n in range(len(names)):
        if n not in again:
            if blocks[-1] and sum(wide[place] for place in (*blocks[-1], n)) > left:
                blocks.append([])
            blocks[-1].append(n)
    return "\n\n".join(_block([*again, *block], names, lines, width, paint) for block in blocks)


def _block(block: Sequence[int], names: Sequence[str], lines: Sequence[TableRow], width: int, paint: Paint) -> str:
    """One table of some of the columns."""
    shown: list[tuple[str, ...]] = [("", *(names[n] for n in block))]
    tones: list[tuple[str, ...]] = [("", *("head" for _ in block))]
    for row in lines:
        detail = row.kind == "detail"
        shown.append(((INDENT if detail else "") + row.label, *(row.cells[n] for n in block)))
        tones.append(("dim", *(row.tones[n] or ("dim" if detail else "") for n in block)))
    return paint.table(shown, width=width, tones=tones, heads=True)


def metrics_report(name: str, metrics: Metrics, width: int, paint: Paint = plain) -> str:
    """What `bench` prints: one model or plan by itself."""
    return figures([name], rows([Column(name, metrics, Result(run="", state="done"), candidate=False)]), width, paint)


def comparison_report(found: Comparison, width: int, paint: Paint = plain) -> str:
    """Runs side by side, how their latencies spread where that was asked, then the advice."""
    advice = [paragraph(sentence, width, INDENT) for sentence in found.advice]
    warned = [paint(paragraph(f"! {line}", width), "worse") for line in found.warnings]
    front = [point.label for point in found.points if point.front]
    parts = [paint(f"Compare  {found.title}", "head"), "", figures(found.columns, found.rows, width, paint), ""]
    if found.latencies is not None and any(column.n for column in found.latencies.columns):
        parts += [spread_report(found.latencies, width, paint), ""]
    if front:
        names = [metric.axis.name for key in found.axes if (metric := AXES[key]).axis]
        told = f"On the front of {words.listed(names)}: {', '.join(front)}. It goes by the figures, intervals aside."
        parts += [paragraph(told, width), ""]
    return "\n".join([*parts, *warned, paint("Advice", "head"), *advice])


def facts_report(facts: ModelFacts, width: int, paint: Paint = plain) -> str:
    """What `inspect` prints."""
    zeros = (facts.parameters - facts.nonzero) / facts.parameters if facts.parameters else None
    operators = "  ".join(f"{name} {count}" for name, count in facts.operators.items())
    foreign = "".join(f" + {name} {version}" for name, version in facts.domains.items())
    pairs = [
        ("size", words.size(facts.size_bytes)),
        ("opset", f"{facts.opset}{foreign}  IR {facts.ir_version}" + (f"  from {facts.producer}" if facts.producer else "")),
        (
            "parameters",
            f"{words.count(facts.parameters)}, {words.count(facts.prunable)} of them weights that steps act on"
            + (f", {words.count(facts.tables)} in tables of tokens, which quantization alone does" if facts.tables else ""),
        ),
        ("zeros", words.percent(zeros)),
        ("MACs", words.count(facts.macs) if facts.macs is not None else words.dash("a shape is not known")),
        *(("input", _tensor(tensor, facts.shapes)) for tensor in facts.inputs),
        *(("output", _tensor(tensor, {})) for tensor in facts.outputs),
        ("operators", operators),
    ]
    if any(facts.histogram):
        pairs.append(("weights", f"{facts.histogram_low:.2g} {_bars(facts.histogram)} {facts.histogram_high:.2g}"))
    pairs += [("needs", f"a size for each ?: --shape {axis}") for axis in facts.open_axes]
    for backend, refusals in facts.refusals.items():
        pairs += [(backend, f"refuses: {refusal}") for refusal in refusals] or [(backend, words.reads(facts, backend))]
    if facts.quantized:
        pairs.append(("quantized", "has QuantizeLinear nodes already"))
    return "\n".join([paint(facts.name, "head"), paint.table(pairs, width=width, tones=[("dim", "")] * len(pairs))])


def _tensor(tensor: TensorFacts, shapes: dict[str, tuple[int, ...]]) -> str:
    shape = ", ".join("?" if size is None else str(size) for size in tensor.shape)
    run_at = shapes.get(tensor.name)
    settled = f"  run as {'x'.join(map(str, run_at))}" if run_at and run_at != tensor.shape else ""
    return f"{tensor.name}  {tensor.dtype} [{shape}]{settled}"


def _bars(counts: Sequence[int], wide: int = 32) -> str:
    """A histogram in one line; the root of the count, so that the tails show."""
    step = max(1, -(-len(counts) // wide))
    sums = [sum(counts[n : n + step]) for n in range(0, len(counts), step)]
    top = max(sums) ** 0.5
    return "".join(BARS[ceil((len(BARS) - 1) * value**0.5 / top)] for value in sums)


def forecast_report(found: Forecast, width: int, paint: Paint = plain) -> str:
    """What will happen, as the screen's box of that name has it."""
    after = f" → about {words.size(found.size_after_bytes)}" if found.size_after_bytes is not None else ""
    free = f" of {words.mb(found.memory_free_mb)} MB free" if found.memory_free_mb is not None else ""
    runs = f"{found.history} run{'' if found.history == 1 else 's'} like it on this board"
    pairs = [
        ("size", words.size(found.size_bytes) + after),
        ("memory", f"needs about {words.mb(found.memory_need_mb)} MB{free}"),
        (
            "time",
            f"about {words.seconds(found.seconds)} ({runs})"
            if found.seconds is not None
            else "not known (first run of its kind)",
        ),
        *([("measuring", found.measuring)] if found.measuring else []),
        ("backend", found.backend),
        ("data", found.data),
    ]
    first = [paint("✗ this would be refused:", "bad")] if found.errors else []
    first += [paint(paragraph(f"! {line}", width), "bad") for line in found.errors]
    first += [paint(paragraph(f"! {line}", width), "worse") for line in found.serious]
    remarks = [paint(paragraph(f"· {line}", width), "dim") for line in found.remarks]
    return "\n".join([*first, paint.table(pairs, width=width, tones=[("dim", "")] * len(pairs)), *remarks])


def runs_report(runs: Sequence[RunSummary], width: int, paint: Paint = plain) -> str:
    """The list of runs, newest first."""
    if not runs:
        return "no runs yet: `edgetui run MODEL --recipe R`, or `edgetui demo`"
    columns = [each for each in listed() if each.wanted(run.difference for run in runs)]
    tagged = any(run.tags for run in runs)
    shown: list[tuple[str, ...]] = [("run", "state", *(each.column.head for each in columns), "took", *(["tags"] * tagged))]
    many = len(shown[0])
    tones: list[tuple[str, ...]] = [("dim",) * many]
    for run in runs:
        state = f"{run.state} in {run.stage}" if run.stage and run.state != "done" else run.state
        if run.waiting_for and run.state == "queued":
            state = f"queued {'after' if run.waits_for_end else 'behind'} {run.waiting_for}"
        ruined = run.verdict.get("outputs") == RUINED
        state = f"{state}, outputs ruined" if ruined else state
        told = [each.text(run.difference) for each in columns]
        shown.append((run.run, state, *told, words.seconds(run.took_s), *([" ".join(run.tags)] * tagged)))
        bad = ruined or run.state in ("failed", "crashed")
        keys = [each.of(run.difference)[0].key for each in columns]
        tones.append(
            ("", "worse" if bad else "", *(tone(run.verdict.get(key, "")) for key in keys), "dim", *(["accent"] * tagged))
        )
    kept = _columns_kept(shown, width)
    right = [kept.index(n) for n in range(2, many - tagged) if n in kept]
    chosen = [[row[n] for n in kept] for row in shown]
    return paint.table(chosen, width=width, tones=[[row[n] for n in kept] for row in tones], right=right, heads=True)


def _columns_kept(shown: Sequence[Sequence[str]], width: int) -> list[int]:
    """Columns that leave an id its room: at 80 columns all of them broke it into five lines. The least important goes first."""
    heads = shown[0]
    kept = list(range(len(heads)))
    needed = [max(width_of(row[n]) for row in shown) for n in kept]
    needed[0] = min(needed[0], ID_ROOM)
    leave = ["tags", *(head for head in reversed(heads[2:]) if head not in ("tags", "time ratio", *RUNS_LAST)), *RUNS_LAST]
    for head in leave:
        if sum(needed[n] + GAP for n in kept) - GAP > width and head in heads:
            kept.remove(heads.index(head))
    return kept
