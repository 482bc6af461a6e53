"""`adaptive` on a fake GPU: INT8 and FP16 engines with a manifest each, and the guard beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import fake_gpu
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.schema.escalation import decode_rule
from measuring import short_elsewhere

DEMO = PACKAGE / "profiles" / "demo"
RECIPE = """
[[step]]
method = "quantize.int8"
samples = 64

[[step]]
method = "adaptive"
precision = "float16"
threshold = 0.9
"""


@pytest.mark.long
def test_both_engines_are_built_compared_and_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_gpu.elsewhere(monkeypatch, tmp_path / "site", "10.3")
    short_elsewhere(monkeypatch)
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.03")
    (tmp_path / "two.toml").write_text(RECIPE)
    words = ["run", str(DEMO / "digits.onnx"), "--recipe", str(tmp_path / "two.toml"), "--dataset", str(DEMO / "digits.toml")]
    argv = [sys.executable, "-m", "edgetui", *words, "--preset", "quick", "--backend", "tensorrt", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    artifacts = {word: Path(path) for word, path in result["artifacts"].items()}
    rule = decode_rule(artifacts["adaptive"].read_bytes(), "adaptive.json")
    assert (rule.precision, rule.wide) == ("float16", artifacts["plan_wide"].name)
    assert artifacts["manifest_wide"].name == f"{rule.wide}.json"
    told = result["candidate"]["escalation"]
    assert 0 < told["share"] < 1
    assert told["wide"]["latency_ratio"]["value"] > 0
    assert result["guard"]["accuracy"]["top1"] == told["wide"]["quality"]
    assert result["correction"]["variants"] == 5
    assert result["candidate"]["size_bytes"] == sum(artifacts[word].stat().st_size for word in ("plan", "plan_wide"))
