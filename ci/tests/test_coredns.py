"""coredns: what it says to each kind of name, asked as by wire; what only a stream or a malformed query shows."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from refkube.cluster import Cluster
from refkube.coredns.records import Records
from refkube.coredns.server import Server
from refkube.hostnet.resolver import candidates, config_of

from ci.tests.hostnet_fake import FakeHost

SLICES = "endpointslices.discovery.k8s.io"
ZONE = "cluster.local."


class Named:
    def __init__(self) -> None:
        cluster = Cluster(controllers=False)
        self.client = cluster.client("apiserver", "system:masters")
        records = Records(self.client, cluster.loop)
        self.server = Server(cluster.loop, FakeHost().namespace, records)  # type: ignore[arg-type]
        records.start()
        self.loop = cluster.loop
        self.loop.settle()

    def service(self, name: str, endpoints: list[dict[str, Any]] | None = None, **spec: Any) -> None:
        ports = [{"name": "http", "port": 80}]
        body = {"metadata": {"name": name}, "spec": {"ports": ports, **spec}}
        self.client.create("services", body, "default")
        if endpoints is not None:
            labels = {"kubernetes.io/service-name": name}
            listed = {
                "metadata": {"name": name, "labels": labels},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                "endpoints": endpoints,
            }
            self.client.create(SLICES, listed, "default")
        self.loop.settle()

    def told(self, query: dns.message.Message) -> dns.message.Message:
        told: list[dns.message.Message] = []
        assert self.server.answer(query.to_wire(), lambda query, answer: told.append(answer))
        return dns.message.from_wire(told[0].to_wire())

    def ask(self, name: str, type: str = "A") -> tuple[str, set[str]]:
        message = self.told(dns.message.make_query(name, type))
        values = {str(one) for rrset in message.answer for one in rrset}
        if not values and message.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            assert [str(one.name) for one in message.authority] == [ZONE]
        return dns.rcode.to_text(message.rcode()), values


READY = {"addresses": ["10.244.1.2"], "conditions": {"ready": True}, "hostname": "web-0"}
PLAIN = {"addresses": ["10.244.2.2"], "conditions": {"ready": True}}
UNREADY = {"addresses": ["10.244.2.3"], "conditions": {"ready": False}, "hostname": "web-2"}


@pytest.fixture(scope="module")
def named() -> Named:
    one = Named()
    one.service("web", [READY], clusterIP="10.96.0.50")
    one.service("all", [READY, PLAIN, UNREADY], clusterIP="None")
    one.service("far", type="ExternalName", externalName="example.com")
    one.service("near", type="ExternalName", externalName=f"web.default.svc.{ZONE}")
    return one


@pytest.mark.parametrize(
    ("name", "type", "code", "values"),
    [
        ("web.default.svc.cluster.local", "A", "NOERROR", {"10.96.0.50"}),
        ("WEB.Default.svc.cluster.local", "A", "NOERROR", {"10.96.0.50"}),
        ("web.default.svc.cluster.local", "AAAA", "NOERROR", set()),
        ("web.other.svc.cluster.local", "A", "NXDOMAIN", set()),
        ("x.web.default.svc.cluster.local", "A", "NXDOMAIN", set()),
        ("web.default.what.cluster.local", "A", "NXDOMAIN", set()),
        ("default.svc.cluster.local", "A", "NOERROR", set()),
        ("a.b.c.web.default.svc.cluster.local", "A", "NXDOMAIN", set()),
        ("all.default.svc.cluster.local", "A", "NOERROR", {"10.244.1.2", "10.244.2.2"}),
        ("web-0.all.default.svc.cluster.local", "A", "NOERROR", {"10.244.1.2"}),
        ("10-244-2-2.all.default.svc.cluster.local", "A", "NOERROR", {"10.244.2.2"}),
        ("web-2.all.default.svc.cluster.local", "A", "NXDOMAIN", set()),
        ("far.default.svc.cluster.local", "A", "NOERROR", {"example.com."}),
        ("near.default.svc.cluster.local", "A", "NOERROR", {f"web.default.svc.{ZONE}", "10.96.0.50"}),
        ("_http._tcp.web.default.svc.cluster.local", "SRV", "NOERROR", {f"0 100 80 web.default.svc.{ZONE}"}),
        ("_http._udp.web.default.svc.cluster.local", "SRV", "NXDOMAIN", set()),
        (
            "_http._tcp.all.default.svc.cluster.local",
            "SRV",
            "NOERROR",
            {f"0 50 8080 web-0.all.default.svc.{ZONE}", f"0 50 8080 10-244-2-2.all.default.svc.{ZONE}"},
        ),
        ("50.0.96.10.in-addr.arpa", "PTR", "NOERROR", {f"web.default.svc.{ZONE}"}),
        ("2.2.244.10.in-addr.arpa", "PTR", "NXDOMAIN", set()),
        ("10-1-2-3.default.pod.cluster.local", "A", "NOERROR", {"10.1.2.3"}),
        ("10-1-2.default.pod.cluster.local", "A", "NXDOMAIN", set()),
        ("dns-version.cluster.local", "TXT", "NOERROR", {'"1.1.0"'}),
        ("example.com", "A", "SERVFAIL", set()),
    ],
)
def test_answers(named: Named, name: str, type: str, code: str, values: set[str]) -> None:
    assert named.ask(name, type) == (code, values)


def test_an_endpoint_with_a_hostname_has_a_name_for_its_address(named: Named) -> None:
    code, values = named.ask("2.1.244.10.in-addr.arpa", "PTR")
    assert code == "NOERROR"
    assert f"web-0.all.default.svc.{ZONE}" in values


def test_what_is_no_query_is_not_answered(named: Named) -> None:
    assert not named.server.answer(b"\0", pytest.fail)
    response = dns.message.make_response(dns.message.make_query("web", "A"))
    assert not named.server.answer(response.to_wire(), pytest.fail)
    update = dns.message.make_query(f"web.default.svc.{ZONE}", "A")
    update.set_opcode(dns.opcode.NOTIFY)
    assert named.told(update).rcode() == dns.rcode.NOTIMP


def test_candidates_of_a_name() -> None:
    config = config_of("nameserver 10.96.0.10\nsearch home.svc.cluster.local cluster.local\noptions ndots:5\n")
    assert config.nameservers == ("10.96.0.10",)
    assert candidates("web", config) == ["web.home.svc.cluster.local.", "web.cluster.local.", "web."]
    assert candidates("a.b.c.d.e.f", config)[0] == "a.b.c.d.e.f."
    assert candidates("web.", config) == ["web."]
