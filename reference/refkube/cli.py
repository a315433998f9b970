"""The command `refkube`: a Kubernetes API server, and in time the other components, as processes.

Arguments are checked here; what they name is built in `cluster`. Wrong use is told in one line, with exit code 3.
"""

from __future__ import annotations

import platform
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from refkube.api.kinds import VERSION
from refkube.apimachinery.errors import StatusError
from refkube.apiserver.authentication import ADMIN
from refkube.cloudprovider import SimulatedCloud
from refkube.cluster import (
    BACKENDS,
    CONTROLLERS,
    ISSUER,
    SCHEDULERS,
    Cluster,
    ControllerManager,
    Machinery,
    StoreError,
    networking,
    open_store,
)
from refkube.component import Component, Unusable, text_at
from refkube.controllers.common.context import Options, Startable
from refkube.controllers.serviceaccounttoken import SIGN
from refkube.engine.clock import WallClock
from refkube.engine.garbage import leave_alone
from refkube.engine.loop import Poller
from refkube.hostnet import NetError
from refkube.kubeproxy.proxier import Options as ProxyOptions
from refkube.kubeproxy.proxier import Proxier
from refkube.scheduler.scheduler import Scheduler
from refkube.serviceaccount.tokens import Tokens, new_key
from refkube.volumes import PROVISIONERS, HostPath

if TYPE_CHECKING:
    from refkube.look import Look

LOST = 1  # exit code: another one leads
FAULT = 3  # exit code: what was asked for cannot be done

app = typer.Typer(
    name="refkube",
    help="refkube, the reference implementation of gherkube's specification of Kubernetes.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


Controllers = Annotated[
    str,
    typer.Option(
        metavar="NAMES", help="Controllers to run, separated by commas: * is all, empty none, -NAME not that."
    ),
]
Kubeconfig = Annotated[Path, typer.Option(envvar="KUBECONFIG", help="The API server, and as whom to ask it.")]
LeaderElect = Annotated[bool, typer.Option(help="Wait for the lease, so that one of several acts.")]
Speed = Annotated[float, typer.Option(help="Seconds of the cluster's time that pass in one real second.")]


def main() -> None:
    try:
        code = app(prog_name="refkube", standalone_mode=False)
    except Exception as wrong:
        if not hasattr(wrong, "format_message"):  # not one of typer's own about the command line
            raise
        print(f"refkube: {wrong.format_message()}", file=sys.stderr)
        code = FAULT
    sys.exit(code)


@app.callback()
def refkube() -> None:
    """refkube, the reference implementation of gherkube's specification of Kubernetes."""


@app.command()
def version() -> None:
    """Print the release of Kubernetes that is served."""
    print(f"refkube serves Kubernetes {VERSION}")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 6443,
    data_dir: Annotated[Path, typer.Option(help="Where keys and objects are kept.")] = Path("refkube-data"),
    etcd: Annotated[str, typer.Option(metavar="URL", help="Keep objects in this etcd instead of in sqlite.")] = "",
    memory: Annotated[bool, typer.Option("--memory", help="Keep objects in memory only.")] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="Where to write the kubeconfig.")] = None,
    nodes: Annotated[int, typer.Option(min=0, help="Nodes to run, named n1, n2 ...")] = 0,
    controllers: Controllers = "*",
    addons: Annotated[
        bool | None, typer.Option(help="Make a default StorageClass, and names; also where all nodes are elsewhere.")
    ] = None,
    flannel_backend: Annotated[
        str, typer.Option(metavar="NAME", help="How Pods' packets get from node to node: vxlan, udp or host-gw.")
    ] = "vxlan",
    proxy_scheduler: Annotated[
        str, typer.Option(metavar="NAME", help="How IPVS chooses among a Service's Pods: rr, lc, sh ...")
    ] = "rr",
    speed: Speed = 1.0,
) -> None:
    """Serve the Kubernetes API over TLS until interrupted."""
    with _extra():
        from refkube.debug import Debug
        from refkube.serving import credentials, server
        from refkube.serving.kubelets import Kubelets
    if memory and etcd:
        _fail("--memory and --etcd exclude each other")
    if not host:
        _fail("--host must not be empty; 0.0.0.0 listens on every address")
    if not speed > 0:
        _fail(f"--speed must be positive, not {speed}")
    chosen = _chosen(controllers)
    for what, name, known in (("backend", flannel_backend, BACKENDS), ("scheduler", proxy_scheduler, SCHEDULERS)):
        if name not in known:
            _fail(f"no such {what}: {name}; there are {', '.join(known)}")
    clock = WallClock(speed)
    try:
        held = credentials.prepare(data_dir, host, clock.now(), secrets.token_urlsafe(32), new_key())
        cluster = Cluster(
            nodes,
            clock=clock,
            seed=None,
            controllers=chosen,
            store=open_store("memory" if memory else etcd or data_dir),
            users={held.admin_token: ADMIN},
            signing_key=held.signing_key,
            options=Options(root_ca=held.authority.decode()),
            networking=networking(flannel_backend, proxy_scheduler),
            on_error=lambda why, what: _say(f"{what}: {why!r}"),
            wire=Kubelets(held.client, held.client_key),
            addons=addons,
        )
    except (StoreError, StatusError, ValueError) as why:
        _fail(str(why))
    except OSError as why:
        _fail(f"{why.filename or data_dir}: {why.strerror}")
    cluster.apiserver.front.debug = Debug(cluster).serve
    written = kubeconfig or data_dir / "kubeconfig"

    def started() -> None:
        told = f"[{host}]" if ":" in host else host
        where = f"https://{told}:{listener.getsockname()[1]}"
        config = credentials.kubeconfig(where, held.authority, held.admin_token)
        credentials.write_private(written, config.encode())
        print(f"export KUBECONFIG={written.resolve()}", flush=True)

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    leave_alone()
    try:
        listener = server.listen(host, port)
        server.run(
            cluster.loop,
            cluster.http,
            listener,
            certificate=held.certificate,
            key=held.key,
            started=started,
            stopping=cluster.registry.close,
        )
    except server.AddressInUse as why:
        _fail(str(why))
    except OSError as why:  # of the kubeconfig, or of the certificate
        _fail(f"{why.filename or data_dir}: {why.strerror or why}")
    finally:
        cluster.close()


