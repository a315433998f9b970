"""Whether a node takes a Pod that was bound to it: what the scheduler checked, once more, since time has passed.

Called by the kubelet when it first sees a Pod. Source: pkg/kubelet/lifecycle/predicate.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from refkube.api.affinity import required_test
from refkube.api.fit import requests_of
from refkube.api.taints import NO_EXECUTE, untolerated
from refkube.apimachinery.meta import Object, get_path

Refusal = tuple[str, str]  # reason, message


def refusal_of(
    pod: Object, node: Object, used: Mapping[str, int], total: Mapping[str, int], taken: set[tuple]
) -> Refusal | None:
    """Why the node does not take the Pod. `used` and `taken` are the requests and host ports of those it has."""
    wanted = {"pods": 1, **requests_of(pod["spec"])}
    for name, amount in wanted.items():
        if amount and used.get(name, 0) + amount > total.get(name, 0):
            told = f"requested: {amount}, used: {used.get(name, 0)}, capacity: {total.get(name, 0)}"
            why = f"Node didn't have enough resource: {name}, {told}"
            return f"OutOf{name}", f"Pod was rejected: {why}"
    test = required_test(pod["spec"])
    if test is not None and not test(node):
        why = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        return "NodeAffinity", f"Pod was rejected: {why}"
    if not taken.isdisjoint(host_ports(pod)):
        why = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        return "NodePorts", f"Pod was rejected: {why}"
    if untolerated(get_path(node, "spec", "taints", default=()), pod["spec"].get("tolerations") or (), NO_EXECUTE):
        return "TaintToleration", "Pod was rejected: Predicate TaintToleration failed"
    return None


def host_ports(pod: Object) -> Iterator[tuple]:
    for container in _all(pod["spec"]):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("hostIP") or "0.0.0.0", port.get("protocol", "TCP"), port["hostPort"]


def _all(spec: Object) -> Iterable[Object]:
    yield from spec["containers"]
    yield from spec.get("initContainers") or ()
