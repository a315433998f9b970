"""What crosses the network of a cluster that is served: connections by commands, journeys and tables from outside."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from gherkube.drivers import open_target
from gherkube.drivers.base import Connection, NotOffered, TargetError
from gherkube.drivers.commands import Commands, _Answering
from gherkube.phrases import Place
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http.server import ThreadingHTTPServer

from ci.server import refkube_server

ARGS = ["netexec", "--http-port=80", "--udp-port=80"]
SERVER = {"name": "main", "image": "registry.k8s.io/e2e-test-images/agnhost:2.56", "args": ARGS}
A, OUTSIDE, N2 = Place("Pod", "a", "default"), Place("outside"), Place("node", "n2")
MACHINES = "outside=/debug/refkube/machines"


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    with refkube_server("--memory", "--nodes", "2", "--speed", "10") as server:
        yield server.kubeconfig


@pytest.fixture(scope="module")
def driver(kubeconfig: Path) -> Iterator[Any]:
    made = open_target(f"kubeconfig:{kubeconfig}?speed=10&capabilities=pods.run,pods.real,dns&{MACHINES}")
    for name, node in (("a", "n1"), ("b", "n2")):
        spec = {"nodeName": node, "containers": [SERVER]}

        def create(body: Any) -> None:
            answer = made.api().call("POST", "/api/v1/namespaces/default/pods", body=body)
            assert answer.accepted, answer.message

        made.eventually(lambda body={"metadata": {"name": name}, "spec": spec}: create(body), 60.0)
    made.eventually(lambda: address(made, "a") and address(made, "b"), 60.0)
    yield made
    made.close()


def address(driver: Any, name: str) -> str:
    pod = driver.api().call("GET", f"/api/v1/namespaces/default/pods/{name}").object
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions") or ()}
    assert conditions.get("Ready") == "True", pod["status"]
    return str(pod["status"]["podIP"])


def test_connections_tell_who_answered_and_whom_that_saw(driver: Any) -> None:
    assert driver.capabilities >= {"net.connect", "net.outside"}
    a, b = address(driver, "a"), address(driver, "b")
    for protocol in ("TCP", "UDP"):
        assert driver.connect(A, b, 80, protocol, 3) == [Connection("answered", "b", a, b)] * 3
    for protocol, size in (("TCP", 20000), ("UDP", 1200)):
        assert driver.connect(A, b, 80, protocol, size=size) == [Connection("answered", answered_from=b)]
    assert driver.connect(N2, b, 80)[0].pod == "b"
    assert driver.connect(OUTSIDE, driver.outside_address(Place("outside", "second")), 80)[0].outcome == "answered"
    assert driver.fetch(A, b, 80, "/echo?msg=hello") == (200, "hello")

    def named() -> None:  # once coredns has come up
        assert driver.resolve(A, "kubernetes") == ("NOERROR", ["10.96.0.1"])

    driver.eventually(named, 60.0)
    assert driver.resolve(A, "nobody.default.svc.cluster.local.") == ("NXDOMAIN", [])


def test_connections_tell_why_nobody_answered(driver: Any) -> None:
    b = address(driver, "b")
    for protocol in ("TCP", "UDP"):
        assert driver.connect(A, b, 81, protocol, 2) == [Connection("refused")] * 2
        assert driver.connect(A, "10.244.9.9", 80, protocol) == [Connection("timed out")]
        assert driver.connect(A, "nobody.default.svc.cluster.local.", 80, protocol) == [Connection("unresolved")]
    assert driver.connect(A, "192.0.2.9", 80, times=12) == [Connection("unreachable")]  # the others are not waited for


def test_a_connection_that_is_held_is_asked_again_until_it_is_broken(driver: Any) -> None:
    held = driver.connect(A, address(driver, "b"), 80, hold=True)
    assert held == driver.held() == [Connection("answered", "b")]
    driver.release()
    assert driver.held() == []
    assert driver.connect(A, address(driver, "b"), 81, hold=True) == [Connection("refused")]
    driver.release()


def test_a_pod_that_is_not_there_is_told(driver: Any) -> None:
    with pytest.raises(AssertionError, match=r"was refused \(404"):
        driver.connect(Place("Pod", "nobody", "default"), "10.0.0.1", 80)


def test_what_a_probe_refutes_is_an_error(kubeconfig: Path) -> None:
    for options, told in (
        ("capabilities=pods.run,net.connect", "declares net.connect, which a probe refutes"),
        ("capabilities=pods.real,net.outside", "declares net.outside, which a probe refutes"),
        ("capabilities=pods.real&outside=/nowhere", "there is no machine at /nowhere/outside"),
    ):
        with pytest.raises(TargetError, match=told):
            open_target(f"kubeconfig:{kubeconfig}?{options}")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_real_tools_tell_the_same() -> None:
    here = Commands(lambda: None, lambda: None, lambda check, within: check(), "", {}, "")  # type: ignore[arg-type,return-value]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    local = "127.0.0.1"
    assert (
        here.connect(OUTSIDE, local, port, "TCP", 3, False, 0) == [Connection("answered", "outside", local, local)] * 3
    )
    assert here.connect(OUTSIDE, local, port, "TCP", 1, False, 9000) == [Connection("answered", answered_from=local)]
    assert here.fetch(OUTSIDE, local, port, "/hostname") == (200, "outside")
    server.shutdown()
    server.server_close()
    assert here.connect(OUTSIDE, local, port, "TCP", 2, False, 0) == [Connection("refused")] * 2
    with pytest.raises(NotOffered, match="the only one outside"):
        here.connect(Place("outside", "second"), local, port, "TCP", 1, False, 0)


def test_the_command_line_looks_at_a_cluster_that_is_served(driver: Any, kubeconfig: Path, tmp_path: Path) -> None:
    from refkube.cli import app

    def told(*words: str, config: Path = kubeconfig) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, "--kubeconfig", str(config)])
        return result.exit_code, result.output

    code, way = told("trace", "a", "pod/b:80")
    assert code == 0
    assert way.splitlines()[-1] == "a to pod/b:80: connected"
    assert "flannel.1" in way
    assert "and back:" in way
    assert address(driver, "a").rpartition(".")[0] in told("show", "n1", "ip addr")[1]
    assert told("trace", "nobody", "10.0.0.1:80") == (3, "refkube: there is no pod 'nobody'\n")
    assert told("trace", "a", "pod/b:80", "--pcap", str(tmp_path))[0] == 3
    other = tmp_path / "kubeconfig"
    other.write_text("apiVersion: v1\nkind: Config\n")
    assert told("show", "n1", config=other)[0] == 3


def test_a_server_that_is_not_refkube_is_told_in_a_line(cluster: Any) -> None:
    from refkube.cli import app

    result = CliRunner().invoke(app, ["show", "n1", "--kubeconfig", str(cluster.kubeconfig)])
    told = f"refkube: the server of {cluster.kubeconfig} is not refkube: it has no /debug/refkube\n"
    assert (result.exit_code, result.output) == (3, told)


def test_only_administrators_are_told(driver: Any) -> None:
    assert driver.api("nobody's").call("GET", "/debug/refkube/show?place=n1").code == 401
    account = "/api/v1/namespaces/default/serviceaccounts/default/token"
    token = driver.api().call("POST", account, body={"spec": {}}).object["status"]["token"]
    assert driver.api(token).call("GET", "/debug/refkube/show?place=n1").code == 403
