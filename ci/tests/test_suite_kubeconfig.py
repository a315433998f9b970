"""The driver for live clusters: scenarios leave nothing behind, whatever ends them; a broken way to it is an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gherkube.drivers import open_target
from gherkube.drivers.base import Answer, Api, Driver, TargetError, Unreachable
from gherkube.drivers.kubeconfig import KubeconfigDriver

pytest.importorskip("uvicorn", reason="serving needs the extra gherkube[serve]")

# A shell has its background ignore ^C, and so would all that these tests start from there.
HEEDS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
GHERKUBE = [sys.executable, "-c", f"{HEEDS}; from gherkube.cli import main; main()"]
REFKUBE = [sys.executable, "-c", "from refkube.cli import main; main()"]

WAITS = """\
Feature: Waits
  @req:API-3 @core @needs:time.skip
  Rule: It waits
    @id:waits.01
    Scenario: It is interrupted
      Given a Namespace "other"
      And a PersistentVolume "held" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And 10 minutes have passed
      When the PersistentVolume "held" is read
      Then the request is accepted

    @id:waits.02
    Scenario: It fails
      Given a PersistentVolume "held" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      When the PersistentVolume "held" is read
      Then the request is refused as NotFound
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A live API server, as a process of its own."""
    folder = tmp_path_factory.mktemp("served")
    config = folder / "kubeconfig"
    command = [*REFKUBE, "serve", "--memory", "--port", "0", "--data-dir", str(folder), "--kubeconfig", str(config)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline().strip(), "the server said nothing"
        yield f"kubeconfig:{config}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


@pytest.fixture
def driver(target: str) -> Iterator[Driver]:
    opened = open_target(target)
    yield opened
    opened.close()


@pytest.fixture
def features(tmp_path: Path) -> Path:
    root = tmp_path / "features"
    (root / "api").mkdir(parents=True)
    (root / "api/waits.feature").write_text(WAITS)
    (root / "requirements.yaml").write_text("clauses: [{id: API-3, profile: api, text: Reading reads.}]")
    return root


def names(driver: Driver, path: str) -> list[str]:
    """What is there and not on its way out."""
    items = driver.api().call("GET", path).object["items"]
    return [item["metadata"]["name"] for item in items if "deletionTimestamp" not in item["metadata"]]


def left_behind(driver: Driver) -> list[str]:
    namespaces = [name for name in names(driver, "/api/v1/namespaces") if name.startswith(("gherkube-", "other"))]
    return namespaces + names(driver, "/api/v1/persistentvolumes")


def check_nothing_left(driver: Driver) -> None:
    left = left_behind(driver)
    if left:
        raise AssertionError(f"left behind: {left}")


def test_a_failed_scenario_leaves_nothing_behind(target: str, driver: Driver, features: Path) -> None:
    command = [*GHERKUBE, "run", "--target", target, "--features", str(features), "--tags", "@id:waits.02"]
    (features / "api/waits.feature").write_text(
        WAITS.replace(" @needs:time.skip", "").replace("10 minutes", "1 minute")
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    check_nothing_left(driver)


@pytest.mark.parametrize("processes", ["", "2"])
def test_an_interrupted_run_leaves_nothing_behind(target: str, driver: Driver, features: Path, processes: str) -> None:
    (features / "api/waits.feature").write_text(
        WAITS.replace(" @needs:time.skip", "").replace("10 minutes", "1 minute")
    )
    command = [*GHERKUBE, "run", "--target", target, "--features", str(features)]
    command += ["-n", processes] if processes else []
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:

        def is_waiting() -> None:
            if not any(name.startswith("held") for name in names(driver, "/api/v1/persistentvolumes")):
                raise AssertionError("the scenario has not come that far")

        driver.eventually(is_waiting, 30.0)
        os.killpg(run.pid, signal.SIGINT)
        output, _ = run.communicate(timeout=30)
    finally:
        run.kill()
    assert run.returncode in (1, 2), output
    assert "Traceback" not in output
    driver.eventually(lambda: check_nothing_left(driver), 10.0)


def test_real_names_are_marked_and_unmarked(driver: Driver) -> None:
    first = driver.begin("one.01")
    second = driver.begin("one.02")
    try:
        assert first.home != second.home
        assert first.cluster("big") != second.cluster("big")
        assert first.plain(first.cluster("big")) == "big"
    finally:
        driver.sweep()
    check_nothing_left(driver)


def test_a_watch_stops_although_nothing_arrives(driver: Driver) -> None:
    watching = driver.api().watch("/api/v1/namespaces/default/configmaps", {"resourceVersion": ""})
    watching.stop()  # type: ignore[union-attr]
    assert watching.ended  # type: ignore[union-attr]


def test_requests_without_credentials_carry_none(driver: Driver) -> None:
    assert driver.api().call("GET", "/api/v1/namespaces").accepted
    assert driver.api(None).call("GET", "/api/v1/namespaces").reason == "Unauthorized"
    assert driver.api("nonsense").call("GET", "/api/v1/namespaces").reason == "Unauthorized"


def test_what_is_declared_and_not_there_is_an_error(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, gone = Api.call, Answer(404, httpx2.Headers(), b"{}")

    def call(api: Api, method: str, path: str, **how: Any) -> Answer:
        return gone if "metrics" in path else ask(api, method, path, **how)

    monkeypatch.setattr(Api, "call", call)
    with pytest.raises(TargetError, match=r"declares metrics.read, but metrics.k8s.io is not served"):
        open_target(f"{target}?capabilities=metrics.read")
    opened = open_target(target)
    assert "metrics.read" not in opened.capabilities
    opened.close()


def test_capabilities_are_declared_and_probed(target: str) -> None:
    opened = open_target(f"{target}?capabilities=dns,pods.run&speed=2")
    assert opened.declared == {"dns", "pods.run"}
    assert opened.capabilities == {"dns", "pods.run", "metrics.read"}
    opened.close()
    for options, message in {
        "capabilities=time.skip": "cannot declare time.skip",
        "speed=0": "speed='0' is not a positive number",
        "context=moon": "Context 'moon' not found",
        "colour=red": "no option 'colour'; options: context, speed, capabilities",
    }.items():
        with pytest.raises(TargetError) as told:
            open_target(f"{target}?{options}")
        assert message in str(told.value)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a kubeconfig"),
        ("a: [", "not YAML"),
        ("clusters: 3", "not a kubeconfig"),
        ("{apiVersion: v1, kind: Config, clusters: [], contexts: [], users: []}", "No current context set"),
        (
            "{clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}], users: [],"
            " contexts: [{name: a, context: {cluster: a}}], current-context: a}",
            "does not answer",
        ),
        (
            "{clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1', certificate-authority: /nope}}], users: [],"
            " contexts: [{name: a, context: {cluster: a}}], current-context: a}",
            "No such file",
        ),
    ],
)
def test_a_broken_kubeconfig_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(TargetError) as told:
        open_target(f"kubeconfig:{path}")
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_a_cluster_that_goes_away_is_the_harness_fault_not_a_failure(driver: Driver) -> None:
    assert isinstance(driver, KubeconfigDriver)
    cluster = driver._config.cluster
    driver._config = driver._config._replace(cluster=type(cluster)(server="https://127.0.0.1:1", insecure=True))
    driver._clients.clear()
    with pytest.raises(Unreachable, match="ConnectError"):
        driver.api().call("GET", "/api/v1/namespaces")
