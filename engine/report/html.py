"""HTML that stands alone: one file, no script, nothing fetched; texts from elsewhere are escaped here and nowhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

from .sanitize import sanitize

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --dim: #5c5c5c; --faint: #c9c9c9; --back: #ffffff; --shade: #f4f4f2;
  --better: #00664f; --worse: #a33b00; --accent: #00588f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e6; --dim: #a8a8a4; --faint: #4a4a48; --back: #161616;
  --shade: #212120; --better: #4fd1a8; --worse: #ff9a5c; --accent: #7cc4f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 68rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--back); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--faint); } h3 { margin-bottom: .3rem; }
p.lead { font-size: 1.1rem; } .dim, figcaption, caption { color: var(--dim); }
.alarm { border-left: 4px solid var(--worse); background: var(--shade); padding: .5rem .8rem; margin: .6rem 0; }
.choice { border-left: 4px solid var(--better); background: var(--shade); padding: .5rem .8rem; margin: .6rem 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; font-size: .92rem; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--faint);
  overflow-wrap: normal; } td { min-width: 5rem; } th { font-weight: 600; }
tr.detail th, tr.detail td { color: var(--dim); font-weight: 400; } tr.detail th { padding-left: 1.2rem; }
td.better { color: var(--better); font-weight: 600; } td.worse { color: var(--worse); font-weight: 600; }
figure { margin: 1rem 0; } figure svg { width: 100%; max-width: 52rem; height: auto; display: block; }
pre { background: var(--shade); padding: .6rem .8rem; overflow-x: auto; white-space: pre-wrap; font-size: .88rem; }
code { font-size: .92em; } details { margin: .6rem 0; } summary { cursor: pointer; color: var(--accent); }
svg text.ink { fill: var(--ink); } svg text.dim { fill: var(--dim); } svg .faint { stroke: var(--faint); }
svg .rule { stroke: var(--ink); }
@media (prefers-color-scheme: dark) {
  svg .f0 { fill: #56b4e9; } svg .l0 { stroke: #56b4e9; } svg .f1 { fill: #ff8a3d; } svg .l1 { stroke: #ff8a3d; }
  svg .f2 { fill: #2fd3a0; } svg .l2 { stroke: #2fd3a0; } svg .f5 { fill: #9ad4f5; } svg .l5 { stroke: #9ad4f5; }
  svg .f6 { fill: #d8c84a; } svg .l6 { stroke: #d8c84a; } svg .f7 { fill: #a8a8a4; } svg .l7 { stroke: #a8a8a4; } }
@media print { details::details-content { content-visibility: visible; display: block; }
  body { max-width: none; padding: 0; font-size: 11px; } .scroll { overflow: visible; }
  table, figure, .alarm, .choice { break-inside: avoid; } h2, h3 { break-after: avoid; } a { color: inherit; } }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""Nothing runs and nothing is fetched, whatever a name in the page says; the one style is known by its hash."""


def safe(text: str, *, keep: str = "") -> str:
    """Text from anywhere as text of a page. `keep`: line ends, where they are wanted."""
    return escape(sanitize(text, keep=keep), quote=True)


def page(title: str, body: Iterable[str]) -> str:
    """The whole file."""
    head = (
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{safe(title)}</title>\n<style>{STYLE}</style>'
    )
    inside = "\n".join(body)
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{inside}\n</body>\n</html>\n'


def tag(name: str, text: str, kind: str = "") -> str:
    """A text in an element."""
    shown = f' class="{kind}"' if kind else ""
    return f"<{name}{shown}>{safe(text)}</{name}>"


def listed(texts: Iterable[str]) -> str:
    """Texts as a list; empty: there are none."""
    lines = [tag("li", text) for text in texts]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


Row = tuple[str, Sequence[str], str, Sequence[str]]
"""(its name, its cells, its class, the class of each cell)."""


def table(caption: str, heads: Sequence[str], rows: Sequence[Row]) -> str:
    """A table whose rows are named by their first column; empty: it has no rows."""
    if not rows:
        return ""
    lines = []
    for name, cells, kind, tones in rows:
        own = f' class="{kind}"' if kind else ""
        shades = [*tones, *[""] * (len(cells) - len(tones))]
        inside = "".join(tag("td", cell, shade) for cell, shade in zip(cells, shades, strict=False))
        lines.append(f'<tr{own}><th scope="row">{safe(name)}</th>{inside}</tr>')
    top = "".join(f'<th scope="col">{safe(head)}</th>' for head in heads)
    said = tag("caption", caption) if caption else ""
    return f'<div class="scroll"><table>{said}<thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def figure(drawn: str, caption: str) -> str:
    """A picture with its words; empty: there is no picture."""
    return f"<figure>{drawn}{tag('figcaption', caption)}</figure>" if drawn else ""


def code(text: str) -> str:
    """Lines as they are."""
    return f"<pre>{safe(text, keep=chr(10))}</pre>"


def folded(summary: str, inside: str) -> str:
    """What is there for who wants it; empty: there is nothing."""
    return f"<details>{tag('summary', summary)}{inside}</details>" if inside else ""
