"""The book: every page is in its contents, links lead somewhere, and it is built without a word from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from edgetui.engine.config import PACKAGE

DOCS = PACKAGE / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))
GENERATED = {f"reference/{name}.md" for name in ("commands", "keys", "configuration", "files", "documents")}


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def contents() -> list[str]:
    """The pages that mkdocs.yml lists."""
    text = (PACKAGE / "mkdocs.yml").read_text(encoding="utf-8")
    return re.findall(r"^ +- .+: (\S+\.md)$", text.partition("\nnav:\n")[2], re.MULTILINE)


def anchors(page: str) -> set[str]:
    """Headings as links name them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", read(page), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def test_the_contents_have_every_page_and_no_other():
    assert sorted(contents()) == sorted({*PAGES, *GENERATED})


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page: str):
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        file, _, anchor = target.partition("#")
        if target.startswith("https:") or file in GENERATED:
            continue
        if (file and not (DOCS / file).is_file()) or (anchor and anchor not in anchors(file or page)):
            lost.append(target)
    assert lost == []


def test_every_picture_is_shown_and_fetches_nothing():
    shown = {target for page in PAGES for target in re.findall(r"!\[[^]]+\]\(([^)]+\.svg)\)", read(page))}
    pictures = [*DOCS.glob("*.svg"), *DOCS.glob("pictures/*.svg")]
    assert {str(path.relative_to(DOCS)) for path in pictures} == shown
    for path in pictures:
        text = path.read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg", path.name  # noqa: S314 - our own
        assert re.search(r"""(?:href|src)=|url\((?!#)|@import|<script""", text) is None, path.name


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book, built as `make docs` does: what mkdocs warns of fails."""
    pytest.importorskip("material", reason="needs the extra docs")
    out = tmp_path_factory.mktemp("book")
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "true"}
    said = subprocess.run(argv, cwd=PACKAGE, capture_output=True, text=True, env=environment, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    return out


@pytest.mark.long
def test_the_book_is_built_and_fetches_nothing(built: Path):
    pages = list(built.rglob("*.html"))
    assert {page.stem for page in pages} >= {Path(page).stem for page in contents()}
    fetched = re.compile(r"""<(?:script|img|iframe|link[^>]+stylesheet)[^>]+(?:src|href)=["']?(?:https?:)?//[^>]+>""")
    assert [(page.name, fetched.findall(page.read_text())) for page in pages if fetched.search(page.read_text())] == []


@pytest.mark.long
def test_the_reference_has_every_command_setting_and_document(built: Path):
    from edgetui.engine.report.json_schemas import DOCUMENTS
    from edgetui.engine.schema.steps import STEPS
    from edgetui.tui.cli import cli

    commands = (built / "reference" / "commands.html").read_text()
    assert [name for name in cli.commands if f'<h2 id="{name}">' not in commands] == []
    assert [name for name in DOCUMENTS if not (built / "reference" / "schemas" / f"{name}.json").is_file()] == []
    settings = (built / "reference" / "configuration.html").read_text()
    files = (built / "reference" / "files.html").read_text()
    assert [step for step in STEPS if f">{step}<a" not in files] == []
    assert all(key in settings for key in ("optimization_level", "rate_hz", "hysteresis", "limit_mb"))
