"""From the workbench to every other screen, with what each needs of it.

Apart from `workbench.py`, which has what is done on the workbench itself.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.screen import Screen

from ...engine.config import here
from ..desk import AtDesk
from ..panes.models import ModelsPane
from ..panes.settings import SettingsPane
from .safe_dismiss import SafeDismiss

if TYPE_CHECKING:
    from ..runview import RunsLook
    from .browse import Take, Wanted


class Doors(AtDesk, SafeDismiss, Screen[None]):
    """A screen with a model under the cursor and settings."""

    models: ModelsPane
    settings: SettingsPane

    @cached_property
    def runs_look(self) -> RunsLook:
        """How the list of runs was left."""
        from ..runview import RunsLook

        return RunsLook()

    @abstractmethod
    async def open_run(self, run: str) -> None:
        """Show a run here."""

    @abstractmethod
    def take_data(self, path: str, row: str = "dataset") -> None:
        """Use these data from now on."""

    @abstractmethod
    async def resume(self, run: str) -> None:
        """Take a run up again and watch it here."""

    @abstractmethod
    async def run_after(self, run: str) -> None:
        """Start what is set here once a run has ended well."""

    def action_runs(self) -> None:
        """The list of runs."""
        from .runs import RunsScreen

        self.app.push_screen(RunsScreen(self.runs_look, self.open_run, self.resume, self.run_after))

    def action_studies(self) -> None:
        """Studies, and their tables."""
        from .studies import StudiesScreen

        self.app.push_screen(StudiesScreen())

    def action_fleet(self) -> None:
        """The boards of fleet.toml."""
        from .fleet import FleetScreen

        self.app.push_screen(FleetScreen())

    def action_searches(self) -> None:
        """Searches: for the highlighted model, and those that were made."""
        from .searches import SearchesScreen

        draft = self.settings.draft
        changed = partial(self.settings.take, draft) if draft is not None else lambda: None
        self.app.push_screen(SearchesScreen(self.models.model, draft, changed))

    def action_sweeps(self) -> None:
        """Sweeps: of the highlighted model or the shown run's plan, and those that were made."""
        from .sweeps import SweepsScreen, Target

        run = view.run if (view := self.desk.link.view) is not None and view.state == "done" else ""
        self.app.push_screen(SweepsScreen(Target(self.models.model, self.settings.draft, run)))

    def action_dataset(self) -> None:
        """Describe the data of the next run, or others."""
        draft = self.settings.draft
        self.describe(draft.setup.dataset if draft is not None else "")

    def describe(self, path: str) -> None:
        """What is in a dataset, how the highlighted model is fed with it, and its description as a file."""
        from .dataset import DatasetScreen

        model, draft = self.models.model, self.settings.draft
        shapes = draft.setup.shapes.get(model, {}) if draft is not None else {}
        self.app.push_screen(DatasetScreen(path, model, shapes, self.take_data, self.look_for))

    def look_for(self, wanted: Wanted, take: Take) -> None:
        """Folders and files, from where something was taken last."""
        from ..kept_look import kept_places
        from .browse import BrowseScreen

        places = [Path(self.models.model).parent] if self.models.model and wanted != "data" else []
        places += [Path(place) for place in kept_places(self.desk.engine.home)]
        start = next((place for place in places if os.path.isdir(place)), here())  # noqa: PTH112  (what may not be read is no error there)
        self.app.push_screen(BrowseScreen(wanted, start, take))

    def action_layers(self) -> None:
        """What is inside the run's plans."""
        from .layers import LayersScreen, plans_of

        view = self.desk.link.view
        if view is not None:
            self.app.push_screen(LayersScreen(plans_of(view.run, view.model, view.recipe)))

    def action_deploy(self) -> None:
        """Copy what the shown run made."""
        from .deploy import open_deploy

        open_deploy(self.desk, view.run if (view := self.desk.link.view) is not None else "")

    def action_sensitivity(self) -> None:
        """What compressing each layer of the highlighted model costs."""
        from .sensitivity import SensitivityScreen

        model, draft = self.models.model, self.settings.draft
        if model and draft is not None:
            self.app.push_screen(SensitivityScreen(model, draft, partial(self.settings.take, draft)))

    def action_monitor(self) -> None:
        """Telemetry alone."""
        from .monitor import MonitorScreen

        self.app.push_screen(MonitorScreen())
