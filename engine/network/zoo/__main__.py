"""`python -m edgetui.engine.network.zoo NAME --out FILE.onnx`: an untrained network of the zoo as a file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import fields
from pathlib import Path

from ...errors import EdgetuiError
from .architecture import NetworkSize
from .catalogue import ARCHITECTURES, made, write_network

_HELP = {
    "classes": "output classes",
    "width": "times the paper's channels",
    "side": "pixels along both axes of the image",
    "channels": "of the image",
    "enlarge": "the image is enlarged by so much first",
    "tokens": "length of a text",
    "vocabulary": "ids that a text is made of",
}


def main(arguments: list[str]) -> int:
    """The exit status; not 0 where what was asked cannot be."""
    listed = "\n".join(f"  {each.name:14} {each.title}: {each.paper}" for each in ARCHITECTURES.values())
    parser = ArgumentParser(
        prog="python -m edgetui.engine.network.zoo",
        description="Write an untrained network as ONNX (opset 17).",
        epilog=f"architectures:\n{listed}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("--out", metavar="FILE.onnx", type=Path, help="where it is written; NAME.onnx where it is left out")
    parser.add_argument("--list", action="store_true", help="names alone, one a line")
    parser.add_argument("--seed", type=int, default=0, help="weights are drawn from it")
    for field in fields(NetworkSize):
        parser.add_argument(f"--{field.name}", type=float if field.name == "width" else int, help=_HELP[field.name])
    asked = vars(parser.parse_args(arguments))
    if asked["list"]:
        sys.stdout.write("".join(f"{name}\n" for name in ARCHITECTURES))
        return 0
    if not asked["name"]:
        parser.error("say which: NAME")
    out = asked["out"] or Path(f"{asked['name']}.onnx")
    size = {name: asked[name] for name in _HELP if asked[name] is not None}
    try:
        write_network(made(asked["name"], seed=asked["seed"], **size), out)
    except EdgetuiError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
