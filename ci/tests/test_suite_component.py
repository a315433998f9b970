"""Somebody's component among refkube's: judged alone, told precisely when it does not take part."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from gherkube import cli, component, uml
from gherkube.drivers import kernel
from gherkube.report import read_report

FEATURE = """\
Feature: Placing
  @req:SCH-1
  Rule: A Pod is bound to a node that meets its requirements
    @id:placing.01 @core
    Scenario: A Pod gets a node
      When a Pod "web" is created
      Then within 30 seconds the Pod "web" has:
        | field        | value   |
        | status.phase | Running |

    @id:placing.02 @core
    Scenario: A Pod gets the node that it asks for
      When a Pod "web" is created with:
        | field             | value                        |
        | spec.nodeSelector | {kubernetes.io/hostname: n2} |
      Then within 3 seconds the Pod "web" has:
        | field         | value |
        | spec.nodeName | n2    |
"""

# A scheduler that puts every Pod on n1, whatever it asks for.
TOY = """\
import json, sys
import httpx2, yaml
config = yaml.safe_load(open(sys.argv[1]))
server = config["clusters"][0]["cluster"]["server"]
headers = {"authorization": "Bearer " + config["users"][0]["user"]["token"]}
with httpx2.Client(base_url=server, headers=headers, timeout=None, trust_env=False) as client:
    with client.stream("GET", "/api/v1/pods", params={"watch": "true"}) as events:
        for line in events.iter_lines():
            pod = json.loads(line)["object"]
            if not pod["spec"].get("nodeName"):
                path = "/api/v1/namespaces/{namespace}/pods/{name}/binding".format(**pod["metadata"])
                body = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"kind": "Node", "name": "n1"}}
                client.post(path, json=body)
"""


@pytest.fixture
def features(tmp_path: Path) -> Path:
    (tmp_path / "features/scheduling").mkdir(parents=True)
    (tmp_path / "features/scheduling/placing.feature").write_text(FEATURE)
    clauses = "clauses: [{id: SCH-1, profile: scheduling, text: It fits.}]"
    (tmp_path / "features/requirements.yaml").write_text(clauses)
    return tmp_path / "features"


def run(tmp_path: Path, features: Path, *options: str) -> int:
    where = ("--kubeconfig", str(tmp_path / "component.kubeconfig"), "--features", str(features))
    return cli.call(["run", "--component", "scheduler", *where, *options])


def test_a_scheduler_is_judged_for_what_it_does(tmp_path: Path, features: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    start = shlex.join([sys.executable, str(tmp_path / "toy.py"), "{kubeconfig}"])
    told = ("--implementation", "project=toy", "--report", str(tmp_path / "report.json"))
    assert run(tmp_path, features, "--start", start, "--profile", "scheduling", *told) == 1
    made = read_report(tmp_path / "report.json")
    assert {one["id"]: one["outcome"] for one in made["scenarios"]} == {"placing.01": "passed", "placing.02": "failed"}
    assert made["target"]["parameters"] == {"component": "scheduler", "others": "refkube"}
    assert made["implementation"] == {
        "organization": None,
        "project": "toy",
        "version": None,
        "url": None,
        "language": None,
    }
    assert made["command"].startswith("gherkube run --component scheduler --start ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features", "report.json", "toy.py"]


ROLLED = """\
Feature: Rolling
  @req:RS-1
  Rule: Pods are made
    @id:rolling.01 @core
    Scenario: A Deployment becomes available
      When a Deployment "web" is created
      Then within 60 seconds the Deployment "web" has:
        | field                    | value |
        | status.availableReplicas | 1     |
"""


ENDED = """\
Feature: Ending
  @req:KLT-1
  Rule: A container that ends is restarted
    @id:ending.01 @core
    Scenario: It is restarted, and its log before can be read
      When a Pod "web" is created with:
        | field                      | value                                   |
        | spec.containers[0].image   | test/busybox                            |
        | spec.containers[0].command | [sh, -c, "echo hello; sleep 2; exit 1"] |
      Then within 60 seconds the Pod "web" has:
        | field                                            | value |
        | status.containerStatuses[name=main].restartCount | 1     |
      And within 10 seconds the log of the Pod "web" before its restart mentions "hello"

    @id:ending.02 @core
    Scenario: It is not restarted where that is not wanted
      When a Pod "web" is created with:
        | field                      | value               |
        | spec.restartPolicy         | Never               |
        | spec.containers[0].image   | test/busybox        |
        | spec.containers[0].command | [sh, -c, "exit 1"]  |
      Then within 60 seconds the Pod "web" has:
        | field        | value  |
        | status.phase | Failed |
