"""The driver of the reference: its API over the client's transport, its watches, and virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from gherkube.drivers.base import Names
from gherkube.drivers.reference import LoopStream, ReferenceDriver

SECRETS = "/api/v1/namespaces/home/secrets"


@pytest.fixture
def driver() -> Iterator[ReferenceDriver]:
    opened = ReferenceDriver()
    opened.begin("test.01")
    yield opened
    opened.end()
    opened.close()


def test_every_scenario_has_a_cluster_of_its_own(driver: ReferenceDriver) -> None:
    assert driver.api().call("POST", SECRETS, body={"metadata": {"name": "a"}}).code == 201
    assert driver.api().call("GET", f"{SECRETS}/a").accepted
    driver.end()
    assert driver.begin("test.02") == Names(home="home")
    assert driver.api().call("GET", f"{SECRETS}/a").reason == "NotFound"


def test_an_object_too_large_or_odd_names_arrive_as_they_were_sent(driver: ReferenceDriver) -> None:
    assert driver.api().call("GET", f"{SECRETS}/a%2Fb").code in (400, 404)
    assert driver.api().call("POST", SECRETS, body=b"\xff{").reason == "BadRequest"
    options = {"labelSelector": "a in (b, c),d!=e"}
    assert driver.api().call("GET", SECRETS, options=options).object["items"] == []


def test_credentials(driver: ReferenceDriver) -> None:
    assert driver.api().call("GET", SECRETS).accepted
    assert driver.api(None).call("GET", SECRETS).code == 401
    assert driver.api("nonsense").call("GET", SECRETS).code == 401


def test_iterating_a_watch_moves_the_loop_on(driver: ReferenceDriver) -> None:
    loop = driver.cluster.loop
    began = loop.now()

    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "later", "namespace": "home"}}
    client = driver.cluster.client("tester", "system:masters")
    loop.call_later(30.0, client.create, "secrets", secret)
    with driver._client.stream(
        "GET", SECRETS, params={"watch": "true"}, headers={"authorization": f"Bearer {driver.cluster.admin_token}"}
    ) as response:
        assert '"later"' in next(response.iter_lines())
    assert loop.now() == pytest.approx(began + 30.0)


def test_a_stopped_watch_gets_nothing_more(driver: ReferenceDriver) -> None:
    watching = driver.api().watch(SECRETS, {})
    driver.api().call("POST", SECRETS, body={"metadata": {"name": "a"}})
    driver.settle()
    assert len(watching.lines) == 1  # type: ignore[union-attr]
    watching.stop()  # type: ignore[union-attr]
    driver.api().call("POST", SECRETS, body={"metadata": {"name": "b"}})
    driver.settle()
    assert len(watching.lines) == 1  # type: ignore[union-attr]
    assert watching.ended  # type: ignore[union-attr]


def test_eventually_waits_on_virtual_time(driver: ReferenceDriver) -> None:
    loop = driver.cluster.loop
    seen: list[str] = []
    loop.call_later(500.0, seen.append, "there")
    began = loop.now()

    def there() -> str:
        if not seen:
            raise AssertionError("not yet")
        return seen[0]

    assert driver.eventually(there, 1000.0) == "there"
    assert loop.now() == pytest.approx(began + 500.0)
    seen.clear()
    with pytest.raises(AssertionError, match="not yet"):
        driver.eventually(there, 100.0)
    assert loop.now() == pytest.approx(began + 600.0)


def test_always_looks_at_every_instant(driver: ReferenceDriver) -> None:
    loop = driver.cluster.loop
    state = ["fine"]
    loop.call_later(50.0, state.append, "wrong")
    loop.call_later(51.0, state.pop)

    def fine() -> None:
        if state[-1] != "fine":
            raise AssertionError("it was wrong for a second")

    driver.always(fine, 40.0)
    with pytest.raises(AssertionError, match="wrong for a second"):
        driver.always(fine, 40.0)


def test_a_break_in_the_harness_is_no_expectation(driver: ReferenceDriver) -> None:
    def breaks() -> None:
        raise ValueError("a mistake in a step")

    with pytest.raises(ValueError, match="mistake"):
        driver.eventually(breaks, 10.0)


def test_the_stream_is_httpx_own(driver: ReferenceDriver) -> None:
    assert issubclass(LoopStream, httpx2.SyncByteStream)
    assert driver.implementation()["version"].startswith("v1.")
