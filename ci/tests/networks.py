"""Small networks of simulated machines, for the tests of refkube.network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop
from refkube.hostnet import Address, FdbEntry, Link, Namespace, Neighbor, RealServer, Route, VirtualServer
from refkube.network.fabric import Fabric

VIP = "10.96.0.10"
MASQUERADE = """*nat
-A POSTROUTING ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE
-A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
COMMIT
"""


class Lab:
    """Two nodes with two Pods each, vxlan between them, a virtual server on each node: what a real kernel was measured
    with. A Pod "n1p2" is at 10.244.1.12. `apart`, each node has a fabric of its own, as if in a process of its own."""

    def __init__(self, apart: bool = False) -> None:
        self.loop = Loop(VirtualClock())
        self.fabric = Fabric(self.loop)
        self._far = Fabric(self.loop, 2) if apart else self.fabric
        self.nodes = {name: self._node(number) for number, name in ((1, "n1"), (2, "n2"))}
        if apart:
            self.fabric.go_on("n1", self._far.lan.arrived)
            self._far.go_on("n2", self.fabric.lan.arrived)
        self.pods = {f"n{n}p{k}": self._pod(n, k) for n in (1, 2) for k in (1, 2)}
        for name, net in self.pods.items():
            serve(net, 8080, name)

    def address(self, pod: str) -> str:
        return f"10.244.{pod[1]}.1{pod[3]}"

    def net(self, name: str) -> Namespace:
        return self.pods.get(name) or self.fabric.hosts[name].namespace

    def get(self, origin: str, address: str, port: int, timeout: float = 5.0, request: bytes = b"?") -> str:
        """Who answers and whom it saw, or why there is no answer."""
        told: list[str] = []
        data = bytearray()

        def opened(stream: Any) -> None:
            def closed(why: str) -> None:
                stream.close()
                told.append(why or data.decode())

            stream.received, stream.closed = data.extend, closed
            stream.send(request)

        self.net(origin).connect((address, port), opened, told.append, timeout)
        self.loop.run_until(lambda: told, 2000)
        return told[0] if told else "nothing"

    def virtual(self, scheduler: str = "rr", persistent: int = 0) -> None:
        """VIP:80 over all Pods, masqueraded, on both nodes."""
        key = ("TCP", VIP, 80)
        for net in self.nodes.values():
            net.add_link(Link("kube-ipvs0", "dummy"))
            net.add_address(Address("kube-ipvs0", f"{VIP}/32"))
            net.set_sysctl("net.ipv4.vs.conntrack", "1")
            net.set_virtual_server(VirtualServer(*key, scheduler=scheduler, persistent=persistent))  # type: ignore[arg-type]
            for pod in self.pods:
                net.set_real_server(key, RealServer(self.address(pod), 8080))
            own = "".join(
                f"-A POSTROUTING -s {self.address(p)} -d {self.address(p)} -j MASQUERADE\n" for p in self.pods
            )
            net.iptables_restore(MASQUERADE.replace("*nat\n", "*nat\n" + own))

    def _node(self, number: int) -> Namespace:
        net = (self.fabric, self._far)[number - 1].join(f"n{number}", f"192.168.100.1{number}").namespace
        other = 3 - number
        net.set_sysctl("net.ipv4.ip_forward", "1")
        net.add_link(Link("docker0", "bridge", up=True))
        net.add_address(Address("docker0", f"10.244.{number}.1/24"))
        details = {"id": 1, "local": f"192.168.100.1{number}", "dev": "eth0", "dstport": 8472, "learning": False}
        net.add_link(Link("flannel.1", "vxlan", f"0a:00:00:00:00:0{number}", 1450, up=True, details=details))
        net.add_address(Address("flannel.1", f"10.244.{number}.0/32"))
        net.replace_neighbor(Neighbor(f"10.244.{other}.0", "flannel.1", f"0a:00:00:00:00:0{other}"))
        net.replace_fdb(FdbEntry(f"0a:00:00:00:00:0{other}", "flannel.1", f"192.168.100.1{other}"))
        net.replace_route(Route(f"10.244.{other}.0/24", "flannel.1", f"10.244.{other}.0", onlink=True))
        return net

    def _pod(self, node: int, number: int) -> Namespace:
        host = (self.fabric, self._far)[node - 1].hosts[f"n{node}"]
        pod = host.add_namespace(f"p{number}")
        pod.set_link("lo", up=True)
        veth = Link(f"v{number}", "veth", up=True, peer="eth0", peer_namespace=f"p{number}")
        host.namespace.add_link(veth)
        host.namespace.set_link(f"v{number}", master="docker0", hairpin=True)
        pod.set_link("eth0", up=True)
        pod.add_address(Address("eth0", f"10.244.{node}.1{number}/24"))
        pod.replace_route(Route("default", "eth0", f"10.244.{node}.1"))
        return pod


def serve(net: Namespace, port: int, name: str, hold: Callable[[Any], object] | None = None) -> None:
    """Answer each request with who answers and whom it saw, and close; `hold` keeps the connection instead."""

    def accepted(stream: Any) -> None:
        def received(data: bytes) -> None:
            stream.send(f"{name} saw {stream.remote[0]}".encode())
            stream.close()

        stream.received = hold(stream) if hold else received

    net.listen(("0.0.0.0", port), accepted)