"""
CLAUSES = """clauses:
- {id: SCH-1, profile: scheduling, text: It fits.}
- {id: RS-1, profile: workloads, text: They are there.}
- {id: KLT-1, profile: kubelet, text: They are restarted.}
"""
NODE = ("--name", "{node}", "--port", "0")
FEATURES = {
    "scheduler": ("scheduling", "placing", FEATURE),
    "controller-manager": ("workloads", "rolling", ROLLED),
    "kubelet": ("kubelet", "ending", ENDED),
}
# refkube with a fault, as a process.
FAULTY = """\
import sys
from gherkube.drivers.miniatures import all_miniatures
from refkube.cli import main
fault = sys.argv.pop(1)
with next(one for one in all_miniatures() if one.name == fault).plant():
    main()
"""


def judged(tmp_path: Path, name: str, *command: str) -> int:
    profile, feature, text = FEATURES[name]
    (tmp_path / profile).mkdir()
    (tmp_path / profile / f"{feature}.feature").write_text(text)
    (tmp_path / "requirements.yaml").write_text(CLAUSES)
    more = NODE if name == "kubelet" else ()
    start = shlex.join([sys.executable, *command, name, "--kubeconfig", "{kubeconfig}", *more])
    where = ("--kubeconfig", str(tmp_path / "component.kubeconfig"), "--features", str(tmp_path))
    report = ("--report", str(tmp_path / "report.json"))
    return cli.call(["run", "--component", name, "--start", start, "--profile", profile, *where, *report])


@pytest.mark.parametrize("name", FEATURES)
def test_refkubes_own_components_pass_as_processes_of_their_own(tmp_path: Path, name: str) -> None:
    assert judged(tmp_path, name, "-m", "refkube") == 0


def test_a_kubelet_fails_where_it_is_wrong_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY)
    assert judged(tmp_path, "kubelet", str(tmp_path / "faulty.py"), "restarts-nothing") == 1
    outcomes = {one["id"]: one["outcome"] for one in read_report(tmp_path / "report.json")["scenarios"]}
    assert outcomes == {"ending.01": "failed", "ending.02": "passed"}
    assert not list(tmp_path.glob("component.kubeconfig*"))


def test_a_kube_proxy_fails_where_it_is_wrong_and_nowhere_else(tmp_path: Path) -> None:
    """In each node's network, on a real kernel: one that leaves Pods behind a Service that they have left."""
    if kernel.lacking() and (why := uml.missing()):
        pytest.skip(f"{kernel.lacking()}; User Mode Linux is {why}")
    (tmp_path / "faulty.py").write_text(FAULTY)
    program = [sys.executable, str(tmp_path / "faulty.py"), "keeps-stale-real-servers", "kube-proxy"]
    start = shlex.join([*program, "--kubeconfig", "{kubeconfig}", "--hostname-override", "{node}"])
    tags = "@id:clusterip-traffic.01 or @id:clusterip-traffic.07"
    command = [sys.executable, "-m", "gherkube", "run", "--target", "kernel", "--component", "kube-proxy"]
    command += ["--start", start, "--tags", tags, "--report", str(tmp_path / "report.json")]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 1
    made = read_report(tmp_path / "report.json")
    outcomes = {one["id"]: one["outcome"] for one in made["scenarios"]}
    assert outcomes == {"clusterip-traffic.01": "passed", "clusterip-traffic.07": "failed"}
    assert made["target"]["parameters"]["component"] == "kube-proxy"
    assert "--component kube-proxy --target kernel" in made["command"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("/nope/scheduler", "cannot start /nope/scheduler: No such file or directory"),
        (f"{sys.executable} -c 'raise SystemExit(7)'", "scheduler ended with code 7 before it asked for anything"),
        ("'", '--start "\'": No closing quotation'),
    ],
)
def test_a_component_that_does_not_come_up_is_told(
    tmp_path: Path, features: Path, start: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, features, "--start", start) == 3
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1


def test_a_component_that_never_connects_is_told(
    tmp_path: Path, features: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component.Component.__init__, "__defaults__", ("", 0.2, "reference"))
    assert run(tmp_path, features) == 3
    told = capsys.readouterr()
    assert "waiting for scheduler: connect it with KUBECONFIG=" in told.out.replace("\n", "")
    assert "scheduler asked for nothing within 0.2 s; does it use the kubeconfig that was written for it?" in told.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--component", "engine"],
            "--component 'engine': one of kubelet, scheduler, controller-manager, deployment-controller",
        ),
        (["--start", "x"], "--start starts a component: name it with --component"),
        (["--component", "scheduler", "--target", "http://x"], "it goes with no other --target"),
        (["--component", "kube-proxy", "--start", "x"], "which the simulated one is not: --target kernel"),
        (["--component", "kube-proxy", "--target", "kernel"], "where nobody else gets: --start says how"),
        (["--component", "scheduler", "--kubeconfig", "/nope/k"], "cannot write /nope/k: No such file or directory"),
    ],
)
def test_wrong_use_is_told(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["run", *options]) == 3
    assert message in capsys.readouterr().err
