"""Scheduler and controllers as processes of their own: one of several acts, the next takes over, each ends cleanly.

What they do once they act is specified by features; here are leases, signals and wrong use.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.client.http import connect
from refkube.client.informer import Informers
from refkube.engine.clock import WallClock
from refkube.engine.loop import Loop

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from ci.server import refkube_server  # noqa: E402

PATIENCE = 60.0  # seconds until a test gives up
SPEED = "3"
LEADS = re.compile(r"(\S+) leads, which is this one")


class Process:
    """A component; what it says is read as it comes."""

    def __init__(self, *arguments: str):
        command = [sys.executable, "-m", "refkube", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self.process.stderr is not None
        self._stderr = self.process.stderr
        self.said = ""

    def says(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Wait until it does."""
        deadline = monotonic() + PATIENCE
        while (found := pattern.search(self.said)) is None:
            ready, _, _ = select.select([self._stderr], [], [], deadline - monotonic())
            assert ready, f"it says no {pattern.pattern}, but: {self.said}"
            chunk = os.read(self._stderr.fileno(), 65536)
            assert chunk, f"it has ended: {self.said}"
            self.said += chunk.decode()
        return found

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        rest = self.process.communicate(timeout=PATIENCE)[1]
        self.said += rest.decode()
        return self.process.returncode


class Observer:
    """A user of the API who waits for what is to come."""

    def __init__(self, kubeconfig: Path):
        self.loop = Loop(WallClock())
        self._handle = connect(self.loop, str(kubeconfig))
        self.client = Client(self._handle)
        self._informers = Informers(self.client, self.loop)
        self.leases = self._informers.of("leases.coordination.k8s.io", "kube-system")
        self.pods = self._informers.of("pods")
        self._informers.start()

    def sees(self, condition: Callable[[], object]) -> None:
        assert self.loop.run_until(condition, PATIENCE)

    def holder(self, lease: str) -> str:
        found = self.leases.get(f"kube-system/{lease}") or {}
        return str((found.get("spec") or {}).get("holderIdentity") or "")

    def node_of(self, name: str) -> str:
        found = self.pods.get(f"default/{name}") or {"spec": {}}
        return str(found["spec"].get("nodeName") or "")

    def close(self) -> None:
        self._informers.stop()
        self._handle.close()


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    with refkube_server("--memory", "--controllers", "serviceaccount-controller") as server:
        yield server.kubeconfig


@pytest.fixture
def observer(kubeconfig: Path) -> Iterator[Observer]:
    observer = Observer(kubeconfig)
    yield observer
    observer.close()


@pytest.fixture
def start(kubeconfig: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(command: str, *arguments: str) -> Process:
        started.append(Process(command, "--kubeconfig", str(kubeconfig), "--speed", SPEED, *arguments))
        return started[-1]

    yield begin
    for process in started:
        process.end(signal.SIGKILL)


def pod(name: str) -> Object:
    spec = {"containers": [{"name": "c", "image": "web:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def test_the_next_scheduler_takes_over_when_the_one_that_leads_is_killed(
    start: Callable[..., Process], observer: Observer
) -> None:
    status = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
    observer.client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": status})
    observer.client.patch("nodes", "n1", {"spec": {"taints": None}})
    first = start("scheduler")
    leader = first.says(LEADS)[1]
    second = start("scheduler")
    second.says(re.compile(f"{re.escape(leader)} leads\n"))
    observer.client.create("pods", pod("one"))
    observer.sees(lambda: observer.node_of("one") == "n1" and observer.holder("kube-scheduler") == leader)
    first.end(signal.SIGKILL)
    other = second.says(LEADS)[1]
    assert other != leader
    observer.client.create("pods", pod("two"))
    observer.sees(lambda: observer.node_of("two") == "n1" and observer.holder("kube-scheduler") == other)
    assert second.end() == 0
    observer.sees(lambda: observer.holder("kube-scheduler") == "")  # it is handed on, not left to run out


def test_the_controllers_asked_for_run(start: Callable[..., Process], observer: Observer) -> None:
    manager = start("controller-manager", "--controllers", "replicaset-controller,namespace-controller")
    leader = manager.says(LEADS)[1]
    selector = {"matchLabels": {"app": "web"}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("")["spec"]}
    spec = {"replicas": 2, "selector": selector, "template": template}
    meta = {"name": "web", "namespace": "default"}
    replicas = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": spec}
    observer.client.create("replicasets.apps", replicas)
    observer.sees(lambda: sum(key.startswith("default/web-") for key in observer.pods.items) == 2)
    assert observer.holder("kube-controller-manager") == leader
    assert manager.end(signal.SIGINT) == 0


def test_without_election_there_is_no_lease(start: Callable[..., Process], observer: Observer) -> None:
    observer.client.create("pods", pod("three"))
    scheduler = start("scheduler", "--no-leader-elect")
    observer.sees(lambda: observer.node_of("three") == "n1")
    assert observer.holder("kube-scheduler") == ""
    assert scheduler.end() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["scheduler"], "--kubeconfig"),
        (["scheduler", "--kubeconfig", "/nowhere/config"], "/nowhere/config"),
        (["controller-manager", "--kubeconfig", "{}", "--controllers", "gardener"], "no such controller: gardener"),
        (["scheduler", "--kubeconfig", "{}", "--speed", "0"], "--speed must be positive"),
        (["controller-manager", "--kubeconfig", "{}", "--service-account-private-key-file", "{}"], "no private key"),
        (["scheduler", "--kubeconfig", "{}", "--frobnicate"], "frobnicate"),
    ],
)
def test_wrong_use_is_told_in_one_line(arguments: list[str], told: str, kubeconfig: Path) -> None:
    command = [sys.executable, "-m", "refkube", *(word.format(kubeconfig) for word in arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False)
    assert done.returncode == 3
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_wrong_credentials_are_told(kubeconfig: Path, tmp_path: Path) -> None:
    told = re.sub(r"token: .*", "token: nobody", kubeconfig.read_text())
    wrong = tmp_path / "config"
    wrong.write_text(told)
    process = Process("scheduler", "--kubeconfig", str(wrong))
    process.says(re.compile("the API server refuses"))
    assert process.process.wait(PATIENCE) == 3
