"""A search as its driver leaves it in a folder, made up."""

from __future__ import annotations

from pathlib import Path

import msgspec
from edgetui.engine.config import PACKAGE, load_config
from edgetui.engine.library.recipes import find_recipe, recipe_toml
from edgetui.engine.runs.search_folder import SearchDir, create_search
from edgetui.engine.schema.figures import Ratio
from edgetui.engine.schema.search import SearchChoice, SearchDocument, SearchLine, SearchPoint, SearchRequest, SearchUnit
from edgetui.engine.schema.spec import RunSpec

WHY = "15 units INT8, 5 units FP32: 0.446 of FP32's latency_ms (95 %: 0.44 to 0.452)"


def ratio(value: float, wide: float = 0.01) -> Ratio:
    return Ratio(value=value, low=value - wide, high=value + wide)


def searched(home: Path) -> SearchDir:
    recipe = find_recipe("int8", load_config())
    spec = RunSpec(model=str(PACKAGE / "profiles" / "demo" / "digits.onnx"), recipe=recipe)
    return of_that_day(create_search(home, SearchRequest(goal="fastest drop<=0.01", spec=spec, builds=8)))


def of_that_day(folder: SearchDir) -> SearchDir:
    """Its id begins with the minute: the same in every snapshot."""
    return SearchDir(folder.path.rename(folder.path.with_name("20261120-2315-search-digits")))


def answered(folder: SearchDir) -> None:
    recipe = find_recipe("int8", load_config())
    recipe = msgspec.structs.replace(recipe, step=(msgspec.structs.replace(recipe.step[0], exclude=("/head/fc",)),))
    points = [
        SearchPoint(formats={"int8": 20}, measured=ratio(0.41), difference=ratio(-0.031), run="a", effect=0.2, foretold=0.42),
        SearchPoint(
            formats={"int8": 15, "fp32": 5},
            measured=ratio(0.446),
            difference=ratio(-0.002),
            run="b",
            effect=0.01,
            foretold=0.45,
        ),
        SearchPoint(
            formats={"int8": 10, "fp32": 10}, measured=ratio(0.7), difference=ratio(-0.001), run="c", effect=0.005, foretold=0.7
        ),
    ]
    document = SearchDocument(
        search=folder.id,
        state="done",
        goal="fastest drop<=0.01",
        choice=SearchChoice(recipe=recipe_toml(recipe), run="b"),
        built=tuple(points),
        sensitivity=(SearchUnit(unit="/stem/conv", format="int8", kl=0.12, sqnr_db=20.0),),
        checks=5,
        builds=6,
        why=WHY,
    )
    folder.add(SearchLine(answer=document))
