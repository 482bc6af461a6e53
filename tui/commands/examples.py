"""What `edgetui COMMAND --help` ends with: commands as people type them. The man page and the book have them too.

Apart from the commands, so that the command line itself can be held against each of them.
"""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("edgetui demo",),
    "inspect": (
        "edgetui inspect model.onnx",
        "edgetui inspect model.onnx --layers --shape image=1x3x224x224",
        "edgetui inspect last",
    ),
    "dataset": ("edgetui dataset images.zip --model model.onnx --out images.toml",),
    "recipes": ("edgetui recipes",),
    "run": (
        "edgetui run model.onnx --recipe int8 --dataset images.zip --dry-run",
        "edgetui run model.onnx --recipe int8 --recipe fp16 --dataset images.zip",
        "edgetui run model.onnx --recipe int8 --workload paced:30 --detach",
    ),
    "watch": ("edgetui watch last",),
    "cancel": ("edgetui cancel last",),
    "resume": ("edgetui resume last",),
    "queue": ("edgetui queue", "edgetui queue 20261201-0930 --first"),
    "runs": ("edgetui runs", "edgetui runs --where 'recipe:int8 top1>0.8' --sort latency_ms"),
    "show": ("edgetui show last", "edgetui show last --latencies"),
    "delete": ("edgetui delete last", "edgetui delete 20261201-0930 20261201-0945 --yes"),
    "restore": ("edgetui restore", "edgetui restore last"),
    "tag": ("edgetui tag last field rain", "edgetui tag last --remove rain"),
    "note": ('edgetui note last "the lens was wet"',),
    "compare": (
        'edgetui compare last --goal "fastest drop<=0.01"',
        "edgetui compare 20261201-0930 20261201-0945 --front energy_j,top1",
    ),
    "export": ("edgetui export last --to report", "edgetui export flight.jsonl --to flight.csv"),
    "deploy": ("edgetui deploy last", "edgetui deploy last --to me@orin.local:models/resnet20 --dry-run"),
    "study": ("edgetui study", "edgetui study qin2018 --small --dry-run"),
    "build": ("edgetui build model.onnx --recipe int8 --calibration images.zip --out built",),
    "bench": ("edgetui bench model.onnx --threads 1", "edgetui bench built/plan.onnx --preset precise"),
    "sensitivity": (
        "edgetui sensitivity model.onnx --dataset images.zip",
        "edgetui sensitivity model.onnx --random --step prune.magnitude",
    ),
    "search": ('edgetui search model.onnx --dataset images.zip --goal "fastest drop<=0.01"',),
    "sweep": (
        'edgetui sweep model.onnx --modes all --want "fps>=30 power_w<=12"',
        "edgetui sweep model.onnx --modes none --threads 1,2 --dry-run",
    ),
    "fleet": ("edgetui fleet up", "edgetui fleet status"),
    "monitor": (
        "edgetui monitor --once",
        "edgetui monitor --plain --interval 5 --record flight.jsonl",
        "edgetui monitor --replay flight.jsonl --speed 10",
    ),
    "doctor": ("edgetui doctor",),
    "config": ("edgetui config", "edgetui config ui.theme"),
    "schema": ("edgetui schema", "edgetui schema result"),
    "completion": ("edgetui completion fish > ~/.config/fish/completions/edgetui.fish",),
}
"""By the names of the commands."""


def at_the_end(name: str) -> str:
    r"""The last part of a command's help; click leaves rows below its `\b` as they are."""
    lines = EXAMPLES.get(name, ())
    return "\n".join(("\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)))
