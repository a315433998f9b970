"""The target `kubeconfig:PATH`: any live Kubernetes API, on its own time.

Every scenario gets a fresh namespace and a marker that its cluster-scoped objects carry in their names. What a
scenario made is removed when it ends, after failure and Ctrl-C too; `sweep` removes what a killed worker left, known
by the run's label or by the run's marker in its name. A watch is read by a thread, and writers that write at once are
threads; nothing else runs beside a step.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import yaml
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from gherkube.drivers import commands
from gherkube.drivers.base import ADMIN, Answer, Api, Connection, Driver, Names, TargetError, Unreachable, Watching
from gherkube.phrases import Place

T = TypeVar("T")

ACCOUNT_SECONDS = 60.0  # for the default account of a new namespace
OPTIONS = ("context", "speed", "capabilities", "component", "outside")
NETWORK = frozenset({"net.connect", "net.outside"})
PROBED = NETWORK | {"metrics.read"}
# Declared by whoever points the suite at the cluster: the Kubernetes API alone can neither show nor refute them.
DECLARABLE = frozenset({"pods.run", "pods.real", "dns", "storage.provision", "lb.provision"}) | PROBED
RUN_LABEL = "gherkube.dev/run"
WRITERS = 10  # requests that are under way at the same time
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

# Cluster-scoped collections that scenarios make objects in; swept at the end of a run.
SWEPT = (
    "/api/v1/nodes",
    "/api/v1/persistentvolumes",
    "/apis/storage.k8s.io/v1/storageclasses",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/node.k8s.io/v1/runtimeclasses",
)


class LiveDriver(Driver):
    """Any live API, by a configuration of lightkube's; what it is capable of beyond is its owner's word."""

    def __init__(self, target: str, config: SingleConfig, speed: float, declared: frozenset[str]) -> None:
        super().__init__()
        self.target = target
        self._config = config
        self._speed = speed
        self.declared = declared
        self._run = os.environ.setdefault("GHERKUBE_RUN", _random(4))  # one for all workers of a run
        self._worker = _random(2) + os.environ.get("PYTEST_XDIST_WORKER", "")
        self._scenarios = 0
        self._names: Names | None = None
        self._clients: dict[bool, httpx2.Client] = {}
        self.capabilities = self.declared
        try:
            self._probe()
        except TargetError:
            self.close()
            raise

    # Scenarios

    def begin(self, scenario: str, needs: Collection[str] = ()) -> Names:
        self.exchanges.clear()
        self._scenarios += 1
        marker = f"{self._run}{self._worker}-{self._scenarios}"
        return self.move_in(f"gherkube-{marker}", scenario, marker)

    def move_in(self, home: str, scenario: str, marker: str) -> Names:
        """Make the scenario's namespace, and wait until Pods may be created in it."""
        self._names = Names(marker, home)
        labels = {RUN_LABEL: self._run}
        annotations = {"gherkube.dev/scenario": scenario}
        body = {"metadata": {"name": home, "labels": labels, "annotations": annotations}}
        answer = self.api().call("POST", "/api/v1/namespaces", body=body)
        if not answer.accepted:
            raise AssertionError(f"the scenario's namespace was {answer}")
        if self._has_accounts:
            self._await_account(home)
        return self._names

    @cached_property
    def _has_accounts(self) -> bool:
        """True where somebody makes every namespace's default account: then Pods are refused before it is there."""
        return self.api().call("GET", "/api/v1/namespaces/default/serviceaccounts/default").accepted

    def _await_account(self, namespace: str) -> None:
        def there() -> None:
            answer = self.api().call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
            if not answer.accepted:
                raise AssertionError(f"the account of the scenario's namespace was {answer}")

        self.eventually(there, ACCOUNT_SECONDS)

    def end(self) -> None:
        if self._names is not None:
            names, self._names = self._names, None
            self._delete(f"/api/v1/namespaces/{names.home}")

    def sweep(self) -> None:
        """Removes every namespace of this run and every cluster-scoped object that carries its marker."""
        api = self.api()
        answer = api.call("GET", "/api/v1/namespaces", options={"labelSelector": f"{RUN_LABEL}={self._run}"})
        for name in _names_of(answer):
            self._delete(f"/api/v1/namespaces/{name}")
        for path in ("/api/v1/namespaces", *SWEPT):
            for name in _names_of(api.call("GET", path)):
                if f"-{self._run}" in name:
                    self._delete(f"{path}/{name}")

    def _delete(self, path: str) -> None:
        options = {"gracePeriodSeconds": "0", "propagationPolicy": "Background"}
        self.api().call("DELETE", path, options=options)

    # The API

    def api(self, token: str | None = ADMIN) -> Api:
        admin = token == ADMIN
        authorization = None if admin or token is None else f"Bearer {token}"
        return Api(self._client(admin), _ThreadWatching, self.exchanges, authorization)

    def reconnect(self, config: SingleConfig) -> None:
        """The API has moved."""
        self._config = config
        LiveDriver.close(self)

    def _client(self, admin: bool) -> httpx2.Client:
        if admin not in self._clients:
            config = self._config if admin else self._config._replace(user=User())
            try:
                parameters = ConnectionParams(timeout=httpx2.Timeout(30.0), trust_env=False)
                self._clients[admin] = Client(config, parameters)
            except (ConfigError, OSError, ValueError) as error:
                raise TargetError(f"target {self.target!r}: {error}") from None
        return self._clients[admin]

    def _probe(self) -> None:
        """The API answers, the credentials suffice, and what was declared and can be probed is true."""
        try:
            answer = self.api().call("GET", "/api/v1/namespaces", options={"limit": "1"})
            metrics = self.api().call("GET", "/apis/metrics.k8s.io/v1beta1")
        except (Unreachable, ConfigError) as error:
            raise TargetError(f"target {self.target!r} does not answer: {error}") from None
        if not answer.accepted:
            raise TargetError(f"target {self.target!r}: listing namespaces was {answer}")
        if metrics.accepted:
            self.capabilities |= {"metrics.read"}
        elif "metrics.read" in self.declared:
            raise TargetError(f"target {self.target!r} declares metrics.read, but metrics.k8s.io is not served")

    # Time

    def eventually(self, check: Callable[[], T], within: float) -> T:
        deadline = time.monotonic() + within / self._speed
        pause = 0.02
        while True:
            try:
                return check()
            except AssertionError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def always(self, check: Callable[[], object], during: float) -> None:
        deadline = time.monotonic() + during / self._speed
        while time.monotonic() < deadline:
            check()
            time.sleep(min(0.25, max(0.0, deadline - time.monotonic())))
        check()

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        with ThreadPoolExecutor(min(len(calls), WRITERS)) as writers:
            return [told.result() for told in [writers.submit(call) for call in calls]]

    def settle(self) -> None:
        time.sleep(0.3)

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds / self._speed)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()


