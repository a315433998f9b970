"""Node IPAM: every node gets Pods' addresses of its own out of the cluster's, which are free again when it goes.

Source: kubernetes/pkg/controller/nodeipam/ipam (range_allocator.go, cidrset).
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from refkube.apimachinery.errors import StatusError, internal_error
from refkube.apimachinery.meta import Object, get_path, name_of
from refkube.client.controller import Controller
from refkube.client.events import NORMAL
from refkube.controllers.common.context import Context
from refkube.controllers.common.nodes import reference

Network = IPv4Network | IPv6Network
MASK_V6 = 64
NONE_LEFT = "CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range"


class CIDRSet:
    """The subnets of one size in a range. The next one is given before any that was given back."""

    def __init__(self, cluster: Network, mask: int):
        if mask < cluster.prefixlen:
            raise ValueError(f"a node's mask of {mask} bits does not fit into {cluster}")
        self.cluster = cluster
        self._bits = cluster.max_prefixlen - mask
        self._mask = mask
        self._size = 1 << (mask - cluster.prefixlen)
        self._used: set[int] = set()
        self._next = 0

    def allocate(self) -> str | None:
        """None if all are used."""
        if len(self._used) == self._size:
            return None
        while self._next in self._used:
            self._next = (self._next + 1) % self._size
        index = self._next
        self._used.add(index)
        self._next = (index + 1) % self._size
        return f"{self.cluster[index << self._bits]}/{self._mask}"

    def occupy(self, cidr: str) -> bool:
        """False for what is no subnet of the range: somebody has said so by hand."""
        self._used.update(covered := self._covered(cidr))
        return bool(covered)

    def release(self, cidr: str) -> None:
        self._used.difference_update(self._covered(cidr))

    def _covered(self, cidr: str) -> range:
        try:
            network = ip_network(cidr, strict=False)
        except ValueError:  # an update of a Node is not asked whether it is one
            return range(0)
        if network.version != self.cluster.version or not network.overlaps(self.cluster):
            return range(0)
        first = max(int(network.network_address), int(self.cluster.network_address))
        last = min(int(network.broadcast_address), int(self.cluster.broadcast_address))
        base = int(self.cluster.network_address)
        return range((first - base) >> self._bits, ((last - base) >> self._bits) + 1)


class NodeIPAMController:
    account = "node-controller"
    component = "cidrAllocator"

    def __init__(self, context: Context):
        self._client, self._events = context.client, context.events
        options = context.options
        self._sets = []
        for text in options.cluster_cidr.split(","):
            cluster = ip_network(text, strict=False)
            self._sets.append(CIDRSet(cluster, options.node_cidr_mask_size if cluster.version == 4 else MASK_V6))
        for services in options.service_cluster_ip_range.split(","):
            for cidrs in self._sets:
                cidrs.occupy(services)
        self._held: dict[str, list[str]] = {}  # node -> what it has, or is about to get
        self._nodes = context.informers.of("nodes")
        self._controller = Controller(context.loop, "node-ipam", self._reconcile, (self._nodes,))
        self._nodes.add_handler(self._seen, lambda old, new: self._seen(new), self._gone)
        self.start, self.stop = self._controller.start, self._controller.stop

    def _seen(self, node: Object) -> None:
        name = name_of(node)
        if name not in self._held:
            cidrs = get_path(node, "spec", "podCIDRs", default=[])
            if not cidrs:
                self._controller.add(name)
                return
            self._held[name] = [cidr for cidr, known in zip(cidrs, self._sets, strict=False) if known.occupy(cidr)]

    def _gone(self, node: Object) -> None:
        name = name_of(node)
        for cidr, known in zip(self._held.pop(name, ()), self._sets, strict=False):
            known.release(cidr)
        for other in self._nodes.items:
            if other not in self._held:
                self._controller.add(other)

    def _reconcile(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None or get_path(node, "spec", "podCIDRs"):
            return
        if name not in self._held:
            self._held[name] = self._allocated(node)
        cidrs = self._held[name]
        try:
            self._client.patch("nodes", name, {"spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs}}, "strategic")
        except StatusError as refusal:
            if refusal.reason == "NotFound":
                return
            self._tell(node, "CIDRAssignmentFailed")
            raise

    def _allocated(self, node: Object) -> list[str]:
        """One subnet of every range. Errors: a StatusError where one has none left."""
        cidrs: list[str] = []
        for index, known in enumerate(self._sets):
            cidr = known.allocate()
            if cidr is None:
                for taken, owner in zip(cidrs, self._sets, strict=False):
                    owner.release(taken)
                self._tell(node, "CIDRNotAvailable")
                raise internal_error(f"failed to allocate cidr from cluster cidr at idx:{index}: {NONE_LEFT}")
            cidrs.append(cidr)
        return cidrs

    def _tell(self, node: Object, what: str) -> None:
        self._events.event(reference(node), NORMAL, what, f"Node {name_of(node)} status is now: {what}")