MANIFESTS = Annotated[list[Path], typer.Option("-f", "--file", metavar="FILE", help="Manifests to apply before.")]
NODES = Annotated[int, typer.Option(min=1, max=100, help="Nodes of the cluster, named n1, n2 ...")]
BACKEND = Annotated[str, typer.Option(help="flannel's backend: vxlan, udp or host-gw.")]
SERVED = Annotated[
    Path | None,
    typer.Option("--kubeconfig", envvar="KUBECONFIG", help="A `refkube serve` to look at, where no FILE is given."),
]


@app.command()
def trace(
    origin: Annotated[str, typer.Argument(metavar="POD", help="A Pod, node/NAME, or outside.")],
    target: Annotated[
        str, typer.Argument(metavar="ADDRESS:PORT", help="Or service/NAME:PORT, pod/NAME:PORT, node/NAME:PORT.")
    ],
    file: MANIFESTS = [],  # noqa: B006  (typer copies it)
    nodes: NODES = 3,
    backend: BACKEND = "vxlan",
    pcap: Annotated[Path | None, typer.Option(metavar="DIR", help="Write captures of all devices there.")] = None,
    kubeconfig: SERVED = None,
) -> None:
    """Follow a connection: every device, hook and verdict on its way.

    Through a cluster made of manifests, or through one that `refkube serve` runs."""
    if kubeconfig and not file:
        if pcap:
            _fail("captures are written of a cluster made for it: give a FILE, too")
        print(_told_by(kubeconfig, "trace", {"from": origin, "to": target}))
        return
    with _looked_at(nodes, backend, file) as cluster:
        for line in cluster.trace(origin, target, pcap):
            print(line)


@app.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="A node, a Pod, or outside.")],
    view: Annotated[
        list[str] | None, typer.Argument(metavar="VIEW", help='Such as "ip route" or "ipvsadm -Ln"; all without.')
    ] = None,
    file: MANIFESTS = [],  # noqa: B006
    nodes: NODES = 3,
    backend: BACKEND = "vxlan",
    kubeconfig: SERVED = None,
) -> None:
    """Print the network of a node or a Pod as Linux's tools do.

    Of a cluster made of manifests, or of one that `refkube serve` runs."""
    from refkube.look import VIEWS

    unknown = [name for name in view or () if name not in VIEWS]
    if unknown:
        _fail(f"no such view: {', '.join(unknown)}; there are {', '.join(VIEWS)}")
    if kubeconfig and not file:
        print(_told_by(kubeconfig, "show", {"place": place, "view": view or list(VIEWS)}))
        return
    with _looked_at(nodes, backend, file) as cluster:
        for text in cluster.show(place, view or list(VIEWS)):
            print(text)


