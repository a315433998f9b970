"""Machines outside of a cluster, on its nodes' LAN: they run agnhost's netexec at port 80, and any command that it has.

Used by the suite's drivers and by `debug`. What routes to the cluster there, external addresses and those of load
balancers, leads to a node that is fit.
"""

from __future__ import annotations

from ipaddress import ip_address

from refkube.apimachinery.meta import Object, name_of, namespace_of
from refkube.cluster import Cluster
from refkube.hostnet import CLIENT, Route
from refkube.kubelet.runtime.container import Config, Container, Runtime
from refkube.kubelet.runtime.images import Images
from refkube.kubelet.runtime.programs.catalogue import known

FIRST = "outside"  # the machine that is there from the beginning
_IMAGE = "registry.k8s.io/e2e-test-images/agnhost"
_SERVES = ["/agnhost", "netexec", "--http-port=80", "--udp-port=80"]


class Outside:
    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._client = cluster.client("apiserver", "system:masters")
        self._runtime = Runtime(cluster.loop, Images(cluster.loop, known), cluster.ids.uid)
        self._machines: dict[str, Container] = {}

    def machine(self, name: str) -> Container:
        """The machine of that name, which is there from now on."""
        if name not in self._machines:
            fabric, host = self._cluster.fabric, FIRST if name == FIRST else f"{FIRST}-{name}"
            if host not in fabric.hosts:
                fabric.join(host, str(ip_address(CLIENT) + 1 + len(self._machines)))
            sandbox = self._runtime.add({"metadata": {"uid": host, "name": host}})
            sandbox.net, sandbox.hostname = fabric.hosts[host].namespace, FIRST
            sandbox.address = sandbox.net.addresses("eth0")[0].cidr.partition("/")[0]
            image = known(_IMAGE)
            assert image is not None
            made = self._machines[name] = sandbox.create(Config("main", image, _SERVES, {}, "/"))
            made.start()
        return self._machines[name]

    def lead(self) -> None:
        """Route what is to be routed to the cluster, from all machines, to nodes that are fit now."""
        for service in self._client.list("services").items:
            ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
            for address in [*(service["spec"].get("externalIPs") or ()), *(one.get("ip") for one in ingress)]:
                net = self._cluster.networks[self._fit(service)].host.namespace
                gateway = net.addresses("eth0")[0].cidr.partition("/")[0]
                for machine in self._machines.values():
                    assert machine.sandbox.net is not None
                    machine.sandbox.net.replace_route(Route(f"{address}/32", "eth0", gateway))

    def _fit(self, service: Object) -> str:
        """A node; with the policy Local one that has Pods of the Service."""
        nodes = list(self._cluster.networks)
        if service["spec"].get("externalTrafficPolicy") == "Local":
            own = {"kubernetes.io/service-name": name_of(service)}
            slices = self._client.list("endpointslices.discovery.k8s.io", namespace_of(service)).items
            having = {
                endpoint.get("nodeName")
                for one in slices
                if own.items() <= (one["metadata"].get("labels") or {}).items()
                for endpoint in one.get("endpoints") or ()
                if (endpoint.get("conditions") or {}).get("ready") is not False
            }
            nodes = [name for name in nodes if name in having] or nodes
        return nodes[0]
