"""What others run in their CI: the composite action's scripts, and the container recipe's paths."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "ci/action/action.yml").read_text())


def step(name: str) -> str:
    return next(str(one["run"]) for one in ACTION["runs"]["steps"] if one.get("name") == name)


def bash(script: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A step as the runner runs it: bash that ends at the first failure."""
    told = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    given = {**os.environ, **told, "PATH": path, "OUT": str(tmp_path / "out"), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=given, check=False)


def test_the_action_runs_tells_and_judges(tmp_path: Path) -> None:
    options = "--tags '@id:labels.06 and @core' -n 2"
    done = bash(step("Run"), tmp_path, TARGET="reference", PROFILES="selection", OPTIONS=options)
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    report = tmp_path / "out/report.json"
    assert outputs == {"exit-code": "2", "report": str(report)}
    assert len(json.loads(report.read_text())["scenarios"]) == 1
    told = {"REPORT": str(report), "DOCS": "true", "BASELINE": str(report)}
    done = bash(step("Tell"), tmp_path, **told)
    assert done.returncode == 0, done.stderr
    assert "1 as before" in (tmp_path / "summary").read_text()
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["badge.svg", "junit.xml", "messages.ndjson", "report.json", "site", "trace.md"]
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{}")
    assert bash(step("Tell"), tmp_path, **{**told, "DOCS": "", "BASELINE": str(damaged)}).returncode == 1
    assert [bash(step("Judge"), tmp_path, CODE=code).returncode for code in ("0", "1", "2", "")] == [0, 1, 2, 3]


@pytest.mark.parametrize("place", ["runs", "outputs"])
def test_what_the_action_refers_to_is_there(place: str) -> None:
    text = json.dumps(ACTION[place])
    assert set(re.findall(r"inputs\.([\w-]+)", text)) <= set(ACTION["inputs"])
    assert set(re.findall(r"steps\.([\w-]+)", text)) <= {one.get("id") for one in ACTION["runs"]["steps"]}


def test_the_container_recipe_copies_what_the_wheel_is_built_from() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "ci/Containerfile").read_text(), re.M)
    names = {name for line in copied for name in line.split()}
    assert {"pyproject.toml", "README.md", "LICENSE", "reference", "step_defs", "features", "schemas"} == names
    assert all((ROOT / name).exists() for name in names)