def _told_by(kubeconfig: Path, what: str, options: dict[str, str | list[str]]) -> str:
    """What a refkube that runs says of its network."""
    from refkube.debug import PATH

    try:
        return text_at(kubeconfig, f"{PATH}/{what}", options).rstrip()
    except StatusError as why:
        _fail(f"the server of {kubeconfig} is not refkube: it has no {PATH}" if why.code == 404 else str(why))
    except Unusable as why:
        _fail(str(why))


@contextmanager
def _looked_at(nodes: int, backend: str, files: list[Path]) -> Iterator[Look]:
    from refkube.look import BACKENDS, WrongUse, made

    if backend not in BACKENDS:
        _fail(f"no such backend: {backend}; there are {', '.join(BACKENDS)}")
    try:
        cluster = made(nodes, backend, files)
        try:
            yield cluster
        finally:
            cluster.close()
    except WrongUse as why:
        _fail(str(why))


@app.command()
def scheduler(kubeconfig: Kubeconfig, leader_elect: LeaderElect = True, speed: Speed = 1.0) -> None:
    """Run the scheduler against an API server until interrupted."""
    component = _component("kube-scheduler", kubeconfig, speed)
    _run(component, Scheduler(component.client(), component.loop), leader_elect)


@app.command("controller-manager")
def controller_manager(
    kubeconfig: Kubeconfig,
    controllers: Controllers = "*",
    service_account_private_key_file: Annotated[
        Path | None, typer.Option(help="Key (PEM) to sign tokens with; without it none are made for Secrets.")
    ] = None,
    cloud_provider: Annotated[
        str, typer.Option(metavar="NAME", help='Of load balancers: "simulated", or none for somebody else\'s.')
    ] = "",
    enable_hostpath_provisioner: Annotated[
        bool, typer.Option(help=f"Make volumes of classes that name {HostPath.name}: directories of the node.")
    ] = False,
    leader_elect: LeaderElect = True,
    speed: Speed = 1.0,
) -> None:
    """Run controllers against an API server until interrupted."""
    chosen = _chosen(controllers)
    component = _component("kube-controller-manager", kubeconfig, speed)
    if cloud_provider not in ("", "simulated"):
        _fail(f"no such cloud provider: {cloud_provider}; there is simulated")
    extra: dict[str, Any] = {PROVISIONERS: {HostPath.name: HostPath()} if enable_hostpath_provisioner else {}}
    if service_account_private_key_file is None:
        chosen = [name for name in chosen if name != "serviceaccount-token-controller"]
    else:
        extra[SIGN] = _signer(service_account_private_key_file, component).issue_legacy
    cloud = SimulatedCloud() if cloud_provider else None
    options = Options(root_ca=component.authority, cloud=cloud, extra=extra)
    manager = ControllerManager(component.client, component.loop, chosen, options)
    _run(component, manager, leader_elect)


