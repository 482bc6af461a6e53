"""What a study says beyond single figures: ranks of its variants, and which of them serves a goal by several deciders.

Values alone; `report/study_report.py` words them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from ..backends.cards import CARDS
from ..schema.model_facts import ModelFacts
from ..schema.steps import Recipe
from ..schema.study import Foretold, StudyChoice, StudyGroup, StudyModel, StudyRanking, StudyRequest, StudyVariant
from ..schema.study_table import StudyCell, StudyTableRow
from .choose import points_lost
from .columns import Column
from .forecast import size_after
from .metric import Metric
from .study_rows import (
    BY_KEY,
    HUNDRED,
    Experiments,
    Gathered,
    columns_by_repeat,
    mean_of,
    measured,
    models_of,
    over_repeats,
    table_row,
    variants_of,
)

CHOICE = "choice for "
ORACLE = "oracle"
"""Who knows what was measured: the best that could have been chosen."""
RULE, FORECAST = "paper's rule", "forecast"


def ranking_rows(asked: StudyRequest, found: Experiments) -> tuple[StudyTableRow, ...]:
    """Of each ranking and model: the rank by each metric, the mean of those, and how often a variant is on the front."""
    rows: list[StudyTableRow] = []
    for ranking in asked.study.ranking:
        for model in models_of(asked, ranking.experiment):
            rows += _ranked(asked, ranking, model, found[ranking.experiment, model.name])
    return tuple(rows)


def _ranked(asked: StudyRequest, ranking: StudyRanking, model: StudyModel, found: Gathered) -> list[StudyTableRow]:
    metrics = [BY_KEY[key] for key in ranking.metrics]
    variants = [variant for variant in variants_of(asked, ranking.experiment) if variant.recipe]
    by_repeat = _by_repeat(found, variants)
    figures = [{name: [metric.value(column) for metric in metrics] for name, column in repeat.items()} for repeat in by_repeat]
    shown: list[tuple[str, str, dict[str, StudyCell]]] = []
    ranks = [[_ranks(repeat, place, metric) for place, metric in enumerate(metrics)] for repeat in figures]
    for place, metric in enumerate(metrics):
        each = [repeat[place] for repeat in ranks]
        shown.append((f"rank by {metric.name}", "", _means(variants, each, found, f"{metric.name} is not known")))
    whole = [_mean_ranks(repeat) for repeat in ranks]
    shown.append(("mean rank", "", _means(variants, whole, found, "a figure that it is ranked by is not known")))
    fronts = [_front(repeat, metrics) for repeat in figures]
    on_front = {
        variant.name: StudyCell(value=float(sum(variant.name in front for front in fronts)))
        if any(variant.name in repeat for repeat in whole)
        else _unranked(variant, found, "a figure of the front is not known")
        for variant in variants
    }
    shown.append(("on the front of all of these", f"of {len(fronts)}", on_front))
    return [
        table_row(asked, ranking.experiment, model, found, figure=figure, unit=unit, here=here) for figure, unit, here in shown
    ]


def _by_repeat(found: Gathered, variants: Sequence[StudyVariant]) -> list[dict[str, Column]]:
    """Of each repeat the columns of variants that have ended well."""
    repeats: list[dict[str, Column]] = []
    for results in found.repeats:
        alone = Gathered(repeats=(results,), left_out=found.left_out, going=found.going)
        columns = {variant.name: columns_by_repeat(alone, variant) for variant in variants}
        repeats.append({name: each[0] for name, each in columns.items() if each})
    return repeats


def _ranks(figures: Mapping[str, Sequence[float | None]], place: int, metric: Metric) -> dict[str, float]:
    """1 is best; equals share the mean of their ranks."""
    sign = -1.0 if metric.better == "more" else 1.0
    known = {name: sign * value for name, values in figures.items() if (value := values[place]) is not None}
    return {
        name: 1.0 + sum(other < value for other in known.values()) + (sum(other == value for other in known.values()) - 1) / 2
        for name, value in known.items()
    }


def _mean_ranks(by_metric: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of variants that have a rank by every metric."""
    names = set.intersection(*(set(ranks) for ranks in by_metric)) if by_metric else set()
    return {name: sum(ranks[name] for ranks in by_metric) / len(by_metric) for name in names}


def _front(figures: Mapping[str, Sequence[float | None]], metrics: Sequence[Metric]) -> set[str]:
    """Variants that no other is better than in one metric and as good as in all."""
    signs = [-1.0 if metric.better == "more" else 1.0 for metric in metrics]
    known = {
        name: [sign * value for sign, value in zip(signs, values, strict=True) if value is not None]
        for name, values in figures.items()
        if None not in values
    }
    return {
        name
        for name, mine in known.items()
        if not any(other != mine and all(one <= two for one, two in zip(other, mine, strict=True)) for other in known.values())
    }


def _means(
    variants: Sequence[StudyVariant], by_repeat: Sequence[Mapping[str, float]], found: Gathered, missing: str
) -> dict[str, StudyCell]:
    here: dict[str, StudyCell] = {}
    for variant in variants:
        values = [ranks[variant.name] for ranks in by_repeat if variant.name in ranks]
        here[variant.name] = mean_of(values) if values else _unranked(variant, found, missing)
    return here


def _unranked(variant: StudyVariant, found: Gathered, missing: str) -> StudyCell:
    """Why a variant has no rank: it is not there, or lacks a figure."""
    cell = over_repeats(found, variant, lambda _column: StudyCell(reason=missing))
    return StudyCell(reason=cell.reason)


