"""The sets and the few iptables rules of kube-proxy in IPVS mode: names, types, text.

Called by `proxier`. Source: pkg/proxy/ipvs proxier.go and ipset.go; IPVS itself holds what grows with the Services, the
rules only say what is masqueraded, let through and refused, by sets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

MARK = "0x00004000"  # 1 << masqueradeBit (14)
DEVICE = "kube-ipvs0"

LOOP_BACK = "KUBE-LOOP-BACK"
CLUSTER_IP = "KUBE-CLUSTER-IP"
EXTERNAL_IP = "KUBE-EXTERNAL-IP"
EXTERNAL_IP_LOCAL = "KUBE-EXTERNAL-IP-LOCAL"
LOAD_BALANCER = "KUBE-LOAD-BALANCER"
LOAD_BALANCER_LOCAL = "KUBE-LOAD-BALANCER-LOCAL"
LOAD_BALANCER_FW = "KUBE-LOAD-BALANCER-FW"
SOURCE_IP = "KUBE-LOAD-BALANCER-SOURCE-IP"
SOURCE_CIDR = "KUBE-LOAD-BALANCER-SOURCE-CIDR"
NODE_PORT = {"TCP": "KUBE-NODE-PORT-TCP", "UDP": "KUBE-NODE-PORT-UDP", "SCTP": "KUBE-NODE-PORT-SCTP-HASH"}
NODE_PORT_LOCAL = {
    "TCP": "KUBE-NODE-PORT-LOCAL-TCP",
    "UDP": "KUBE-NODE-PORT-LOCAL-UDP",
    "SCTP": "KUBE-NODE-PORT-LOCAL-SCTP-HASH",
}
HEALTH_CHECK = "KUBE-HEALTH-CHECK-NODE-PORT"
IPVS_IPS = "KUBE-IPVS-IPS"

_HASH = "family inet hashsize 1024 maxelem 65536"
_PORTS = "range 0-65535"

# name -> type, options, what a rule says of it
SETS: dict[str, tuple[str, str, str]] = {
    LOOP_BACK: ("hash:ip,port,ip", _HASH, "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"),
    CLUSTER_IP: ("hash:ip,port", _HASH, "Kubernetes service cluster ip + port for masquerade purpose"),
    EXTERNAL_IP: ("hash:ip,port", _HASH, "Kubernetes service external ip + port for masquerade and filter purpose"),
    EXTERNAL_IP_LOCAL: (
        "hash:ip,port",
        _HASH,
        "Kubernetes service external ip + port with externalTrafficPolicy=local",
    ),
    LOAD_BALANCER: ("hash:ip,port", _HASH, "Kubernetes service lb portal"),
    LOAD_BALANCER_FW: (
        "hash:ip,port",
        _HASH,
        "Kubernetes service load balancer ip + port for load balancer with sourceRange",
    ),
    LOAD_BALANCER_LOCAL: (
        "hash:ip,port",
        _HASH,
        "Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
    ),
    SOURCE_IP: (
        "hash:ip,port,ip",
        _HASH,
        "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
    ),
    SOURCE_CIDR: (
        "hash:ip,port,net",
        _HASH,
        "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
    ),
    NODE_PORT["TCP"]: ("bitmap:port", _PORTS, "Kubernetes nodeport TCP port for masquerade purpose"),
    NODE_PORT_LOCAL["TCP"]: ("bitmap:port", _PORTS, "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
    NODE_PORT["UDP"]: ("bitmap:port", _PORTS, "Kubernetes nodeport UDP port for masquerade purpose"),
    NODE_PORT_LOCAL["UDP"]: ("bitmap:port", _PORTS, "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
    NODE_PORT["SCTP"]: (
        "hash:ip,port",
        _HASH,
        "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
    ),
    NODE_PORT_LOCAL["SCTP"]: (
        "hash:ip,port",
        _HASH,
        "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
    ),
    HEALTH_CHECK: ("bitmap:port", _PORTS, "Kubernetes health check node port"),
    IPVS_IPS: ("hash:ip", _HASH, "Addresses on the ipvs interface"),
}

CHAINS = {
    "nat": ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ"),
    "filter": (
        *("KUBE-FORWARD", "KUBE-NODE-PORT", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL"),
        *("KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"),
    ),
}

# table, chain, comment, target; each is put before all others, in this order
JUMPS = (
    ("nat", "OUTPUT", "kubernetes service portals", "KUBE-SERVICES"),
    ("nat", "PREROUTING", "kubernetes service portals", "KUBE-SERVICES"),
    ("nat", "POSTROUTING", "kubernetes postrouting rules", "KUBE-POSTROUTING"),
    ("filter", "FORWARD", "kubernetes forwarding rules", "KUBE-FORWARD"),
    ("filter", "INPUT", "kubernetes health check rules", "KUBE-NODE-PORT"),
    ("filter", "INPUT", "kube-proxy firewall rules", "KUBE-PROXY-FIREWALL"),
    ("filter", "FORWARD", "kube-proxy firewall rules", "KUBE-PROXY-FIREWALL"),
    ("filter", "INPUT", "kubernetes ipvs access filter", "KUBE-IPVS-FILTER"),
    ("filter", "OUTPUT", "kubernetes ipvs access filter", "KUBE-IPVS-OUT-FILTER"),
)

# set, chain, how it is matched, target, protocol; in the order of the rules
_NAT_BY_SET = (
    (LOOP_BACK, "KUBE-POSTROUTING", "dst,dst,src", "MASQUERADE", ""),
    (LOAD_BALANCER, "KUBE-SERVICES", "dst,dst", "KUBE-LOAD-BALANCER", ""),
    (LOAD_BALANCER_LOCAL, "KUBE-LOAD-BALANCER", "dst,dst", "RETURN", ""),
    (NODE_PORT_LOCAL["TCP"], "KUBE-NODE-PORT", "dst", "RETURN", "tcp"),
    (NODE_PORT["TCP"], "KUBE-NODE-PORT", "dst", "KUBE-MARK-MASQ", "tcp"),
    (NODE_PORT_LOCAL["UDP"], "KUBE-NODE-PORT", "dst", "RETURN", "udp"),
    (NODE_PORT["UDP"], "KUBE-NODE-PORT", "dst", "KUBE-MARK-MASQ", "udp"),
    (NODE_PORT_LOCAL["SCTP"], "KUBE-NODE-PORT", "dst,dst", "RETURN", "sctp"),
    (NODE_PORT["SCTP"], "KUBE-NODE-PORT", "dst,dst", "KUBE-MARK-MASQ", "sctp"),
)
_FILTER_BY_SET = (
    (LOAD_BALANCER_FW, "KUBE-PROXY-FIREWALL", "dst,dst", "KUBE-SOURCE-RANGES-FIREWALL", ""),
    (SOURCE_CIDR, "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst,src", "RETURN", ""),
    (SOURCE_IP, "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst,src", "RETURN", ""),
)


def jump(number: int, verb: str) -> str:
    """The command that checks for, deletes or inserts one of JUMPS: -C, -D, -I."""
    table, chain, comment, target = JUMPS[number]
    return f'-t {table} {verb} {chain} -m comment --comment "{comment}" -j {target}'


def restored(
    filled: Collection[str], cluster_cidr: str, masquerade_all: bool, denied: Iterable[tuple[str, str, int]]
) -> str:
    """All chains, as iptables-restore --noflush takes them. Sets that are not `filled` get no rule, mostly. `denied`
    are load balancers' (address, protocol, port) that nodes must not reach."""
    return "\n".join([*_nat(filled, cluster_cidr, masquerade_all), *_filter(filled, sorted(denied)), ""])