@app.command()
def kubelet(
    kubeconfig: Kubeconfig,
    name: Annotated[str, typer.Option(help="The node's name.")],
    node_ip: Annotated[str, typer.Option(help="The node's address, in 192.168.0.0/16, not .99.")] = "192.168.100.11",
    address: Annotated[
        str, typer.Option(help="Where to listen for the API server, which finds the node there; 0.0.0.0 is anywhere.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 10250,
    cluster_dns: Annotated[str, typer.Option(metavar="ADDRESS", help="Whom Pods ask for names.")] = "",
    lan: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Nodes with the same directory are on one network.")
    ] = None,
    speed: Speed = 1.0,
) -> None:
    """Run a node against an API server until interrupted: its kubelet, and containers that are programs."""
    with _extra():
        from refkube.serving import credentials, server
        from refkube.serving.segment import Segment
    component = _component("kubelet", kubeconfig, speed)
    try:
        listener = server.listen(address, port)
        host = platform.node() if address in ("0.0.0.0", "::") else address
        where = host, listener.getsockname()[1]
        segment = Segment(lan) if lan is not None else None
        send = segment.send if segment is not None else None
        machinery = Machinery(component.client(), component.loop, name, node_ip, where, send, cluster_dns)
    except (server.AddressInUse, ValueError) as why:
        _fail(str(why))
    except OSError as why:
        _fail(f"{lan}: {why.strerror}")
    with TemporaryDirectory() as kept:
        key, certificate, authority = (Path(kept) / name for name in ("server.key", "server.crt", "client-ca.crt"))
        made = (*credentials.self_signed(host, component.loop.now()), component.authority.encode())
        for path, content in zip((key, certificate, authority), made, strict=True):
            credentials.write_private(path, content)

        def forever() -> None:
            server.run(
                component.loop,
                machinery.serve,
                listener,
                certificate=certificate,
                key=key,
                client_authority=authority if component.authority else None,
                started=lambda: segment.open(machinery.arrived) if segment is not None else None,
                stopping=machinery.stop,
            )

        try:
            _run(component, machinery, leader_elect=False, forever=forever)
        finally:
            if segment is not None:
                segment.close()


@app.command("kube-proxy")
def kube_proxy(
    kubeconfig: Kubeconfig,
    hostname_override: Annotated[str, typer.Option(help="The node's name; the machine's without.")] = "",
    ipvs_scheduler: Annotated[str, typer.Option(metavar="NAME", help="How IPVS chooses among Pods.")] = SCHEDULERS[0],
    cluster_cidr: Annotated[str, typer.Option(help="Addresses of Pods, which are not masqueraded.")] = "10.244.0.0/16",
) -> None:
    """Run kube-proxy in IPVS mode on this machine's kernel, in the network namespace that it is in. Wants root."""
    with _extra("linux"):
        from refkube.linux.host import this_machine
        from refkube.linux.poller import SocketPoller
    if ipvs_scheduler not in SCHEDULERS:
        _fail(f"no such scheduler: {ipvs_scheduler}; there are {', '.join(SCHEDULERS)}")
    poller = SocketPoller()
    component = _component("kube-proxy", kubeconfig, 1.0, poller)
    poller.post = component.loop.post
    name = hostname_override or platform.node()
    try:
        host = this_machine(name, component.loop, poller)
    except NetError as why:
        _fail(f"this machine's kernel cannot be worked on: {why.strerror}")
    options = ProxyOptions(scheduler=ipvs_scheduler, cluster_cidr=cluster_cidr)
    _run(component, Proxier(component.client(), component.loop, host, name, options), leader_elect=False)


@contextmanager
def _extra(extra: str = "serve") -> Iterator[None]:
    try:
        yield
    except ImportError as missing:
        _fail(f"this needs the package {missing.name}; install gherkube[{extra}]")


def _component(name: str, kubeconfig: Path, speed: float, poller: Poller | None = None) -> Component:
    if not speed > 0:
        _fail(f"--speed must be positive, not {speed}")
    identity = f"{platform.node() or 'host'}_{secrets.token_hex(8)}"
    try:
        return Component(name, identity, kubeconfig, secrets.randbits(64), speed, _say, poller)
    except Unusable as why:
        _fail(str(why))


def _signer(path: Path, component: Component) -> Tokens:
    try:
        tokens = Tokens(component.loop.now, ISSUER, path.read_bytes())
        _ = tokens.public_jwk  # a bad one is told now
    except OSError as why:
        _fail(f"{path}: {why.strerror}")
    except (ValueError, TypeError, AssertionError):
        _fail(f"{path} holds no private key (PEM, P-256)")
    return tokens


def _run(component: Component, part: Startable, leader_elect: bool, forever: Callable[[], None] | None = None) -> None:
    _say(f"{component.name} is {component.identity}")
    leave_alone()
    try:
        kept = component.run(part, component.name if leader_elect else "", forever)
    except Unusable as why:
        _fail(str(why))
    if not kept:
        _say(f"{component.name} has lost its lease")
        raise typer.Exit(LOST)


def _chosen(controllers: str) -> list[str]:
    """As kube-controller-manager --controllers reads it."""
    told = [name.strip() for name in controllers.split(",") if name.strip()]
    unknown = [name for name in told if name.removeprefix("-") not in (*CONTROLLERS, "*")]
    if unknown:
        _fail(f"no such controller: {', '.join(unknown)}; there are {', '.join(CONTROLLERS)}")
    return [name for name in CONTROLLERS if (name in told or "*" in told) and f"-{name}" not in told]


def _say(what: str) -> None:
    print(f"refkube: {what}", file=sys.stderr, flush=True)


def _fail(why: str) -> NoReturn:
    print(f"refkube: {' '.join(why.split())}", file=sys.stderr)
    raise typer.Exit(FAULT)
