"""A search for shares of which all is kept: no run is begun; one share for all beside the answer, and in its place."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("optuna", reason="needs optuna")

from edgetui.engine.config import PACKAGE
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.report.search_report import search_report
from edgetui.engine.runs.carrying import Carrier
from edgetui.engine.runs.folder import create
from edgetui.engine.runs.search_folder import SearchDir, create_search
from edgetui.engine.schema.channel_table import ChannelGroup, ChannelProduct, ChannelTable, EvenShares
from edgetui.engine.schema.figures import Ratio
from edgetui.engine.schema.search import CandidateChecked, CandidateMeasured, SearchDocument, SearchLine, SearchRequest
from edgetui.engine.schema.sensitivity import GROUPS, Sensitivity, SensitivityRow
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import PruneChannels, QuantizeInt8, Recipe
from edgetui.engine.work.found_spread import found_spread
from edgetui.engine.work.paired_checks import paired
from edgetui.engine.work.setting_answers import FoundSettings
from edgetui.engine.work.share_answers import with_shares
from edgetui.engine.work.shares_search import search_shares

INT8 = Recipe(name="int8", step=(QuantizeInt8(),))
CHANNELS = Recipe(name="channels-25", step=(PruneChannels(),))
EVEN, OWN, BOTH = ("one=0.5",), ("two=0.5",), ("one=0.5", "two=0.5")
"""One share for all takes of `one` alone here, as whole blocks have it; `two` has as many multiplications and moves less."""
SAMPLES = 400


def told() -> Sensitivity:
    shares = (0.0, 0.5)
    groups = tuple(ChannelGroup(name=name, layers=(name,), channels=32, shares=shares) for name in ("one", "two"))
    products = tuple(ChannelProduct(macs=macs, weights=10, axes=({name: 1.0},)) for name, macs in (("one", 400), ("two", 402)))
    even = (EvenShares(amount=0.25, shares={"one": 0.5}),)
    rows = tuple(
        SensitivityRow(unit=name, place=n, value=0.5, kl=kl) for n, (name, kl) in enumerate((("one", 0.3), ("two", 0.1)))
    )
    table = ChannelTable(groups=groups, products=products, macs=1000, even=even)
    return Sensitivity(model="m.onnx", step="prune.channels", over=GROUPS, ranked_by="kl", rows=rows, channels=table)


def run_of(home: Path, name: str, spec: RunSpec, wrong: float) -> None:
    """A run that left what it said of each sample; `wrong`: the share that is."""
    folder = create(
        home, RunRequest(run=name, ticket=1, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=spec)
    )
    folder.artifacts.mkdir(parents=True, exist_ok=True)
    true = np.arange(SAMPLES) % 10
    said = np.where(np.arange(SAMPLES) < wrong * SAMPLES, (true + 1) % 10, true)
    arrays = {
        f"classes {side} {key}": array
        for side in ("baseline", "candidate")
        for key, array in (("predicted", said), ("true", true))
    }
    np.savez_compressed(folder.artifacts / "evaluation.npz", **arrays)


def folder_of(home: Path, wrong: dict[tuple[str, ...], float]) -> SearchDir:
    """What is asked of a search of two groups is known; `wrong`: what each takes from accuracy."""
    spec = RunSpec(model=str(PACKAGE / "profiles" / "demo" / "digits.onnx"), recipe=CHANNELS)
    folder = create_search(home, SearchRequest(goal="fastest drop<=0.2", spec=spec, over="channels", builds=9, seconds=0.0))
    folder.add(SearchLine(sensitivity=told()))
    for number, (of, share) in enumerate(wrong.items()):
        name = f"20261201-120{number}-digits-shares"
        run_of(home, name, spec, share)
        for half in "AB":
            ratio = Ratio(value=-share, low=-share - 0.01, high=-share + 0.01)
            folder.add(SearchLine(checked=CandidateChecked(of=of, half=half, difference=ratio, run=name)))
        cost = {EVEN: 0.8, OWN: 0.799, BOTH: 0.6}[of]
        for _ in range(3):
            ratios = {"latency_ms": Ratio(value=cost, low=cost - 0.01, high=cost + 0.01)}
            folder.add(SearchLine(measured=CandidateMeasured(of=of, ratios=ratios, figures={}, run=name)))
    return folder


def answer(folder: SearchDir) -> SearchDocument:
    search_shares(folder, folder.asked(), Carrier(folder))
    found = folder.document()
    assert found.state == "done", found.why
    return found


def test_the_answer_stands_beside_one_share_for_all(tmp_path: Path):
    found = answer(folder_of(tmp_path, {EVEN: 0.12, OWN: 0.03, BOTH: 0.4}))
    assert found.choice is not None
    assert '"two" = 0.5' in found.choice.recipe or "two = 0.5" in found.choice.recipe
    assert found.even is not None
    assert (found.even.amount, found.even.taken) == (0.25, False)
    assert found.even.macs_found < found.even.macs
    assert found.even.difference.value == pytest.approx(0.09)
    assert found.even.difference.low > 0
    told = search_report(found, 80)
    assert "more accurate" in " ".join(told.split())
    assert all(len(line) <= 80 for line in told.splitlines())
    assert [point.macs for point in found.built] == pytest.approx([0.8, 0.799, 0.599])
    assert [unit.format for unit in found.sensitivity] == ["-50 %", "-50 %"]


def test_one_share_for_all_is_the_answer_where_it_is_better(tmp_path: Path):
    """What groups do alone misled: with the spread that moves outputs less, accuracy is worse."""
    found = answer(folder_of(tmp_path, {EVEN: 0.03, OWN: 0.12, BOTH: 0.4}))
    assert found.even is not None
    assert found.even.taken
    assert found.choice is not None
    assert found.choice.run == "20261201-1200-digits-shares"
    assert "one = 0.5" in found.choice.recipe or '"one" = 0.5' in found.choice.recipe
    assert "is the answer" in " ".join(search_report(found, 80).split())


def test_no_difference_is_no_win(tmp_path: Path):
    found = answer(folder_of(tmp_path, {EVEN: 0.03, OWN: 0.03, BOTH: 0.4}))
    assert found.even is not None
    assert not found.even.taken
    assert found.even.difference.low < 0 < found.even.difference.high
    assert "no difference shown" in " ".join(search_report(found, 80).split())


def test_what_cannot_be_paired_has_no_interval(tmp_path: Path):
    one = CandidateChecked(of=OWN, half="B", difference=Ratio(value=-0.01, low=-0.02, high=0.0))
    other = CandidateChecked(of=EVEN, half="B", difference=Ratio(value=-0.03, low=-0.04, high=-0.02))
    apart = paired(tmp_path, one, other, 0)
    assert (apart.value, apart.low) == (pytest.approx(0.02), None)


def test_another_step_of_the_recipe_stays(tmp_path: Path):
    whole = Recipe(name="both", step=(PruneChannels(round_to=8, streams=True), QuantizeInt8()))
    made = with_shares(whole, {"/conv[1]": 0.25}, "shares", "")
    assert made.step[0] == PruneChannels(amount=0.0, amounts={"/conv[[]1]": 0.25}, round_to=8, streams=True)
    assert made.step[1] == QuantizeInt8()


def test_a_search_over_settings_spreads_by_what_this_one_found(tmp_path: Path):
    folder = folder_of(tmp_path, {EVEN: 0.12, OWN: 0.03, BOTH: 0.4})
    asked = folder.asked()
    over = msgspec.structs.replace(asked, over="settings", spec=msgspec.structs.replace(asked.spec, recipe=INT8))
    other = create_search(tmp_path, over)
    spread = found_spread(other, over)
    assert spread is not None
    assert spread.search == folder.id
    facts = inspect(Path(asked.spec.model), {})
    answers = FoundSettings(other, over, Carrier(other), facts, None, spread)
    plain = answers.offered.plain
    own = {**plain, "channels": 0.25, "spread": "by sensitivity"}
    assert own in answers.offered.seeds
    assert answers.recipe(own, 0).step == (PruneChannels(amount=0.0, amounts={"two": 0.5}),)
    assert answers.recipe({**own, "spread": "even"}, 0).step == (PruneChannels(amount=0.25),)
    assert answers.foretold({**plain, "spread": "by sensitivity", "format": "int8"}) == "there is nothing to spread"
    unlike = msgspec.structs.replace(over, model_sha256="b" * 64)
    assert found_spread(other, unlike) is None, "another model's groups say nothing"
