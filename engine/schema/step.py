"""What every step says of itself. All else reads it here and asks for no step by its name.

Apart from `steps.py`, where the steps are, because a new one is added there without a change here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from .model_facts import ModelFacts

if TYPE_CHECKING:
    from typing_extensions import Self

Arithmetic = Literal["float32", "float16", "int8", "integer weights"]
"""What a plan multiplies in after a step; `integer weights`: in floats, of weights stored as integers."""
SampleNeed = Literal["none", "optional", "calibration", "training", "labelled"]
"""`optional`: the step is better with samples and works without; `training`: it trains on them, and needs no labels;
`labelled`: it trains on them with their labels."""


class Kernels(Struct, frozen=True, kw_only=True):
    """What a backend makes of the arithmetic that steps ask for."""

    int8_everywhere: bool = False
    """Multiplies every weight in INT8; False: those that `ModelFacts.prunable_in_floats` counts stay floats."""
    blocks_anywhere: bool = True
    """Reads blocks of weights along any axis; False: those that `ModelFacts.prunable_deep` counts stay floats."""
    integers_recurrent: bool = True
    """Reads integer weights of recurrent nodes; False: those that `ModelFacts.prunable_recurrent` counts stay floats."""
    integers_tables: bool = True
    """Takes rows of integers; False: tables (`ModelFacts.tables`) stay floats."""
    sparse: bool = False
    """Skips zeros where two of every four weights are such."""
    emulated: dict[Arithmetic, str] = {}
    """Arithmetic that it computes as floats, and the clause that says so."""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method"):
    """One compression method with its parameters."""

    function: ClassVar[str] = ""
    """`module:function` below `engine` that does it; empty: a family of steps, and none of its own.

    It is called as `function(step, source, out, say)`, with what `needs` asks for before `say`: feeds in the model's batch
    (None where they are optional and missing), or, where it trains, `data.samples.Samples`; one that `resumes` is given a
    folder besides, as `kept`. It writes the graph and returns a line.
    """
    needs: ClassVar[SampleNeed] = "none"
    unsampled: ClassVar[str] = ""
    """What a step whose samples are optional does without them, in a clause for the forecast."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Packages that it imports besides those that are always here; their versions are part of its key in the cache."""
    arithmetic: ClassVar[Arithmetic] = "float32"
    learns: ClassVar[bool] = False
    """Learns from samples, so that its outputs are others than the original's, and may be better."""
    resumes: ClassVar[bool] = False
    """Goes on from what it has kept in a folder of the run's when its process was killed."""
    escalates: ClassVar[bool] = False
    """After it there are two plans, and inputs choose between them; it is the last."""
    copies: ClassVar[float] = 4.5
    """Times the model's size that its stage holds at most: the file, the parsed graph, the edited one (measured with 113 MB:
    4.2)."""
    other_bits: ClassVar[float] = 32
    """Bits of any other number of the model after it."""
    scale_bytes: ClassVar[int] = 0
    """Bytes added for each scale."""
    node_bytes: ClassVar[int] = 0
    """Bytes added around each node that has weights."""
    one_of: ClassVar[tuple[tuple[str, object], ...]] = ()
    """Fields of which exactly one is given, each with a value to begin with."""
    only_with: ClassVar[tuple[tuple[str, str, object], ...]] = ()
    """(field, other, value): the field says something only while `other` has that value."""

    sparing: ClassVar[str] = ""
    """Field that names the nodes it leaves as they are; empty: it cannot be done to one unit of a model alone."""
    sweeps: ClassVar[dict[str, tuple[float, ...]]] = {}
    """Fields that say how much is done, each with the values that a sweep tries."""

    added: ClassVar[tuple[tuple[str, object], ...]] = ()
    """Fields that came later, each with its default: a step that leaves them so keeps the hash that it had before."""

    on: bool = True
    """A step that is off stays in the recipe and is passed over."""

    def __post_init__(self) -> None:
        if self.one_of and sum(getattr(self, name) is not None for name, _ in self.one_of) != 1:
            raise ValueError("give either " + " or ".join(f"`{name}`" for name, _ in self.one_of))

    @property
    def method(self) -> str:
        """The step's name in a recipe, e.g. `prune.magnitude`."""
        return str(self.__struct_config__.tag)

    @property
    def need(self) -> SampleNeed:
        """The samples that it needs as it is set: those that its function takes, or `none` where these settings read none."""
        return self.needs

    def described(self) -> dict[str, Any]:
        """As builtins, for hashes: what was added later stands in them where somebody has said it."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        for name, empty in self.added:
            if getattr(self, name) == empty:
                del found[name]
        return found

    @property
    def silent_fields(self) -> frozenset[str]:
        """Fields that say nothing under the step's other settings."""
        return frozenset(name for name, other, value in self.only_with if getattr(self, other) != value)

    @property
    def zeros(self) -> bool:
        """Whether it makes weights zero that later steps should leave so."""
        return False

    @property
    def resizes(self) -> bool:
        """Whether it changes how many weights there are, so that sizes cannot be foretold."""
        return False

    @property
    def narrows(self) -> bool:
        """Whether layers have fewer channels afterwards."""
        return self.resizes

    @property
    def integers(self) -> bool:
        """Whether it stores weights as integers, of ranges that were chosen for them."""
        return self.arithmetic in ("int8", "integer weights")

    @property
    def most_samples(self) -> int | None:
        """Samples that it reads at most; None: all there are."""
        return None

    @property
    def files(self) -> tuple[str, ...]:
        """Files that it reads besides the model and the samples: their content is part of its key in the cache."""
        return ()

    def located(self, folder: Path) -> Self:
        """The same, with whole paths of `files` that are named from a folder on."""
        return self

    @property
    def weight_bits(self) -> float:
        """Bits that a weight (`ModelFacts.prunable`) takes after it, block scales included."""
        return 32

    def table_bytes(self, facts: ModelFacts) -> float:
        """Bytes that tables (`ModelFacts.tables`) take after it, scales of rows included."""
        return facts.tables * self.other_bits / 8

    @property
    def share(self) -> float | None:
        """Share of weights that it makes zero; None: none, or it depends on the weights."""
        return None

    def left_wide(self, facts: ModelFacts, kernels: Kernels) -> int:
        """How many of the weights that steps act on it leaves as wide as they were."""
        return 0

    def quantized_before(self, facts: ModelFacts) -> bool:
        """Whether the model came quantized, so that this step would quantize what already is."""
        return False

    def spoils(self, before: Sequence[Step]) -> list[str]:
        """What it undoes of the steps before it, a sentence each."""
        return []

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        """What nobody should hope for, beside all `steps` of its recipe; empty: nothing."""
        return kernels.emulated.get(self.arithmetic, "")

    def not_faster(self, kernels: Kernels) -> str:
        """Why a plan need not be faster with it, in a clause; empty: it may be."""
        return ""

    def mends(self, exclude: str, keep: str) -> list[str]:
        """What to change in it where the outputs are ruined.

        exclude: nodes, in words, without whose integers the place stays in floating point. keep: the node that half
        precision breaks. Both are empty where there are none.
        """
        return []
