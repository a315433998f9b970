"""To look at a cluster's network: as Linux's tools print it, and along a packet's way through it.

Called by the command line for a cluster that is `made` of manifests, in virtual time so that it takes a moment whatever
it waits for, and by `debug` for one that is served. Pods are called by their name (or NAMESPACE/NAME), "node/n1" is a
node, "outside" a machine outside of the cluster; "service/web:80" is a Service's ClusterIP, "pod/b:80" a Pod's address,
"node/n1:30656" a node's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import yaml

from refkube.api.kinds import by_api_version
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, condition_of, get_path, name_of, namespace_of
from refkube.cluster import Cluster, Networking
from refkube.flannel.daemon import BACKENDS
from refkube.flannel.daemon import Options as FlannelOptions
from refkube.hostnet import Closable, Namespace, Stream
from refkube.hostnet.show import VIEWS, capture_to
from refkube.kubelet.cni import namespace_name
from refkube.network.journey import Hop, follow

__all__ = ["BACKENDS", "VIEWS", "Look", "WrongUse", "made"]

PATIENCE = 300.0  # seconds of the cluster's time until Pods are ready
TIMEOUT = 10.0  # of a connection


class WrongUse(Exception):
    """What was asked for cannot be shown; the text is one line for the user."""


def made(nodes: int, backend: str, manifests: Iterable[Path]) -> Look:
    """At a cluster of its own, whose Pods are ready."""
    look = Look(Cluster(nodes, networking=Networking(flannel=FlannelOptions(backend=backend))))
    for path in manifests:
        look.apply(path)
    if not look.cluster.loop.run_until(lambda: not look.unready(), PATIENCE):
        raise WrongUse(f"after {PATIENCE:.0f} s these Pods are not ready: {', '.join(look.unready())}")
    return look


class Look:
    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self._client = cluster.client("admin", "system:masters")

    def show(self, place: str, views: Iterable[str]) -> Iterator[str]:
        """A network as Linux's tools print it."""
        _, net, _ = self._place(place)
        for view in views:
            yield f"# {view}\n{VIEWS[view](net)}"

    def trace(self, origin: str, target: str, pcap: Path | None = None) -> list[str]:
        """A connection's first packet and the first answer, hop by hop, and what came of it."""
        told: list[str] = []
        with ExitStack() as open_files:
            if pcap is not None:
                self._capture(pcap, open_files)
            self.begin(origin, target, told.extend)
            self.cluster.loop.run_until(lambda: told, TIMEOUT + 1)
        return told

    def begin(self, origin: str, target: str, told: Callable[[list[str]], object]) -> Closable:
        """The same, told when it is over; closing gives up."""
        host, net, namespace = self._place(origin)
        address, _, port = target.rpartition(":")
        if not port.isdigit():
            raise WrongUse(f"ADDRESS:PORT is wanted, not {target!r}")
        address, trace = self._address(address), self.cluster.loop.trace
        trace.clear()
        trace.start()

        def opened(stream: Stream) -> None:
            stream.close()
            self.cluster.loop.call_soon(over, "connected")

        def over(outcome: str) -> None:
            trace.stop()
            there, back = follow(trace.entries("net/"), host, namespace, f"{address}:{port}")
            trace.clear()
            way = [*self._told(there), *(("and back:", *self._told(back)) if back else ())]
            told([*way, f"{origin} to {target}: {outcome}"])

        return net.connect((address, int(port)), opened, over, TIMEOUT)

    def close(self) -> None:
        self.cluster.close()

    def _told(self, way: Iterable[Hop]) -> Iterator[str]:
        names = {namespace_name(pod): name_of(pod) for pod in self._pods()}
        for hop in way:
            yield str(hop._replace(namespace=names.get(hop.namespace, hop.namespace)))

    def _capture(self, folder: Path, files: ExitStack) -> None:
        """Every device of every machine and Pod to a file of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        names = {namespace_name(pod): name_of(pod) for pod in self._pods()}
        for machine, host in self.cluster.fabric.hosts.items():
            for name in ["", *host.namespaces()]:
                net = host.find_namespace(name) if name else host.namespace
                assert net is not None
                for link in net.links():
                    file = folder / f"{machine}{'-' if name else ''}{names.get(name, name)}-{link.name}.pcap"
                    files.callback(capture_to(net, link.name, files.enter_context(file.open("wb"))).close)

    def apply(self, path: Path) -> None:
        try:
            documents = [one for one in yaml.safe_load_all(path.read_text()) if one]
        except (OSError, yaml.YAMLError) as why:
            raise WrongUse(f"{path}: {why}") from None
        for obj in documents:
            kind = by_api_version(str(obj.get("apiVersion")), str(obj.get("kind")))
            if kind is None:
                raise WrongUse(f"{path}: there is no kind {obj.get('kind')} in {obj.get('apiVersion')}")
            try:
                self._client.create(
                    kind, obj, "default" if kind.namespaced and "namespace" not in obj["metadata"] else ""
                )
            except StatusError as refused:
                raise WrongUse(f"{path}: {refused}") from None

    def _pods(self) -> list[Object]:
        return list(self._client.list("pods").items)

    def unready(self) -> list[str]:
        return [name_of(pod) for pod in self._pods() if (condition_of(pod, "Ready") or {}).get("status") != "True"]

    def _place(self, name: str) -> tuple[str, Namespace, str]:
        """The machine, the network namespace and its name."""
        if name in self.cluster.fabric.hosts and name not in self.cluster.networks:
            return name, self.cluster.fabric.hosts[name].namespace, ""
        node = name.removeprefix("node/")
        if node in self.cluster.networks:
            return node, self.cluster.networks[node].host.namespace, ""
        pod = self._find("pods", name.removeprefix("pod/"))
        host = self.cluster.fabric.hosts[pod["spec"]["nodeName"]]
        inside = host.find_namespace(namespace_name(pod))
        return (host.name, host.namespace, "") if inside is None else (host.name, inside, inside.name)

    def _address(self, name: str) -> str:
        kind, _, rest = name.partition("/")
        if kind == "service":
            return str(self._find("services", rest)["spec"]["clusterIP"])
        if kind == "pod":
            return str(get_path(self._find("pods", rest), "status", "podIP"))
        if kind == "node":
            return str(self._place(name)[1].addresses("eth0")[0].cidr.partition("/")[0])
        return name

    def _find(self, resource: str, name: str) -> Object:
        known = self._client.list(resource).items
        found = [one for one in known if name in (name_of(one), f"{namespace_of(one)}/{name_of(one)}")]
        if not found:
            raise WrongUse(f"there is no {resource[:-1]} {name!r}")
        return found[0]
