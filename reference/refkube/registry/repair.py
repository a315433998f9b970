"""Sets right what others than the allocators have done to the records of addresses and node ports.

Started by `cluster` with the API server. Source: kubernetes/pkg/registry/core/service (ipallocator/controller,
portallocator/controller).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from refkube.apimachinery.meta import Object, get_path, labels_of
from refkube.engine.loop import Loop, Timer
from refkube.registry.allocators import (
    ADDRESSES,
    MANAGED_BY,
    MANAGER,
    NODE_PORTS,
    ServiceAllocator,
    revision,
)
from refkube.registry.servicefields import addresses, all_node_ports
from refkube.store.kv import DELETE, Compare, Delete, Event, KeyValue, Put, StoreError, Watch, prefix_end

SERVICES = "/registry/services/"
PERIOD = 180.0  # seconds

_log = logging.getLogger(__name__)

Tell = Callable[[Object, str, str], object]


class Repair:
    """Looks at everything every three minutes, and at once at an IPAddress that is deleted under its Service.

    A record changes only if the Service it follows from has not. `tell(about, reason, message)` records a warning.
    """

    def __init__(self, allocator: ServiceAllocator, loop: Loop, tell: Tell):
        self._allocator = allocator
        self._store = allocator.store
        self._loop = loop
        self._tell = tell
        self._timer: Timer | None = None
        self._watch: Watch | None = None

    def start(self) -> None:
        self._begin_watch()
        self._timer = self._loop.call_later(PERIOD, self._again)

    def _begin_watch(self, _: object = None) -> None:
        """Also when a watch has ended by itself, whatever it missed: the next look at everything sees it."""
        self._watch = self._store.watch(ADDRESSES, prefix_end(ADDRESSES), 0, self._seen, self._begin_watch)

    def stop(self) -> None:
        if self._watch and self._timer:
            self._watch.cancel()
            self._timer.cancel()

    def _again(self) -> None:
        self._timer = self._loop.call_later(PERIOD, self._again)
        self._try(self.run)

    def _try(self, look: Callable[..., None], *about: Object) -> None:
        try:
            look(*about)
        except StoreError as why:
            _log.warning("the repair of Services' addresses waits for its next time: %s", why)

    def _seen(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.type == DELETE and event.prev is not None:
                self._loop.call_idle(self._try, self._check_parent, event.prev.value)

    def _check_parent(self, record: Object) -> None:
        parent = get_path(record, "spec", "parentRef", default={})
        service = self._store.get(f"{SERVICES}{parent.get('namespace')}/{parent.get('name')}")
        if service is not None:
            self._check_service(service)

    def run(self) -> None:
        """Look at everything once."""
        ports = self._store.get(NODE_PORTS)
        services = self._store.range(SERVICES, prefix_end(SERVICES)).kvs
        self._check_ports(ports, services)
        for service in services:
            self._check_service(service)
        for kv in self._store.range(ADDRESSES, prefix_end(ADDRESSES)).kvs:
            if labels_of(kv.value).get(MANAGED_BY) == MANAGER and self._parent(kv.value) is None:
                why = f"IPAddress {kv.value['metadata']['name']} appears to have leaked: cleaning up"
                self._tell(kv.value, "IPAddressNotAllocated", why)
                self._store.txn([Compare(kv.key, kv.mod_revision)], [Delete(kv.key)])

    def _parent(self, record: Object) -> KeyValue | None:
        """The Service that an IPAddress names, if it has that address."""
        parent = get_path(record, "spec", "parentRef", default={})
        if parent.get("group") or parent.get("resource") != "services":
            return None
        service = self._store.get(f"{SERVICES}{parent.get('namespace')}/{parent.get('name')}")
        held = addresses(service.value["spec"]) if service is not None else ()
        return service if record["metadata"]["name"] in held else None

    def _check_service(self, service: KeyValue) -> None:
        for ip in addresses(service.value["spec"]):
            key, told = ADDRESSES + str(ip_address(ip)), f"Cluster IP [IPv{ip_address(ip).version}]: {ip}"
            record = self._store.get(key)
            holder = self._parent(record.value) if record is not None else None
            if not self._allocator.in_range(ip):
                why = f"{told} is not within any configured Service CIDR; please recreate service"
                self._tell(service.value, "ClusterIPOutOfRange", why)
            elif holder is not None and holder.key != service.key:
                why = f"{told} was assigned to multiple services; please recreate service"
                self._tell(service.value, "ClusterIPAlreadyAllocated", why)
            elif holder is None:
                why = "has a wrong reference" if record is not None else "is not allocated"
                self._tell(service.value, "ClusterIPNotAllocated", f"{told} {why}; repairing")
                unchanged = [Compare(service.key, service.mod_revision)]
                unchanged.append(Compare(key, revision(record)))
                self._store.txn(unchanged, [Put(key, self._allocator.address(key, service.value))])

    def _check_ports(self, record: KeyValue | None, services: Iterable[KeyValue]) -> None:
        """Whoever takes or gives back node ports changes the record: if it stands, so do the Services read after it."""
        first, last = self._allocator.first, self._allocator.last
        known = int(record.value["data"], 16) if record is not None else 0
        bits = 0
        for service in services:
            for port in sorted(all_node_ports(service.value["spec"])):
                bit = 1 << (port - first) if first <= port <= last else 0
                if not bit:
                    why = f"Port {port} is not within the port range {first}-{last}; please recreate service"
                    self._tell(service.value, "PortOutOfRange", why)
                elif bits & bit:
                    why = f"Port {port} was assigned to multiple services; please recreate service"
                    self._tell(service.value, "PortAlreadyAllocated", why)
                elif not known & bit:
                    self._tell(service.value, "PortNotAllocated", f"Port {port} is not allocated; repairing")
                bits |= bit
        if bits != known:
            compare = Compare(NODE_PORTS, revision(record))
            self._store.txn([compare], [self._allocator.put_node_ports(bits)])
