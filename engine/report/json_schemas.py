"""JSON Schemas (Draft 2020-12) of the documents that commands print, made from the values; they ship in `profiles/schemas`.

`python -m edgetui.engine.report.json_schemas` writes them anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..advice.compare import Comparison
from ..advice.forecast import Forecast
from ..advice.pareto import placed
from ..advice.spread import Spreads
from ..config import PACKAGE
from ..doctor.check import Health
from ..errors import UsageError, nearest
from ..library.setting_origins import Settings
from ..runs.board_queue import Waiting
from ..runs.trash import Deleted
from ..schema.dataset_probe import DatasetProbe
from ..schema.deployment import Deployment
from ..schema.failure import Failure
from ..schema.field_docs import docs_of
from ..schema.figures import Metrics
from ..schema.fleet import FleetOutcome, FleetStatus
from ..schema.model_facts import ModelFacts
from ..schema.plan import PlanFacts
from ..schema.result import Result
from ..schema.run_summary import Remarks, RunSummary
from ..schema.search import SearchDocument
from ..schema.sensitivity import Sensitivity
from ..schema.steps import Recipe
from ..schema.study_table import StudyListed, StudyTable, StudyTime
from ..schema.sweep import SweepListed, SweepReport, SweepTime
from ..telemetry.sample import Sample
from .run_export import Exported

FOLDER = PACKAGE / "profiles" / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{name}"


class RefusedDocument(Struct, frozen=True, kw_only=True):
    """What every command prints with --json where it fails."""

    error: Failure


class SeveralResults(Struct, frozen=True, kw_only=True):
    """Of several runs, as of a group."""

    runs: tuple[Result, ...]


class SeveralForecasts(Struct, frozen=True, kw_only=True):
    """Of several recipes."""

    runs: tuple[Forecast, ...]


class DeletedRuns(Struct, frozen=True, kw_only=True):
    """What `delete` removed."""

    deleted: tuple[str, ...]
    """Their ids."""


class RestoredRuns(Struct, frozen=True, kw_only=True):
    """What `restore` had back, and what is in the trash."""

    restored: tuple[str, ...]
    """Ids of runs."""
    trash: tuple[Deleted, ...]
    """What was deleted last comes first."""


class RemarkedRuns(Struct, frozen=True, kw_only=True):
    """What is written on runs."""

    remarks: dict[str, Remarks]
    """By a run's id."""


class Document(Struct, frozen=True, kw_only=True):
    """One kind of document."""

    kind: Any
    """The type of its value."""
    printed_by: tuple[str, ...]
    """Commands, each with --json; `monitor` prints one a line."""


