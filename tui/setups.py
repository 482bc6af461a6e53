"""Runs as they would be asked for: what is edited on the screen, as the engine wants it, and an earlier run as what is edited.

Apart from `link.py`, which asks the engine.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine.config import Config, config_home
from ..engine.errors import ModelRefused
from ..engine.schema.settings import BackendSettings

if TYPE_CHECKING:
    from ..engine.api import Engine, SensitivityQuestion
    from ..engine.schema.search import Over
    from ..engine.schema.spec import Dataset, RunSpec
    from ..engine.schema.step import Step
    from ..engine.schema.steps import Recipe
    from .draft import RunSetup


class Setups(ABC):
    """Whoever has an engine and its configuration."""

    config: Config

    def __init__(self) -> None:
        self._known: dict[str, Dataset] = {}
        """Datasets of earlier runs that edgetui.toml does not name."""

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine."""

    def dataset_names(self) -> tuple[str, ...]:
        """Names to choose from: those of edgetui.toml, those that runs of this session used, and files of your own."""
        own = sorted(str(path) for path in descriptions().glob("*.toml"))
        return tuple(dict.fromkeys((*self.config.datasets, *self._known, *own)))

    def check_dataset(self, text: str) -> None:
        """See whether a dataset can be read.

        Raises:
            DataRefused: it cannot; says why.
        """
        self._dataset(text)

    def described(self, text: str) -> Dataset:
        """What is known of data by their path or name: of an earlier run's those that it had.

        Raises:
            DataRefused: there are none; says why.
        """
        return self._known.get(text) or self.engine.dataset_parts(text)

    def _dataset(self, text: str) -> Dataset | None:
        if not text:
            return None
        return self._known.get(text) or self.engine.dataset(text)

    def first_setup(self, recipes: Sequence[Recipe]) -> RunSetup:
        """What a new run starts from: the defaults of edgetui.toml."""
        from ..engine.schema.steps import Recipe
        from .draft import RunSetup

        chosen = self.config.defaults
        recipe = next((r for r in recipes if r.name == chosen.recipe), recipes[0] if recipes else Recipe())
        own = self.config.backend.onnxruntime
        backend = BackendSettings(name=chosen.backend, threads=own.threads, graph=own.graph, **self._own_tables())
        return RunSetup(recipe=recipe, dataset=chosen.dataset, preset=chosen.preset, backend=backend)

    def _own_tables(self) -> dict[str, Any]:
        """Tables of edgetui.toml that a backend's settings hold as they are."""
        known = {field.name for field in msgspec.structs.fields(BackendSettings)}
        return {name: getattr(self.config.backend, name) for name in known & set(self.config.backend.__struct_fields__)}

    def setup_of(self, spec: RunSpec) -> dict[str, object]:
        """What an earlier run asked, as fields of `RunSetup`, so that it can be changed and run again."""
        names = []
        for data in (spec.dataset, spec.calibration):
            name = "" if data is None else data.name or data.path
            if data is not None and name not in self.config.datasets:
                self._known[name] = data
            names.append(name)
        return {
            "recipe": spec.recipe,
            "dataset": names[0],
            "calibration": names[1],
            "preset": spec.preset,
            "workload": spec.workload,
            "per_input": spec.per_input,
            "guard": spec.guard,
            "backend": spec.backend,
            "shapes": {spec.model: spec.shapes} if spec.shapes else {},
        }

    def spec(self, setup: RunSetup, model: str) -> RunSpec:
        """The run as the engine wants it.

        Raises:
            DataRefused: a dataset is missing or cannot be read.
            ModelRefused: the model has a name that cannot be written down.
        """
        from ..engine.schema.spec import RunSpec

        return RunSpec(
            model=str(utf8(model)),
            recipe=setup.recipe,
            backend=setup.backend,
            dataset=self._dataset(setup.dataset),
            calibration=self._dataset(setup.calibration),
            workload=setup.workload,
            per_input=setup.per_input,
            guard=setup.guard,
            preset=setup.preset,
            shapes=setup.shapes.get(model, {}),
        )

    async def search_spec(self, setup: RunSetup, model: str, over: Over) -> RunSpec:
        """What a search for this model begins with: the step whose settings it takes, of the recipe that is edited if that has
        it, else of one that ships.

        Raises:
            EdgetuiError: as `spec`.
        """
        from ..engine.library.recipes import find_recipe
        from ..engine.schema.steps import PruneChannels, QuantizeInt8

        kind, name = (PruneChannels, "channels-25") if over == "channels" else (QuantizeInt8, "int8")
        step = next((each for each in setup.recipe.active if isinstance(each, kind)), None)
        found = find_recipe(name, self.engine.config)
        recipe = found if step is None else msgspec.structs.replace(found, step=(step,))
        spec = await asyncio.to_thread(self.spec, setup, model)
        return msgspec.structs.replace(spec, recipe=recipe, guard=False, per_input=0)

    def question(self, setup: RunSetup, model: str, step: Step, over: str, made_up: bool) -> SensitivityQuestion:
        """What is asked of one step alone.

        Raises:
            EdgetuiError: as `spec`.
        """
        from ..engine.api import SensitivityQuestion
        from ..engine.schema.steps import Recipe

        spec = msgspec.structs.replace(self.spec(setup, model), recipe=Recipe(name=step.method, step=(step,)))
        return SensitivityQuestion(spec=spec, over=over, made_up=made_up)


def descriptions() -> Path:
    """Where descriptions of datasets are written that have no other place."""
    return config_home() / "datasets"


def utf8(model: str) -> Path:
    """A model's path, if it can be kept in files and documents, all of them UTF-8; Linux allows other names.

    Raises:
        ModelRefused: it cannot.
    """
    try:
        model.encode()
    except UnicodeEncodeError:
        raise ModelRefused("its name is not UTF-8", fix="rename it, or make a link to it") from None
    return Path(model)