def _nat(filled: Collection[str], cluster_cidr: str, masquerade_all: bool) -> Iterable[str]:
    yield "*nat"
    yield from (f":{chain} - [0:0]" for chain in CHAINS["nat"])
    yield "-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN"
    yield from _by_sets(_NAT_BY_SET, filled)
    if CLUSTER_IP in filled:
        yield f"-A KUBE-SERVICES{_match(CLUSTER_IP)} {_of_strangers(cluster_cidr, masquerade_all)} -j KUBE-MARK-MASQ"
    if EXTERNAL_IP in filled:
        yield f"-A KUBE-SERVICES{_match(EXTERNAL_IP)} dst,dst -j KUBE-MARK-MASQ"
    for name in (EXTERNAL_IP, EXTERNAL_IP_LOCAL):
        if name in filled:  # what comes from another machine, and what this one takes for its own
            rule = f"-A KUBE-SERVICES{_match(name)} dst,dst"
            yield f"{rule} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT"
            yield f"{rule} -m addrtype --dst-type LOCAL -j ACCEPT"
    yield "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT"
    yield "-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ"
    for name in (CLUSTER_IP, LOAD_BALANCER):  # last: no other rule is to meddle with what is IPVS's
        if name in filled:
            yield f"-A KUBE-SERVICES -m set --match-set {name} dst,dst -j ACCEPT"
    yield f"-A KUBE-POSTROUTING -m mark ! --mark {MARK}/{MARK} -j RETURN"
    yield f"-A KUBE-POSTROUTING -j MARK --xor-mark {MARK}"  # not once more, should it come by again
    masquerade = '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully'
    yield f"-A KUBE-POSTROUTING {masquerade}"
    yield f"-A KUBE-MARK-MASQ -j MARK --or-mark {MARK}"
    yield "COMMIT"


