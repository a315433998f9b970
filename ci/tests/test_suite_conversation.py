"""What a recorded run keeps of who said what: the consequences of a step, short enough to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from gherkube import cli, report
from gherkube.drivers.base import Api, Connection, Crossing, Driver, Journey, Names, Place, Said
from gherkube.drivers.conversation import condensed, speaker, told_in_short
from gherkube.drivers.reference import ReferenceDriver
from gherkube.report import read_report
from gherkube.world import World

DEPLOYED = """\
Feature: Things
  @req:API-3
  Rule: They can be read
    @id:things.01 @core
    Scenario: A Deployment is read
      Given a Deployment "web"
      When the Deployment "web" is read
      Then the request is accepted
"""


def said(who: str, verb: str, what: str, name: str = "", step: int = 0, code: int = 200, note: str = "") -> Said:
    return Said(step, 0.0, who, verb, what, "home", name, code, note)


def told(lines: list[dict[str, Any]]) -> list[str]:
    return [f"{line['who']} {line['verb']} {line['what']} {','.join(line['names'])} x{line['times']}" for line in lines]


def test_a_recorded_run_tells_who_did_what_in_which_step(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api/things.feature").write_text(DEPLOYED)
    (tmp_path / "requirements.yaml").write_text("clauses: [{id: API-3, profile: api, text: Reading reads.}]")
    written = tmp_path / "report.json"
    assert cli.call(["run", "--features", str(tmp_path), "--record", "--report", str(written)]) == 0
    lines = read_report(written)["scenarios"][0]["record"]["conversation"]
    first = [line for line in lines if line["step"] == 0]
    assert told(first)[0] == "user create deployments web x1"
    speakers = list(dict.fromkeys(line["who"] for line in first))
    assert speakers[:4] == ["user", "deployment-controller", "replicaset-controller", "scheduler"]
    assert any(line["note"].startswith("to n") for line in first if line["what"] == "pods/binding")
    assert told([line for line in lines if line["step"] > 0]) == ["user get deployments web x1"]


def test_a_run_keeps_nothing_unless_it_is_asked_to(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api/things.feature").write_text(DEPLOYED)
    (tmp_path / "requirements.yaml").write_text("clauses: [{id: API-3, profile: api, text: Reading reads.}]")
    written = tmp_path / "report.json"
    assert cli.call(["run", "--features", str(tmp_path), "--report", str(written)]) == 0
    assert "record" not in json.loads(written.read_text())["scenarios"][0]


def test_evidence_has_the_last_lines_of_containers() -> None:
    pods = {"items": [{"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c"}, {"name": "quiet"}]}}]}

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/log"):
            return httpx2.Response(200, text="one\ntwo\n" if request.url.params["container"] == "c" else "")
        return httpx2.Response(200, json=pods if request.url.path.endswith("/pods") else {"items": []})

    class Logging(ReferenceDriver):
        def api(self, token: str | None = None) -> Api:
            client = httpx2.Client(transport=httpx2.MockTransport(answer), base_url="http://logging")
            return Api(client, lambda response: pytest.fail("no watch"), self.exchanges)

    driver = Logging()
    driver.capabilities = frozenset()
    assert "logs" not in World(driver, Names(home="home")).evidence()
    driver.capabilities = frozenset({"pods.real"})
    assert World(driver, Names(home="home")).evidence()["logs"] == {"web/c": ["one", "two"]}


def test_what_says_nothing_is_left_out() -> None:
    noise = [
        said("system:node:n1", "update", "leases", "n1"),
        said("system:kube-scheduler", "create", "events"),
        said("system:kube-scheduler", "list", "pods"),
        said("kubernetes-admin", "get", "pods", "a"),
    ]
    assert condensed(noise) == []
    assert told(condensed(noise, telling={0})) == ["user get pods a x1"]


def test_alike_requests_are_joined_the_more_the_more_there_are() -> None:
    few = [said("system:kube-scheduler", "create", "pods/binding", name) for name in "abc"]
    assert told(condensed(few)) == ["scheduler create pods/binding a,b,c x3"]
    apart = [said("u", "create", "pods", "a"), said("u", "create", "services", "s"), said("u", "create", "pods", "b")]
    assert len(condensed(apart)) == 3
    many = condensed(apart * 30)
    assert told(many) == ["u create pods a,b x60", "u create services s x30"]
    kinds = [said("system:ns", "deletecollection", f"kind{number}") for number in range(40)]
    (line,) = condensed([said("u", "delete", "namespaces", "a"), *kinds])[1:]
    assert (line["what"], line["times"]) == ("kind0, kind1 and 38 other kinds", 40)
    refused = [said("u", "create", "pods", "a", code=403), said("u", "create", "pods", "a", code=201)]
    assert len(condensed(refused)) == 2


def test_speakers_and_contents_are_told_in_short() -> None:
    assert speaker("system:serviceaccount:kube-system:deployment-controller") == "deployment-controller"
    assert speaker("system:node:n1") == "kubelet n1"
    assert speaker("kubernetes-admin") == "user"
    assert speaker("alice") == "alice"
    assert told_in_short("binding", {"target": {"name": "n2"}}) == "to n2"
    assert told_in_short("status", {"status": {"phase": "Running"}}) == "Running"
    assert told_in_short("", {"spec": {"replicas": 3}}) == "replicas 3"
    assert told_in_short("", {"spec": None}) == ""


def test_a_journey_that_a_step_asks_for_is_kept_while_it_is_recorded() -> None:
    class Following(ReferenceDriver):
        follow = Driver.follow  # of a target that tells only what it is asked

        def journey(self, origin: Place, address: str, port: int, protocol: str = "TCP") -> Journey:
            seen = Crossing("n1", "docker0", "10.1.0.2", "10.1.0.3")
            return Journey(Connection("answered", "web-1", "10.1.0.2", address), (seen,), (seen,))

    driver = Following()
    world = World(driver, driver.begin("things.01"))
    driver.journey(Place("Pod", "a"), "10.1.0.3", 80)
    world.begin_recording(2, telling=False)
    assert driver.journey(Place("Pod", "a"), "10.1.0.3", 80).connection.outcome == "answered"
    (kept,) = world.record()["journeys"]
    assert (kept["step"], kept["origin"], kept["target"], kept["pod"]) == (2, "Pod a", "TCP 10.1.0.3:80", "web-1")
    assert kept["there"] == [
        {"host": "n1", "device": "docker0", "source": "10.1.0.2", "destination": "10.1.0.3", "outer": []}
    ]
    definitions = report.schema()["$defs"]
    jsonschema.validate(world.record(), {"$ref": "#/$defs/record", "$defs": definitions})
    world.close()
    assert "journey" not in vars(driver)
    driver.close()