class _ThreadWatching:
    """A watch's stream, read by a thread of its own until it ends or is stopped."""

    def __init__(self, response: httpx2.Response):
        self._response = response
        self._data = bytearray()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="gherkube watch", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for chunk in self._response.iter_bytes():
                self._data += chunk
        except (httpx2.HTTPError, httpx2.StreamError, OSError):
            pass  # the stream was cut, here or there; what came before is kept
        finally:
            self._ended.set()

    @property
    def lines(self) -> list[bytes]:
        return bytes(self._data).split(b"\n")[:-1]

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def stop(self) -> None:
        stream = self._response.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream is not None else None
        if connection is not None and not self.ended:
            try:
                connection.shutdown(socket.SHUT_RDWR)  # closing alone does not wake a thread that reads
            except OSError:
                pass
        self._thread.join(5.0)
        self._response.close()


class KubeconfigDriver(LiveDriver):
    name = "kubeconfig"

    def __init__(self, target: str, path: str, options: Mapping[str, str]) -> None:
        declared = frozenset(filter(None, options.get("capabilities", "").split(",")))
        config, speed = config_of(path, options.get("context")), _speed(target, options.get("speed", "1"))
        if unknown := declared - DECLARABLE:
            raise TargetError(f"target {target!r}: cannot declare {', '.join(sorted(unknown))}")
        self._outside = options.get("outside", "")
        super().__init__(target, config, speed, declared)
        self._commands = commands.Commands(
            self.api,
            lambda: self._client(True),
            self.eventually,
            f"gherkube-{self._run}{self._worker}-nodes",
            {RUN_LABEL: self._run},
            self._outside,
        )
        if component := options.get("component"):
            self.parameters = {"component": component, "others": "refkube"}

    def _probe(self) -> None:
        """Whoever runs real Pods is connected from by commands in them, if commands get there; and the machines outside
        are those that the target names, or this one."""
        super()._probe()
        found: set[str] = set()
        if "pods.real" in self.declared and commands.reaches_pods(self.api()):
            if self._outside:
                self._outside = commands.outside_path(self.target, self.api(), self._outside)
            outside = self._outside or commands.is_outside(self.api())
            found |= {"net.connect"} | ({"net.outside"} if outside else set())
        if false := self.declared & NETWORK - found:
            raise TargetError(f"target {self.target!r} declares {', '.join(sorted(false))}, which a probe refutes")
        self.capabilities |= found

    def connect(
        self,
        origin: Place,
        address: str,
        port: int,
        protocol: str = "TCP",
        times: int = 1,
        hold: bool = False,
        size: int = 0,
    ) -> list[Connection]:
        return self._commands.connect(origin, address, port, protocol, times, hold, size)

    def outside_address(self, place: Place) -> str:
        return self._commands.outside_address(place)

    def held(self) -> list[Connection]:
        return self._commands.held()

    def release(self) -> None:
        self._commands.release()

    def fetch(self, origin: Place, address: str, port: int, path: str) -> tuple[int, str]:
        return self._commands.fetch(origin, address, port, path)

    def resolve(self, origin: Place, name: str, type: str = "A") -> tuple[str, list[str]]:
        return self._commands.resolve(origin, name, type)

    def end(self) -> None:
        self._commands.release()
        super().end()

    def close(self) -> None:
        if commands_ := getattr(self, "_commands", None):  # nothing is there yet where a probe has failed
            commands_.close()
        super().close()

    def implementation(self) -> dict[str, str]:
        """Where a component is judged, the API server tells nothing of it."""
        return {} if "component" in self.parameters else super().implementation()


def config_of(path: str, context: str | None) -> SingleConfig:
    """The configuration in a file. Raises TargetError."""
    target = f"kubeconfig:{path}"
    if not Path(path).expanduser().is_file():
        raise TargetError(f"target {target!r}: there is no such file")
    try:
        config: Any = KubeConfig.from_file(path).get(context)
    except yaml.YAMLError as error:
        raise TargetError(f"target {target!r}: not YAML: {' '.join(str(error).split())}") from None
    except KeyError as error:
        raise TargetError(f"target {target!r}: not a usable kubeconfig: it has no {error}") from None
    except (TypeError, AttributeError):
        raise TargetError(f"target {target!r}: not a kubeconfig: clusters, contexts and users are missing") from None
    except (ConfigError, ValueError) as error:
        raise TargetError(f"target {target!r}: not a usable kubeconfig: {error}") from None
    return config if config.user is not None else config._replace(user=User())


def _speed(target: str, text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if speed <= 0:
        raise TargetError(f"target {target!r}: speed={text!r} is not a positive number")
    return speed


def _names_of(answer: Answer) -> list[str]:
    return [item["metadata"]["name"] for item in answer.object.get("items") or ()] if answer.accepted else []


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


_: type[Watching] = _ThreadWatching