def choice_rows(asked: StudyRequest, found: Experiments) -> tuple[StudyTableRow, ...]:
    """Of each goal and model: what each decider takes, and how much more of the goal's metric that has than the best."""
    rows: list[StudyTableRow] = []
    for choice in asked.study.choice:
        models = models_of(asked, choice.experiment)
        rows += [
            _chosen(asked, choice, BY_KEY[key], model, found[choice.experiment, model.name])
            for key in choice.metrics
            for model in models
        ]
    return tuple(rows)


def _chosen(asked: StudyRequest, choice: StudyChoice, metric: Metric, model: StudyModel, found: Gathered) -> StudyTableRow:
    variants = variants_of(asked, choice.experiment)
    able, figures = _able(variants, metric, choice, found)
    sign = -1.0 if metric.better == "more" else 1.0
    best = min(able, key=lambda name: sign * figures[name]) if able else ""
    takes = {RULE: choice.rule.get(metric.key, ""), FORECAST: _foretold(asked, choice, metric, model.name), ORACLE: best}
    if not choice.rule:
        takes.pop(RULE)
    missing = _why_no_figure(variants, metric, found)
    here = {
        who: _regret(taken, best, able, figures, missing) if taken or who == ORACLE else StudyCell(reason="it takes none")
        for who, taken in takes.items()
    }
    lost = f"{HUNDRED * choice.lost:g} points"
    return table_row(
        asked,
        choice.experiment,
        model,
        found,
        figure=f"{CHOICE}{metric.name}",
        unit="% of regret",
        here=here,
        note=f"among those that lose at most {lost} of what labels say",
    )


def _able(
    variants: Sequence[StudyVariant], metric: Metric, choice: StudyChoice, found: Gathered
) -> tuple[list[str], dict[str, float]]:
    """Variants that lose no more than is allowed, and the figures of all that have one."""
    able: list[str] = []
    figures: dict[str, float] = {}
    for variant in variants:
        columns = columns_by_repeat(found, variant)
        values = [value for column in columns if (value := metric.value(column)) is not None]
        if not values:
            continue
        figures[variant.name] = mean_of(values).value or 0.0
        lost = [points_lost(column.result.difference) for column in columns] if variant.recipe else []
        known = [each[1] for each in lost if each is not None]
        if not variant.recipe or (known and -sum(known) / len(known) <= choice.lost):
            able.append(variant.name)
    return able, figures


def _why_no_figure(variants: Sequence[StudyVariant], metric: Metric, found: Gathered) -> dict[str, str]:
    """By variant, where it has none."""
    cells = {v.name: over_repeats(found, v, lambda column: measured(metric, "value", column)) for v in variants}
    return {name: cell.reason for name, cell in cells.items() if cell.reason}


def _regret(taken: str, best: str, able: Sequence[str], figures: Mapping[str, float], missing: Mapping[str, str]) -> StudyCell:
    """How much worse the taken variant is than the best, in per cent of that."""
    if not best:
        reason = next(iter(missing.values()), "nothing was measured")
        return StudyCell(reason=reason, choice=taken or UNSET)
    if taken not in figures:
        return StudyCell(reason=missing.get(taken, "there is no run of it"), choice=taken)
    if taken not in able:
        return StudyCell(reason="it loses more than is allowed, or nothing says what it loses", choice=taken)
    if not figures[best]:
        return StudyCell(value=0.0 if taken == best else None, choice=taken)
    return StudyCell(value=HUNDRED * abs(figures[taken] - figures[best]) / abs(figures[best]), choice=taken)


def _foretold(asked: StudyRequest, choice: StudyChoice, metric: Metric, model: str) -> str:
    wanted = (choice.experiment, model, metric.key)
    return next((each.variant for each in asked.foretold if (each.experiment, each.model, each.metric) == wanted), "")


def foretell(asked: StudyRequest, facts: Mapping[str, ModelFacts]) -> tuple[Foretold, ...]:
    """What the forecast takes for each goal of each choice before anything is measured; `facts` by model.

    Size by the forecast of the file; time and energy by what steps say of themselves on this backend: a recipe all of whose
    steps may make a plan faster, else one with such a step, else the baseline. Accuracy is not foretold.
    """
    found: list[Foretold] = []
    for choice in asked.study.choice:
        baseline = next((each.name for each in variants_of(asked, choice.experiment) if not each.recipe), "")
        for group in asked.groups:
            if group.experiment == choice.experiment and group.repeat == 0 and group.model in facts:
                for key in choice.metrics:
                    variant, why = _before(group, key, facts[group.model], baseline)
                    if variant:
                        found.append(
                            Foretold(experiment=group.experiment, model=group.model, metric=key, variant=variant, why=why)
                        )
    return tuple(found)


def _before(group: StudyGroup, key: str, facts: ModelFacts, baseline: str) -> tuple[str, str]:
    recipes = {name: spec.recipe for name, spec in zip(group.variants, group.specs, strict=True)}
    backend = group.specs[0].backend.name
    metric = BY_KEY[key]
    if metric.quality:
        return baseline, "nothing gains accuracy"
    if key == "size":
        sizes = {name: size for name, recipe in recipes.items() if (size := size_after(recipe, facts, backend)) is not None}
        smallest = min(sizes, key=lambda name: sizes[name], default="")
        return (smallest, f"about {sizes[smallest]} bytes") if smallest else (baseline, "no size can be foretold")
    shares = {name: _may_be_faster(recipe, backend) for name, recipe in recipes.items()}
    best = max(shares, key=lambda name: shares[name], default="")
    if best and shares[best]:
        return best, "its steps may make a plan faster here"
    return baseline, "no recipe may make a plan faster here"


def _may_be_faster(recipe: Recipe, backend: str) -> float:
    """Share of a recipe's steps that may make a plan faster on this backend."""
    kernels = CARDS[backend].kernels
    steps = recipe.active
    return sum(not step.not_faster(kernels) for step in steps) / len(steps) if steps else 0.0