def _filter(filled: Collection[str], denied: Iterable[tuple[str, str, int]]) -> Iterable[str]:
    yield "*filter"
    yield from (f":{chain} - [0:0]" for chain in CHAINS["filter"])
    yield from _by_sets(_FILTER_BY_SET, filled)
    yield "-A KUBE-SOURCE-RANGES-FIREWALL -j DROP"
    for address, protocol, port in denied:  # a node that reaches a load balancer does so from its very address
        server = f"--vaddr {address} --vproto {protocol} --vport {port}"
        yield f"-A KUBE-IPVS-OUT-FILTER -s {address} -m ipvs {server} -j DROP"
    rule = "-A KUBE-FORWARD -m comment --comment"
    yield f'{rule} "kubernetes forwarding rules" -m mark --mark {MARK}/{MARK} -j ACCEPT'
    yield f'{rule} "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'
    yield f"-A KUBE-NODE-PORT{_match(HEALTH_CHECK)} dst -j ACCEPT"
    for name in (LOAD_BALANCER, CLUSTER_IP, EXTERNAL_IP, EXTERNAL_IP_LOCAL):
        yield f"-A KUBE-IPVS-FILTER -m set --match-set {name} dst,dst -j RETURN"
    yield f"-A KUBE-IPVS-FILTER -m set --match-set {HEALTH_CHECK} dst -j RETURN"
    # A ClusterIP is an address of the node: without this its own ports could be reached there.
    yield f"-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set {IPVS_IPS} dst -j REJECT"
    yield "COMMIT"


def _by_sets(table: Iterable[tuple[str, str, str, str, str]], filled: Collection[str]) -> Iterable[str]:
    for name, chain, how, target, protocol in table:
        if name in filled:
            yield f"-A {chain}{f' -p {protocol}' if protocol else ''}{_match(name)} {how} -j {target}"


def _match(name: str) -> str:
    return f' -m comment --comment "{SETS[name][2]}" -m set --match-set {name}'


def _of_strangers(cluster_cidr: str, masquerade_all: bool) -> str:
    """Which connections to a ClusterIP are masqueraded: those that no Pod makes, as far as Pods can be told; else those
    that a node makes from a Service's address, which the dummy device offers it."""
    if masquerade_all:
        return "dst,dst"
    return f"dst,dst ! -s {cluster_cidr}" if cluster_cidr else "src,dst"
