"""The command: runs from end to end, exit codes, and one clear line for everything that is wrong with its use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gherkube import __version__, cli

GOOD = """\
Feature: Things
  @req:API-3
  Rule: They can be read
    @id:things.01 @core
    Scenario: A thing is read
      Given a ConfigMap "a"
      When the ConfigMap "a" is read
      Then the request is accepted

    @id:things.02 @core
    Scenario: Another is not there
      Given a ConfigMap "a"
      When the ConfigMap "b" is read
      Then the request is refused as NotFound
"""


def features(tmp_path: Path, text: str = GOOD) -> Path:
    root = tmp_path / "features"
    (root / "api").mkdir(parents=True)
    (root / "api/things.feature").write_text(text)
    (root / "requirements.yaml").write_text("clauses: [{id: API-3, profile: api, text: Reading reads.}]")
    return root


def gherkube(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from gherkube.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_a_conformant_run_and_its_report(tmp_path: Path) -> None:
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    root = features(tmp_path)
    # What the environment says to pytest is meant for other tests.
    done = gherkube("run", "--features", root, "--report", report, "--junit", junit, PYTEST_ADDOPTS="--nonsense")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed      things.01                A thing is read" in done.stdout
    assert "conformant (2 scenarios" in done.stdout
    assert "Traceback" not in done.stderr
    made = json.loads(report.read_text())
    assert made["verdict"]["conformant"]
    assert made["implementation"]["project"] == "refkube"
    assert made["suite"]["counts"]["passed"] == 2
    assert junit.read_text().count("<testcase") == 2


def test_a_failure_is_exit_code_1_with_evidence_also_in_parallel(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    root = features(tmp_path, GOOD.replace("refused as NotFound", "accepted"))
    done = gherkube("run", "--features", root, "--report", report, "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Then the request is accepted (line 14): the request was refused as NotFound (404)" in done.stdout
    failed = next(one for one in json.loads(report.read_text())["scenarios"] if one["outcome"] == "failed")
    assert any("/configmaps/b: refused as NotFound" in line for line in failed["evidence"]["exchanges"])


def test_a_part_is_exit_code_2(tmp_path: Path) -> None:
    done = gherkube("run", "--features", features(tmp_path), "--tags", "@id:things.01")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no verdict" in done.stdout


def test_an_undefined_step_is_exit_code_1(tmp_path: Path) -> None:
    done = gherkube("run", "--features", features(tmp_path, GOOD.replace("the request is accepted", "all is fine")))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "undefined   things.01" in done.stdout


WRONG = [
    (["run", "--profile", "nope"], "gherkube: no profile 'nope'; profiles: api, "),
    (["run", "--level", "nope"], "gherkube: no level 'nope'; levels: core, "),
    (["run", "--tags", "@core and"], "gherkube: no tag expression"),
    (["run", "--tags", "@nothing"], "gherkube: the selection holds no scenario"),
    (["run", "--target", "moon"], "gherkube: no such target: 'moon'; targets: reference, kernel, kubeconfig:PATH"),
    (["run", "--target", "kubeconfig:/nope"], "gherkube: target 'kubeconfig:/nope': there is no such file"),
    (["run", "--target", "kubeconfig:/etc/hostname"], "gherkube: target 'kubeconfig:/etc/hostname': not a"),
    (["run", "--target", "reference?moons=2"], "no option 'moons'; options: nodes, seed"),
    (["run", "--report", "/nope/report.json"], "gherkube: cannot write /nope/report.json: No such file or directory"),
    (["run", "--messages", "/nope/m"], "gherkube: cannot write /nope/m: No such file or directory"),
    (["run", "--junit", "/"], "gherkube: cannot write /: Is a directory"),
    (["run", "-n", "many"], "gherkube: -n 'many': a number of processes, or auto"),
    (["run", "--retries", "-1"], "gherkube: Invalid value for '--retries'"),
    (["run", "--implementation", "colour=red"], "gherkube: --implementation 'colour=red': one of organization, "),
    (["run", "--features", "/nope"], "gherkube: there is no folder /nope"),
    (["run", "--moon"], "gherkube: No such option: --moon"),
    (["docs", "/proc/nope"], "gherkube: cannot write /proc/nope: "),
    (["trace", "--output", "/nope/t"], "gherkube: cannot write /nope/t: No such file or directory"),
    (["diff", "/nope", "/nope"], "gherkube: cannot read /nope: No such file or directory"),
    (["badge", "/nope", "/nope"], "gherkube: cannot read /nope: No such file or directory"),
    (["diff", "/etc/hostname"], "gherkube: Missing argument 'AFTER'."),
    (["miniatures", "--results", "/nope/m"], "gherkube: cannot write /nope/m: No such file or directory"),
    (["smoke", "--target", "moon"], "gherkube: no such target: 'moon'; targets: reference, kernel, kubeconfig:PATH"),
    (["walk"], "gherkube: No such command 'walk'"),
    (["lint", "--features", "/nope"], "gherkube: there is no folder /nope"),
    (["list", "--profile", "nope"], "gherkube: no profile 'nope'"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(wrong[0]) for wrong in WRONG])
def test_wrong_use_is_one_line_and_exit_code_3(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.call(arguments) == 3
    told = capsys.readouterr()
    assert message in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@core", "@crore", "gherkube: api/things.feature:5: exactly one of @core, @extended, @provisional is needed"),
        ("Feature: Things", "Feature", "gherkube: api/things.feature:1: not Gherkin: expected: "),
        (
            "@req:API-3",
            "@req:API-4",
            "gherkube: api/things.feature:5: @req:API-4: requirements.yaml has no such clause",
        ),
    ],
)
def test_a_broken_feature_is_told_by_file_and_line(
    tmp_path: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.call(["run", "--features", str(features(tmp_path, GOOD.replace(old, new)))]) == 3
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_lint_tells_findings_and_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["lint", "--features", str(features(tmp_path, GOOD.replace("@core", "@extended")))]) == 3
    assert "requirements.yaml:1: no core scenario covers API-3: Reading reads." in capsys.readouterr().out


def test_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["list", "--features", str(features(tmp_path))]) == 0
    assert capsys.readouterr().out.splitlines()[0].split(maxsplit=2) == ["things.01", "core", "A thing is read"]
    assert cli.call(["list", "--steps"]) == 0
    shown = capsys.readouterr().out
    assert "When  the <object> is read" in shown
    assert '          When the ConfigMap "settings" is read' in shown
    assert cli.call(["list", "--profiles"]) == 0
    assert "kubelet          The kubelet (requires pods.real)" in capsys.readouterr().out


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["--version"]) == 0
    assert capsys.readouterr().out == f"gherkube {__version__}\n"
    assert cli.call([]) == 0
    assert "miniatures" in capsys.readouterr().out


def test_plain_pytest_runs_the_features_as_well(tmp_path: Path) -> None:
    root = features(tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "--gherkube-features", root, "-p", "no:cacheprovider", root]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_steps_never_import_a_system_under_test() -> None:
    check = (
        "import sys; from gherkube import steps, world; steps.modules();"
        "bad = [name for name in sys.modules if name.startswith(('refkube', 'gherkube.drivers.'))];"
        "assert bad == ['gherkube.drivers.base', 'gherkube.drivers.conversation'], bad"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
