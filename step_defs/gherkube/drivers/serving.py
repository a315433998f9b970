"""refkube behind the harness protocol: an example of a harness, and the proof that the protocol carries the suite.

`gherkube harness` serves it: the Kubernetes API and, below /harness, the protocol, on one port and on virtual time.
What the protocol asks is answered by the driver of the reference, on the thread that its cluster lives on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from refkube.cluster import Cluster

from gherkube.drivers import protocol
from gherkube.drivers.base import Connection, Crossing, Place
from gherkube.drivers.loopback import Beside, Loopback
from gherkube.drivers.protocol import OPERATIONS, Broken
from gherkube.drivers.reference import PARAMETERS, ReferenceDriver

PATH = "/harness"


class ServedReference(ReferenceDriver):
    """The reference's driver, over a cluster that others reach by sockets."""

    def __init__(self, nodes: int = 3, seed: int = 0, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(nodes, seed)
        self._loopback = Loopback(self.make, host, port, Beside(PATH, self._answer))
        self.url = self._loopback.url + PATH
        self._operations: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
            "identity": self._identity,
            "reset": self._reset,
            "time": self._time,
            "node": lambda asked: self._do(getattr(self, asked["do"].replace("-", "_")), asked["node"]),
            "container": lambda asked: self._do(getattr(self, asked["do"]), *_of(asked, CONTAINER)),
            "probe": lambda asked: self._do(self.fail_probe, *_of(asked, PROBE)),
            "connect": lambda asked: _told(self.connect(_place(asked), *_of(asked, CONNECT))),
            "held": lambda asked: _told(self.held()),
            "release": lambda asked: self._do(self.release),
            "outside": lambda asked: {"address": self.outside_address(Place(**asked))},
            "fetch": lambda asked: dict(zip(FETCHED, self.fetch(_place(asked), *_of(asked, FETCH)), strict=True)),
            "resolve": lambda asked: dict(zip(RESOLVED, self.resolve(_place(asked), *_of(asked, NAMED)), strict=True)),
            "journey": self._journey,
            "tables": lambda asked: {"tables": self.tables(Place(**asked))},
            "rule": lambda asked: self._do(self.remove_rule, asked["node"], asked["table"], asked["row"]),
            "component": self._component,
            "requests": lambda asked: {"requests": [asdict(one) for one in self.recorded()]},
            "store": lambda asked: {"object": self.stored(*_of(asked, STORED))},
            "clients": lambda asked: {"clients": sorted(self.store_clients())},
        }

    @property
    def cluster(self) -> Cluster:
        return self._loopback.cluster

    def close(self) -> None:
        self._loopback.close()
        super().close()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """One request of the protocol, on the server's thread."""
        known = ((name, one) for name, one in OPERATIONS.items() if (one.method, one.path) == (method, path or "/"))
        name, operation = next(known, ("", None))
        if operation is None:
            return _refusal(404, f"no {method} {path}")
        try:
            asked = json.loads(body or b"{}")
            if operation.asked:
                protocol.check(operation.asked, asked)
            told = self._operations[name](asked)
            protocol.check(operation.told, told)
        except NotImplementedError as lacking:
            return _refusal(501, f"this harness is not capable of {lacking}")
        except (ValueError, Broken) as broken:
            return _refusal(400, f"{method} {path}: {broken}")
        except Exception as bug:
            return _refusal(500, f"{type(bug).__name__}: {bug}")
        return 200, json.dumps(told).encode()

    def _identity(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "protocol": {"versions": [protocol.VERSION]},
            "implementation": {"organization": "gherkube", "project": "refkube", "language": "Python"},
            "capabilities": sorted(self.capabilities),
            "parameters": dict(self.parameters),
            "isolation": "reset",
            "kubernetes": {"server": self._loopback.url, "token": self.cluster.admin_token},
        }

    def _reset(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        self._needs = frozenset(asked.get("needs") or ())
        wanted = asked.get("parameters") or {}
        offered = all(value in PARAMETERS.get(name, ()) for name, value in wanted.items())
        self._chosen = dict(wanted) if offered else {}
        self.end()  # what is kept of the cluster before
        self._loopback.renew()
        return {"offered": offered}

    def _time(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        loop, seconds = self.cluster.loop, asked["seconds"]
        began = loop.now()
        loop.settle()
        due = loop.next_due()
        if asked.get("stop") == "event" and due is not None:
            seconds = min(seconds, max(due - began, 1e-6))
        loop.run_for(seconds)
        return {"passed": loop.now() - began}

    def _component(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        act = {"stop": self.stop_component, "start": self.start_component}[asked["do"]]
        return self._do(act, asked["node"], asked["component"])

    def _journey(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        made = self.journey(_place(asked), *_of(asked, TARGET))
        ways = {"there": list(map(_crossing, made.there)), "back": list(map(_crossing, made.back))}
        return {"connection": asdict(made.connection), **ways}

    def _do(self, act: Callable[..., object], *values: Any) -> Mapping[str, Any]:
        act(*values)
        return {}


TARGET = ("address", "port", "protocol")
CONNECT = (*TARGET, "times", "hold", "size")
CONTAINER = ("pod", "container")
PROBE = (*CONTAINER, "probe", "fails")
FETCH = ("address", "port", "path")
NAMED = ("name", "type")
STORED = ("group", "plural", "namespace", "name")
FETCHED, RESOLVED = ("code", "body"), ("status", "answers")
DEFAULTS: Mapping[str, Any] = {"times": 1, "hold": False, "size": 0}


def _of(asked: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    given = {**DEFAULTS, **asked, **({"pod": Place(**asked["pod"])} if "pod" in asked else {})}
    return [given.get(name) for name in names]


def _place(asked: Mapping[str, Any]) -> Place:
    return Place(**asked["from"])


def _told(made: list[Connection]) -> Mapping[str, Any]:
    return {"connections": [asdict(one) for one in made]}


def _crossing(crossing: Crossing) -> Mapping[str, Any]:
    return {**crossing._asdict(), "outer": list(crossing.outer)}


def _refusal(code: int, why: str) -> tuple[int, bytes]:
    return code, json.dumps({"error": " ".join(why.split())}).encode()
