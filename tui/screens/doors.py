"""From the workbench to every other screen, with what each needs of it.

Apart from `workbench.py`, which has what is done on the workbench itself.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.screen import Screen

from ...engine.config import here, typed_path
from ...engine.errors import DataRefused
from ..desk import AtDesk
from ..panes.models import ModelsPane
from ..panes.settings import SettingsPane
from .safe_dismiss import SafeDismiss

if TYPE_CHECKING:
    from ...engine.library.folder_entries import EntryKind
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
    async def show_run(self, run: str) -> None:
        """Show a run here, and go to its pane."""

    @abstractmethod
    async def resume(self, run: str) -> None:
        """Take a run up again and watch it here."""

    @abstractmethod
    async def run_after(self, run: str) -> None:
        """Start what is set here once a run has ended well."""

    def action_runs(self) -> None:
        """The list of runs."""
        from .runs import RunsScreen

        self.app.push_screen(RunsScreen(self.runs_look, self.show_run, self.resume, self.run_after))

    def action_studies(self) -> None:
        """Studies, and their tables."""
        from .studies import StudiesScreen

        self.app.push_screen(StudiesScreen())

    def action_fleet(self) -> None:
        """The boards of fleet.toml."""
        self.run_on()

    def run_on(self, boards: Sequence[str] | None = None) -> None:
        """The boards of fleet.toml; with `boards` the form that asks these, of none the first, for what is set here."""
        from .board_deeds import Bench
        from .fleet import FleetScreen

        self.app.push_screen(FleetScreen(Bench(self.models.model, self.settings.draft), boards))

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

    def on_models_pane_folder_wanted(self) -> None:
        """Look for a folder of models, one model, or data."""
        self.browse("a model or data")

    def on_settings_pane_data_wanted(self, event: SettingsPane.DataWanted) -> None:
        """Look for data, for the row that asked."""
        self.browse("data", event.row)

    def browse(self, wanted: Wanted, row: str = "dataset") -> None:
        """Look in folders; data go into that row of the settings."""
        self.look_for(wanted, partial(self._take, wanted=wanted, row=row))

    def open_path(self, text: str) -> bool:
        """Use what lies at a typed path, models or data; returns whether it is data.

        Raises:
            EdgetuiError: there is nothing, or neither of them, or it cannot be read.
        """
        from ...engine.library.folder_entries import kind_of_name

        path = str(typed_path(text))
        kind: EntryKind = "folder" if os.path.isdir(path) else kind_of_name(path) if os.path.exists(path) else "model"  # noqa: PTH110, PTH112
        if kind == "other":
            raise DataRefused(
                f"{Path(path).name} is neither a model nor data", fix="take an .onnx, a folder, or data, e.g. a .zip"
            )
        return self._take(path, kind)

    def _take(self, path: str, kind: EntryKind, wanted: Wanted = "a model or data", row: str = "dataset") -> bool:
        """Use what was found; returns whether it is data."""
        from ...engine.library.folder_entries import glance_at

        if kind in ("data", "image") or (kind == "folder" and (wanted == "data" or glance_at(Path(path)).data)):
            self.take_data(path if kind != "image" else str(Path(path).parent), row)
            return True
        if wanted == "data":
            raise DataRefused(f"{Path(path).name} is no data", fix="take a folder, a .zip, an .npz, a .tsv or a .toml")
        opened = self.desk.link.open_folder(path)
        self.models.take(self.desk.engine.models(), opened)
        return False

    def take_data(self, path: str, row: str = "dataset") -> None:
        """Use these data from now on.

        Raises:
            EdgetuiError: they cannot be read, or are parts that only a description can name.
        """
        from ...engine.library.dataset_parts import parts_of

        if parts_of(Path(path)) is not None and self.desk.engine.dataset(path).kind == "image-folder":
            raise DataRefused(
                f"{Path(path).name} holds parts, `train` and `test`",
                fix=f"describe it: {self.settings.key('dataset', 'D')}, or :dataset {path}",
            )
        self.settings.put(row, path)
        self.notify(f"{'data' if row == 'dataset' else row}: {path}", timeout=3)

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