DOCUMENTS: dict[str, Document] = {
    "result": Document(kind=Result, printed_by=("run", "build", "show", "watch", "cancel", "resume")),
    "results": Document(kind=SeveralResults, printed_by=("run", "watch", "cancel", "resume")),
    "forecast": Document(kind=Forecast, printed_by=("run --dry-run",)),
    "forecasts": Document(kind=SeveralForecasts, printed_by=("run --dry-run",)),
    "comparison": Document(kind=Comparison, printed_by=("compare", "demo")),
    "runs": Document(kind=tuple[RunSummary, ...], printed_by=("runs",)),
    "deployment": Document(kind=Deployment, printed_by=("deploy",)),
    "queue": Document(kind=Waiting, printed_by=("queue",)),
    "restored": Document(kind=RestoredRuns, printed_by=("restore",)),
    "remarks": Document(kind=RemarkedRuns, printed_by=("tag", "note")),
    "deleted": Document(kind=DeletedRuns, printed_by=("delete",)),
    "metrics": Document(kind=Metrics, printed_by=("bench",)),
    "model": Document(kind=ModelFacts, printed_by=("inspect MODEL",)),
    "dataset": Document(kind=DatasetProbe, printed_by=("dataset",)),
    "plan": Document(kind=PlanFacts, printed_by=("inspect PLAN", "inspect RUN")),
    "latencies": Document(kind=Spreads, printed_by=("show --latencies",)),
    "sensitivity": Document(kind=Sensitivity, printed_by=("sensitivity",)),
    "study": Document(kind=StudyTable, printed_by=("study NAME", "study NAME --on")),
    "search": Document(kind=SearchDocument, printed_by=("search MODEL",)),
    "study_time": Document(kind=StudyTime, printed_by=("study --dry-run",)),
    "studies": Document(kind=tuple[StudyListed, ...], printed_by=("study",)),
    "sweep": Document(kind=SweepReport, printed_by=("sweep", "show", "cancel", "resume")),
    "sweep_time": Document(kind=SweepTime, printed_by=("sweep --dry-run",)),
    "sweeps": Document(kind=tuple[SweepListed, ...], printed_by=("sweep without a name",)),
    "fleet": Document(kind=FleetStatus, printed_by=("fleet up", "fleet down", "fleet status")),
    "fleet_runs": Document(kind=FleetOutcome, printed_by=("run --on", "search --on", "sweep --on")),
    "exported": Document(kind=Exported, printed_by=("export",)),
    "sample": Document(kind=Sample, printed_by=("monitor",)),
    "health": Document(kind=Health, printed_by=("doctor", "fleet doctor")),
    "recipes": Document(kind=tuple[Recipe, ...], printed_by=("recipes",)),
    "settings": Document(kind=Settings, printed_by=("config",)),
    "error": Document(kind=RefusedDocument, printed_by=("any command that fails",)),
}
"""A document that a command prints is a row here."""


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one of DOCUMENTS. Fields that are not there have their default: an older version did not know them."""
    document = DOCUMENTS[name]
    point = type(placed("", "", {}))  # its axes come from the table of metrics
    (found, _), parts = msgspec.json.schema_components((document.kind, point), ref_template=_REF)
    if "ParetoPoint" in parts:
        parts["ParetoPoint"] = parts[point.__name__] | {
            "title": "ParetoPoint",
            "description": parts["ParetoPoint"]["description"],
        }
    parts.pop(point.__name__, None)
    for kind in _structs(document.kind):
        _describe(parts, kind)
    said = f"Printed by {', '.join(f'`{each}`' for each in document.printed_by)}, with --json."
    return {"$schema": DRAFT, "title": f"edgetui {name}", "description": said, **found, "$defs": dict(sorted(parts.items()))}


def _describe(parts: dict[str, Any], kind: type[Struct]) -> None:
    """Put the sentence below each field into its schema."""
    part = parts.get(kind.__name__, {})
    docs = docs_of(kind)
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    for name, encoded in names.items():
        told = part.get("properties", {}).get(encoded, {})
        if docs.get(name):
            told["description"] = docs[name]
        if isinstance(told.get("default"), dict) and "$ref" in told:
            del told["default"]  # of a value that has defaults of its own, which stand with it
    if part and docs[""]:
        part["description"] = " ".join(docs[""].split())  # Python 3.13 strips what 3.12 keeps of its indentation


def _structs(kind: object, seen: set[object] | None = None) -> Iterator[type[Struct]]:
    """Every struct within a type."""
    seen = set() if seen is None else seen
    todo = [msgspec.inspect.type_info(kind)]
    while todo:
        info = todo.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            yield info.cls
            todo += [field.type for field in info.fields]
        for name in ("types", "item_types"):
            todo += getattr(info, name, ())
        todo += [inner for name in ("item_type", "key_type", "value_type", "type") if (inner := getattr(info, name, None))]


def written(name: str) -> str:
    """The file of a schema."""
    return msgspec.json.format(msgspec.json.encode(schema_of(name)), indent=1).decode() + "\n"


def shipped(name: str) -> str:
    """A schema as it ships.

    Raises:
        UsageError: there is no such document.
    """
    if name not in DOCUMENTS:
        raise UsageError(f"there is no document `{name}`", fix=nearest(name, tuple(DOCUMENTS)))
    return path_of(name).read_text(encoding="utf-8")


def path_of(name: str) -> Path:
    """Where a schema ships."""
    return FOLDER / f"{name}.json"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in DOCUMENTS:
        path_of(each).write_text(written(each), encoding="utf-8")
