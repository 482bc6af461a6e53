"""Runs logged to MLflow, where it is installed: what was asked as parameters, all figures as metrics, the report as artifacts.

The only file that knows it, inside functions. What is not known is not logged: a metric of 0 would be a figure.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ..errors import StorageRefused
from ..schema.result import Result
from .evidence import Evidence
from .flat import leaves
from .sanitize import sanitize
from .stamp_table import stamp_lines

EXPERIMENT = "edgetui"
SIDES = ("baseline", "candidate", "guard", "difference", "fidelity", "payback")
_ODD = re.compile(r"[^\w\-. /]")
"""What names may not hold there."""
_LONGEST = 250
"""Of a parameter's value; servers before 2.10 take no more."""
_AT_ONCE = 100
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own seven take four minutes where nobody listens
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing is sent anywhere but where it was asked to
}


def refuse_without_mlflow() -> None:
    """Before anything is written.

    Raises:
        StorageRefused: mlflow is not installed.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow  # noqa: F401
    except ImportError:
        raise StorageRefused(
            "mlflow is not installed for this interpreter", fix="`pip install 'edgetui[mlflow]'`, or leave --mlflow out"
        ) from None


def log_runs(told: Evidence, folder: Path, uri: str) -> tuple[str, ...]:
    """Log each run into the experiment `edgetui` at `uri`; returns their ids there. `folder` is the exported one.

    Raises:
        StorageRefused: the server does not answer, or refuses them.
    """
    refuse_without_mlflow()
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where a run can be looked at, with the address and its password
            return _log_all(MlflowClient(tracking_uri=uri), told, folder)
    except (MlflowException, OSError) as error:
        why = sanitize(str(error)).replace(uri, without_password(uri))[:300]
        raise StorageRefused(
            f"mlflow at {without_password(uri)} did not take the runs ({why})",
            fix=f"check the address, and that its server runs; the report is in {folder}",
        ) from None


def _log_all(client: Any, told: Evidence, folder: Path) -> tuple[str, ...]:  # noqa: ANN401
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = client.create_experiment(EXPERIMENT) if found is None else found.experiment_id
    return tuple(_log(client, experiment, result, folder) for result in told.results)


def without_password(uri: str) -> str:
    """The address as it may be shown."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(uri)
        if "@" in parts.netloc:
            return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return uri


def _log(client: Any, experiment: str, result: Result, folder: Path) -> str:  # noqa: ANN401
    from mlflow.entities import Metric, Param, RunTag

    run = client.create_run(experiment, run_name=result.run).info.run_id
    try:
        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, value, now_ms, 0) for name, value in metrics_of(result)]
        params = [Param(name, value) for name, value in params_of(result)]
        tags = [RunTag(f"verdict.{_name(metric)}", word) for metric, word in result.verdict.items()]
        for some in _batches(metrics):
            client.log_batch(run, metrics=some)
        for some in _batches(params):
            client.log_batch(run, params=some)
        client.log_batch(run, tags=tags[:_AT_ONCE])
        below = folder / "runs" / Path(result.run).name
        own = below if below.is_dir() else folder
        client.log_artifacts(run, str(own))
        if own != folder:
            client.log_artifact(run, str(folder / "report.html"))
        client.set_terminated(run, "FINISHED" if result.state == "done" else "FAILED")
    except BaseException:
        with contextlib.suppress(Exception):
            client.set_terminated(run, "FAILED")
        raise
    return str(run)


def metrics_of(result: Result) -> Iterator[tuple[str, float]]:
    """Every figure that is known, by its path in the document."""
    plain = msgspec.to_builtins(result)
    for side in SIDES:
        for path, value in leaves(plain.get(side), side):
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield _name(path), float(value)


def params_of(result: Result) -> Iterator[tuple[str, str]]:
    """What was asked, and in which state it was measured."""
    asked = {
        "run": result.run,
        "recipe": result.recipe.name,
        "preset": result.preset,
        "workload": result.workload_text or result.workload,
    }
    yield from ((name, value[:_LONGEST]) for name, value in asked.items())
    for name, (value,) in stamp_lines([result]):
        if value != "–":
            yield _name(name.replace(": ", ".").replace(" ", "_")), sanitize(value)[:_LONGEST]


def _name(text: str) -> str:
    return _ODD.sub("_", text)[:_LONGEST]


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    yield from (values[n : n + _AT_ONCE] for n in range(0, len(values), _AT_ONCE))
