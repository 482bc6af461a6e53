"""Runs side by side: the table with intervals and verdicts, advice, the Pareto front, how latencies and weights spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen

from ...engine.advice.metrics import AIMS, LATENCY
from ...engine.advice.pareto import AXES, known_axes, known_costs, pareto
from ...engine.advice.stamp_differences import other_pace
from ...engine.report.sanitize import sanitize
from ..ascii_letters import keys_in_words
from ..desk import AtDesk
from ..panes.pane import Parts
from ..widgets.keybar import KeyBar
from ..widgets.lines import Lines, Scrolling, wrap
from ..widgets.motion import LEFT, RIGHT
from ..widgets.scatter import Dot, scatter
from ..worded import Worded
from .compare_table import HEADS, in_sight, last_place, movable, table_lines
from .compared_weights import weight_lines
from .headlines import fitting
from .safe_dismiss import SafeDismiss, dismiss_once
from .spreads import box_lines, latency_lines, rate_lines

if TYPE_CHECKING:
    from ...engine.advice.metric import Metric
    from ...engine.api import Comparison, Spreads
    from ...engine.schema.model_facts import ModelFacts

Picture = Literal["front", "latencies", "boxes", "rates", "weights"]


class ComparedPicture(Lines):
    """Drawn when its size is known: one that was covered has none before."""

    def __init__(self, draw: Callable[[], None]) -> None:
        super().__init__(id="compare-picture", classes="pane")
        self._draw = draw

    def on_resize(self) -> None:
        """Fit the new size."""
        self._draw()


class CompareScreen(AtDesk, SafeDismiss, Screen[None]):
    """The comparison of some runs."""

    CSS_PATH = "compare.tcss"
    EXAMPLE = ":goal smallest drop<=0.01 asks for the smallest that loses at most a point; i shows how latencies spread."
    HELP = (
        "Baselines and candidates side by side. A ratio is candidate over baseline with its 95 % interval, or of several that\n"
        "were measured together a wider one: the advice says which. The word beside it is the verdict: where the interval\n"
        "spans 1, no difference was shown. The front holds what no other column beats on both axes by its figures:\n"
        "intervals play no part there, so what is beaten need not be shown to be worse. Runs of different data,\n"
        "preprocessing, backend or board have a baseline each, no front and no choice.\n"
        "Of runs that were measured apart the FP32 that has a column is one run's, named above it; what each ratio is over\n"
        "stands in the row above the ratio.\n"
        "t changes the goal of the advice, T types one with limits, a and A change the axes, e writes a report.\n"
        "L shows the layers of the plan of the first candidate that is seen; there ← → go to those of the other columns.\n"
        "i shows how often an inference took how long, then the weights before and after; b the same latencies as box plots:\n"
        "a box from the first quartile to the third with the median in it, whiskers to the last inference within 1.5 times\n"
        "its width, and how many lie past them. All columns share one axis. b once more shows frame\n"
        "rates, of runs with the workload cycle. `edgetui compare` prints the same figures."
    )
    PARTS: ClassVar[Parts] = {
        "compare-table": (
            "The table: figures, ratios with intervals and verdicts; ← → go to other columns, arrows scroll, / finds.",
            "/ shown enter goes to what was not shown to differ, n to the next.",
        ),
        "compare-advice": (
            "Which of them to take for the goal, and why; arrows scroll.",
            "t asks for the next goal; T least-energy top1>=0.80 enter for one with a limit.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEFT, "column(-1)", "columns", id="compare.left", show=False, tooltip="Columns further left"),
        Binding(RIGHT, "column(1)", "columns", id="compare.right", tooltip="Columns further right; the baseline stays"),
        Binding("t", "goal", "goal", id="compare.goal", tooltip="Advise for another goal"),
        Binding(
            "T", "type_goal", "type a goal", id="compare.type", show=False, tooltip="Type a goal with limits: memory_mb<=1024"
        ),
        Binding("a", "axes", "axes", id="compare.axes", tooltip="Draw the front over another cost"),
        Binding(
            "A",
            "other_axis",
            "other axis",
            id="compare.other",
            show=False,
            tooltip="Draw it up another axis: any cost or quality",
        ),
        Binding("i", "histogram", "histogram", id="compare.histogram", tooltip="Latencies, weights, the front again"),
        Binding("b", "boxes", "box plot", id="compare.boxes", tooltip="Box plots of latencies, then of frame rates"),
        Binding("L", "layers", "layers", id="compare.layers", tooltip="What is inside the plan of the first candidate seen"),
        Binding(
            "e", "export", "export", id="compare.export", show=False, tooltip="Write a report of these runs into a new folder"
        ),
        Binding("E", "deploy", "deploy", id="compare.deploy", show=False, tooltip="Copy what the advised run made to a host"),
        Binding("y", "copy", "copy", id="compare.copy", tooltip="Copy the table to the clipboard"),
        Binding("escape", "back", "back", id="compare.back", tooltip="To the front, then to where you came from"),
    ]

    def __init__(self, runs: Sequence[str]) -> None:
        super().__init__()
        self.runs = tuple(runs)
        self.comparison: Comparison | None = None
        self.goal = 0
        self.typed = ""
        """A goal with limits; empty: none was typed."""
        self.cost = self.up = 0
        self.first = 0
        """First column shown beside the labels, but for the baseline, which stays."""
        self.picture: Picture = "front"
        self.weights: list[tuple[str, ModelFacts]] | None = None
        """Of each model its name and facts; None: not asked yet."""
        self.latencies: Spreads | None = None

    def compose(self) -> ComposeResult:
        """Table above, picture and advice below."""
        yield Lines(id="compare-head")
        yield Scrolling(id="compare-table", classes="pane")
        with Container(id="compare-below"):
            yield ComparedPicture(self.write)
            yield Scrolling(id="compare-advice", classes="pane")
        yield KeyBar()

    def on_mount(self) -> None:
        """Ask the engine."""
        self.query_one("#compare-head", Lines).show([((" edgetui  Compare", "title"),)])
        self.query_one("#compare-table").focus()
        self.run_in_background(self._ask, "compare")

    async def _ask(self) -> None:
        asked = self.goals[self.goal]
        self.comparison = await self.desk.engine.compare(self.runs, asked)
        if self.goals[self.goal] != asked:  # its metric was not measured, which only now is known
            self.comparison = await self.desk.engine.compare(self.runs, self.goals[self.goal])
        self.write()
        self.call_after_refresh(self.write)  # a pane that was covered has no size before

    def on_resize(self) -> None:
        """Fit the new size."""
        self.call_after_refresh(self.write)

    def write(self) -> None:
        """Draw everything."""
        found = self.comparison
        if found is None:
            return
        table = self.query_one("#compare-table", Scrolling)
        table.border_title = Content(fitting(sanitize(found.title), max(20, table.size.width - 2)))
        self.first = min(self.first, last_place(found, self._room))  # a wider screen may have room for more than is left
        rows = table_lines(found, self.first, self._room, keys_in_words("← →", self.desk.graph))
        if len(rows) + 2 < self.size.height // 2:  # what it does not need is the picture's
            table.styles.height = len(rows) + 2
        else:
            table.styles.clear_rule("height")
        table.heads = HEADS
        table.show(rows)
        self.refresh_bindings()
        advice = self.query_one("#compare-advice", Scrolling)
        advice.border_title = Content(f"Advice  goal: {self.goals[self.goal]}")
        width = max(10, advice.size.width - 2)
        told = [*(("bad", f"! {text}") for text in found.warnings), *(("", text) for text in found.advice)]
        advice.show([((f" {row}", tone),) for tone, text in told for row in (*wrap(text, width), "")])
        self._picture(found)

    def _picture(self, found: Comparison) -> None:
        picture = self.query_one("#compare-picture", Lines)
        width, height = picture.size.width, picture.size.height
        if self.picture == "weights":
            picture.border_title = "Weights before and after"
            picture.show(weight_lines(self.weights, width - 2, height, self.desk.graph))
            return
        if self.picture == "rates":
            title = "Frame rate  1 / own time of a frame; real ones, and others that skip the model"
            picture.border_title = title if len(title) + 6 <= width else title.partition(";")[0]
            picture.show(rate_lines(found.frame_rates, width, height))
            return
        if self.latencies is not None and self.picture in ("latencies", "boxes"):
            boxes = self.picture == "boxes"
            what = "┃ median, ◆ mean, box: quartiles" if boxes else "share of the inferences × ms"
            picture.border_title = f"Latency  {what}"
            draw = box_lines if boxes else latency_lines
            picture.show(draw(self.latencies, width, height, self.desk.graph))
            return
        cost, other = self._axes(found)
        units = [metric.axis.unit for metric in (cost, other) if metric.axis]
        picture.border_title = f"Front  {' × '.join(units)}"
        paced = cost is LATENCY and other_pace(found.stamps)
        why = f"different {', '.join(found.differs)}" if found.differs else "another pace of the machine" * paced
        if why:
            picture.border_title = Content(f"No front: {why}")
        front = frozenset() if why else pareto(found.points, (cost, other))
        dots = [
            Dot(x, y, point.label, front=n in front)
            for n, point in enumerate(found.points)
            if (x := point.at(cost)) is not None and (y := point.at(other)) is not None
        ]
        picture.show(scatter(dots, width, height, *units))

    def _axes(self, found: Comparison) -> tuple[Metric, Metric]:
        """Across a cost; up what says how good outputs are, or any other axis on which something lies."""
        costs = known_costs(found.points)
        cost = costs[self.cost % len(costs)]
        usual = AXES[found.axes[1]]
        others = [usual, *(metric for metric in known_axes(found.points) if metric not in (usual, cost))]
        return cost, others[self.up % len(others)]

    @property
    def goals(self) -> list[str]:
        """The aims that can be decided, their metric was measured; and what was typed."""
        costs = known_costs(self.comparison.points if self.comparison else ())
        return [*(aim for aim, metric in AIMS.items() if metric in costs), *filter(None, [self.typed])]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where all columns are seen there are no others to go to."""
        found = self.comparison
        if action == "column":
            return found is None or bool(last_place(found, self._room))
        return super().check_action(action, parameters)

    @property
    def _room(self) -> int:
        """Columns of the terminal that the table has."""
        return max(20, self.query_one("#compare-table").size.width - 2)

    def action_column(self, by: int) -> None:
        """Other columns."""
        if self.comparison is not None:
            places = movable(self.comparison)
            last = places.index(last_place(self.comparison, self._room))
            at = places.index(self.first) if self.first in places else 0
            self.first = places[max(0, min(at + by, last))]
            self.write()

    def action_goal(self) -> None:
        """Another goal."""
        self._advise((self.goal + 1) % len(self.goals))

    def _advise(self, goal: int) -> None:
        """For one of `goals`; on a narrow screen pictures cover what is advised."""
        self._turn("front")
        self.remove_class("-picture")
        self.goal = goal
        self.run_in_background(self._ask, "compare")

    def action_type_goal(self) -> None:
        """A goal with limits, in words."""
        from ...engine.advice.goals import parse_goal
        from .dialogs import Ask

        def take(text: str | None) -> None:
            if text:
                self.typed = text
                self._advise(len(self.goals) - 1)

        question = "Goal, with limits if wanted: least-energy top1>=0.80 memory_mb<=1024"
        self.app.push_screen(
            Ask(question, self.typed or self.goals[self.goal], parse_goal, replaces=True, example="smallest drop<=0.01"), take
        )

    def worded(self) -> tuple[Worded, ...]:
        """What can be typed behind a colon here."""
        return (Worded("goal", "advise for another goal, with limits if wanted", self._goal, "GOAL [LIMIT...]", 1, None),)

    def _goal(self, words: Sequence[str]) -> None:
        from ...engine.advice.goals import parse_goal

        text = " ".join(words)
        parse_goal(text)
        self.typed = text
        self._advise(len(self.goals) - 1)

    @property
    def _front_is_seen(self) -> bool:
        """The front is drawn, and not covered by the advice."""
        return self.picture == "front" and bool(self.query_one("#compare-picture").display)

    def action_axes(self) -> None:
        """Another cost; the front first, where it is not seen yet."""
        self.cost += self._front_is_seen
        self._turn("front")
        self.add_class("-picture")

    def action_other_axis(self) -> None:
        """Another axis up; the front first, where it is not seen yet."""
        self.up += self._front_is_seen
        self._turn("front")
        self.add_class("-picture")

    def action_histogram(self) -> None:
        """Latencies, weights, the front."""
        after: dict[Picture, Picture] = {"latencies": "weights", "weights": "front"}
        self._turn(after.get(self.picture, "latencies"))

    def action_boxes(self) -> None:
        """Box plots of latencies, of frame rates where there are some, or the front."""
        rates = self.comparison is not None and bool(self.comparison.frame_rates)
        after: dict[Picture, Picture] = {"boxes": "rates" if rates else "front", "rates": "front"}
        self._turn(after.get(self.picture, "boxes"))

    def _turn(self, picture: Picture) -> None:
        """Show another picture; what it needs is asked first."""
        self.picture = picture
        self.set_class(picture != "front", "-picture")
        self.set_class(picture != "front", "-wide")
        if picture == "weights" and self.weights is None:
            self.run_in_background(self._inspect, "compare-picture")
        elif picture in ("latencies", "boxes") and self.latencies is None:
            self.run_in_background(self._spread, "compare-picture")
        self.call_after_refresh(self.write)

    def _not_deleted(self) -> Sequence[str]:
        """The runs that are still there; that others are gone is said. All where none is: what reads them says why."""
        made = self.comparison.made if self.comparison is not None else self.runs
        there = set(self.desk.engine.run_ids())
        left = [run for run in made if run in there]
        if left and (gone := len(made) - len(left)):
            self.notify(f"{gone} of {len(made)} runs {'is' if gone == 1 else 'are'} deleted: the picture is without", timeout=5)
        return left or made

    async def _spread(self) -> None:
        self.latencies = await self.desk.link.latencies(self._not_deleted())
        self.write()

    async def _inspect(self) -> None:
        link = self.desk.link
        shown = self.comparison
        labels = dict(zip(shown.runs, shown.columns, strict=True)) if shown is not None else {}
        found: list[tuple[str, ModelFacts]] = []
        originals: set[str] = set()
        try:
            for run in self._not_deleted():
                result = await self.desk.engine.result(run)
                if result.model is not None and result.model.sha256 not in originals:
                    originals.add(result.model.sha256)
                    found.append((f"FP32 {result.model.name}", result.model))
                path = result.artifacts.get("onnx", "")
                if path and Path(path).is_file():
                    found.append((labels.get(result.run) or result.recipe.name or run, await link.inspect(path)))
        finally:  # what cannot be read is said elsewhere
            self.weights = found
            self.write()

    def action_layers(self) -> None:
        """What is inside the plan of the first candidate that is seen; the other columns' are beside it."""
        from .layers import LayersScreen, PlanRef

        found = self.comparison
        if found is not None:
            columns = zip(found.measured, found.sides, found.columns, strict=True)
            own = [PlanRef(run, "baseline" if side == "baseline" else "candidate", label) for run, side, label in columns]
            kept = [n for n, side in enumerate(found.sides) if side != "guard"]  # a run's guard has no word there
            seen = next((n for n in in_sight(found, self.first, self._room) if found.sides[n] != "baseline"), 0)
            shown = next((at for at, n in enumerate(kept) if own[n][:2] == own[seen][:2]), 0)
            self.app.push_screen(LayersScreen([own[n] for n in kept], shown))

    def action_deploy(self) -> None:
        """Copy what the run made that is advised; where none is, that of the first column shown."""
        from .deploy import open_deploy

        found = self.comparison
        if found is not None:
            advised = dict(zip(found.columns, found.runs, strict=True)).get(found.choice, "")
            run = advised or next(filter(None, found.runs[max(self.first, 1) :]), self.runs[0])
            open_deploy(self.desk, run, goal=self.goals[self.goal])

    def action_export(self) -> None:
        """A report for the goal that is shown."""
        from .report_folder import ask_for_report

        ask_for_report(self.desk, self.runs, self.goals[self.goal])

    def action_copy(self) -> None:
        """The whole table."""
        if self.comparison is not None:
            rows = [("", *self.comparison.columns), *((row.label, *row.cells) for row in self.comparison.rows)]
            self.app.copy_to_clipboard("\n".join("\t".join(row) for row in rows))
            self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """From another picture to the front, from one that covers the advice to that, else where we came from."""
        if self.picture != "front":
            self._turn("front")
        elif not self.query_one("#compare-advice").display:
            self.remove_class("-picture")
            self.call_after_refresh(self.write)
        else:
            dismiss_once(self)
