"""The machines of a cluster and what is around them, over a simulated wire.

Made by the cluster, which joins a host for every node.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.engine.loop import Loop
from refkube.hostnet import Address
from refkube.hostnet.machines import Surroundings
from refkube.network.host import Host
from refkube.network.link import Lan, Nic, Wire


class Fabric(Surroundings[Host, Lan]):
    """`vendor` tells this fabric's devices from those of others."""

    def __init__(self, loop: Loop, vendor: int = 0x42):
        self.loop = loop
        self.wire = Wire(loop, vendor)
        super().__init__(Lan(self.wire), Lan(self.wire))

    def go_on(self, name: str, send: Callable[[bytes], object]) -> None:
        """Let a machine's LAN go on elsewhere."""
        self.lan.go_on(self._card(name), send)

    def cut_off(self, name: str) -> None:
        self.lan.detach(self._card(name))

    def mend(self, name: str) -> None:
        self.lan.attach(self._card(name))

    def _card(self, name: str) -> Nic:
        card = self.hosts[name].namespace.stack.devices["eth0"]
        assert isinstance(card, Nic)
        return card

    def _machine(self, name: str) -> Host:
        return Host(self.wire, name)

    def _plug(self, machine: Host, card: str, lan: Lan, cidr: str) -> None:
        machine.plug(card, lan)
        machine.namespace.add_address(Address(card, cidr))
