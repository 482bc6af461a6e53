"""The rows of the settings pane: each names what it edits by a key, and knows how it is drawn and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from ...engine.spec import STEPS, AnyStep, BackendSettings, FlatOut, Paced, Preset
from ..draft import Asked, Draft, RunFields, active_fields, backend_fields, backend_table
from ..fields import NONE, Field, docs_of, fields_of, shown
from ..widgets.lines import Line, Span

if TYPE_CHECKING:
    from ...engine.result import ModelFacts

LABEL = 20
NO_DATA = "   ← → chooses, enter types a path"
BAR = 10
PRESET_WORDS = {"quick": "±10 % at 95 %", "normal": "±5 % at 95 %", "precise": "±1 % at 95 %"}
RUN_FIELDS = {field.name: field for field in fields_of(RunFields)}
PRESETS: tuple[Preset, ...] = get_args(Preset)


def settings_rows(
    draft: Draft, facts: ModelFacts | None, cursor: str, entry: Line | None, method: str
) -> list[tuple[str, Line]]:
    """All rows, each with its key. `entry` is what is typed on the cursor's row; `method` the step that would be added."""
    asked = draft.asked

    def row(key: str, name: str, value: str, extra: Sequence[Span] = (), *, choose: bool = False) -> tuple[str, Line]:
        here = key == cursor
        if here and entry is not None:
            return key, ((f"{name:<{LABEL}}", "accent"), *entry)
        body: Line = ((value, "value"),)
        if here and choose:
            body = (("‹ ", "accent"), (value, "value"), (" ›", "accent"))
        return key, ((f"{name:<{LABEL}}", "dim"), *body, *extra)

    edited: list[Span] = [("  * edited" if draft.named_as_a_file else "  * not saved", "warn")] if draft.edited else []
    rows = [
        row("recipe", "recipe", asked.recipe.name or NONE, edited, choose=True),
        row("run:dataset", "data", asked.dataset or NONE, () if asked.dataset else [(NO_DATA, "dim")], choose=True),
    ]
    for index, step in enumerate(asked.recipe.step):
        rows += [("", ()), _step_row(index, step)]
        for field in active_fields(step) if step.on else ():
            value = getattr(step, field.name)
            rows.append(
                row(
                    f"field:{index}:{field.name}",
                    f"   {_words(field.name)}",
                    shown(value),
                    _bar(field, value),
                    choose=_chooses(field),
                )
            )
    rows.append(("", ()))
    rows.append(row("add", "+ add a step", method if cursor == "add" else "", choose=True))
    rows += [("", ()), ("", (("the run", "title"),))]
    rows.append(row("run:calibration", "calibration", asked.calibration or "as data", choose=True))
    rows.append(row("run:preset", "preset", asked.preset, [(f"   {PRESET_WORDS[asked.preset]}", "dim")], choose=True))
    rows.append(row("run:workload", "workload", workload_words(asked), choose=True))
    for tensor in facts.inputs if facts else ():
        if any(not isinstance(axis, int) for axis in tensor.shape):
            given = draft.shape_text(facts.path if facts else "", tensor.name)
            settled = "x".join(str(n) for n in facts.shapes.get(tensor.name, ())) if facts else ""
            rows.append(row(f"shape:{tensor.name}", f"shape {tensor.name}"[: LABEL - 1], given or settled or "?"))
    for name, field in backend_fields(asked.backend).items():
        value = backend_value(asked.backend, name)
        text = "one a core" if field.name == "threads" and value == 0 else shown(value)
        label = "backend" if name == "name" else _words(field.name)[: LABEL - 1]
        rows.append(row(f"backend:{name}", label, text, choose=_chooses(field)))
    return rows


def _step_row(index: int, step: AnyStep) -> tuple[str, Line]:
    state: Span = ("[on] ", "good") if step.on else ("[off]", "dim")
    return f"step:{index}", (
        (f"{index + 1}  ", "dim"),
        (f"{step.method:<{LABEL - 4}} ", "title" if step.on else "dim"),
        state,
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _chooses(field: Field) -> bool:
    return field.kind in ("choice", "switch", "share", "whole", "number")


def _bar(field: Field, value: object) -> list[Span]:
    """A share as ten small marks."""
    if field.kind != "share" or not isinstance(value, float | int):
        return []
    full = round(value * BAR)
    return [("   ", ""), ("▰" * full, "accent"), ("▱" * (BAR - full), "dim")]


def backend_value(backend: BackendSettings, name: str) -> object:
    """A setting by the name that `backend_fields` gives it."""
    table, key = backend_table(backend, name)
    return getattr(table, key)


def workload_words(asked: Asked) -> str:
    """`flat-out`, `paced 30 Hz`."""
    return f"paced {asked.workload.rate_hz:g} Hz" if isinstance(asked.workload, Paced) else "flat-out"


def field_at(draft: Draft, key: str) -> tuple[int, Field] | None:
    """The step and field that a row edits; None for other rows."""
    kind, _, rest = key.partition(":")
    if kind != "field":
        return None
    index, name = rest.split(":")
    step = draft.recipe.step[int(index)]
    return int(index), next(field for field in fields_of(type(step)) if field.name == name)


def help_of(draft: Draft, key: str, method: str) -> str:
    """What the row under the cursor means: the sentences of the source."""
    kind, _, rest = key.partition(":")
    if kind == "recipe":
        return draft.recipe.title or "Which recipe to start from: ← → choose one, then change what you like."
    if kind == "step":
        return docs_of(type(draft.recipe.step[int(rest)]))[""] + "  Space: on or off.  [ ]: move.  x: remove."
    if kind == "field":
        index, name = rest.split(":")
        return docs_of(type(draft.recipe.step[int(index)])).get(name, "").replace("None:", f"{NONE}:")
    if kind == "add":
        return f"← → choose, enter adds.  {docs_of(STEPS[method])['']}"
    if kind == "run":
        return docs_of(RunFields).get(rest, "")
    if kind == "shape":
        return "The shape that this input shall have, e.g. 1x3x224x224. The batch is 1 where nothing is said."
    if kind == "backend":
        table, key = backend_table(draft.asked.backend, rest)
        return docs_of(type(table)).get(key, "") or "What builds and executes the model; `edgetui doctor` says which work here."
    return ""


def next_workload(asked: Asked, by: int) -> str:
    """The workload beside this one."""
    rates = ("flat-out", "paced 10", "paced 15", "paced 30", "paced 60")
    now = "flat-out" if isinstance(asked.workload, FlatOut) else f"paced {asked.workload.rate_hz:g}"
    at = rates.index(now) if now in rates else 0
    return rates[(at + by) % len(rates)]
