"""The command `refkube`: a Kubernetes API server, and in time the other components, as processes.

Arguments are checked here; what they name is built in `cluster`. Wrong use is told in one line, with exit code 3.
"""

from __future__ import annotations

import secrets
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from refkube.api.kinds import VERSION
from refkube.apimachinery.errors import StatusError
from refkube.apiserver.authentication import ADMIN
from refkube.cluster import CONTROLLERS, Cluster, StoreError, open_store
from refkube.controllers.common.context import Options
from refkube.engine.clock import WallClock
from refkube.serviceaccount.tokens import new_key

FAULT = 3  # exit code: what was asked for cannot be done

app = typer.Typer(
    name="refkube",
    help="refkube, the reference implementation of gherkube's specification of Kubernetes.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


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
    controllers: Annotated[
        str, typer.Option(metavar="NAMES", help="Controllers to run, separated by commas: * is all, empty is none.")
    ] = "*",
    speed: Annotated[float, typer.Option(help="Seconds of the cluster's time that pass in one real second.")] = 1.0,
) -> None:
    """Serve the Kubernetes API over TLS until interrupted."""
    try:
        from refkube.serving import credentials, server
    except ImportError as missing:
        _fail(f"serving needs the package {missing.name}; install gherkube[serve]")
    if memory and etcd:
        _fail("--memory and --etcd exclude each other")
    if not host:
        _fail("--host must not be empty; 0.0.0.0 listens on every address")
    if not speed > 0:
        _fail(f"--speed must be positive, not {speed}")
    chosen = list(CONTROLLERS) if controllers == "*" else [name for name in controllers.split(",") if name]
    unknown = [name for name in chosen if name not in CONTROLLERS]
    if unknown:
        _fail(f"no such controller: {', '.join(unknown)}; there are {', '.join(CONTROLLERS)}")
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
            on_error=lambda why, what: print(f"refkube: {what}: {why!r}", file=sys.stderr, flush=True),
        )
    except (StoreError, StatusError, ValueError) as why:
        _fail(str(why))
    except OSError as why:
        _fail(f"{why.filename or data_dir}: {why.strerror}")
    written = kubeconfig or data_dir / "kubeconfig"

    def started(actual: int) -> None:
        told = f"[{host}]" if ":" in host else host
        config = credentials.kubeconfig(f"https://{told}:{actual}", held.authority, held.admin_token)
        credentials.write_private(written, config.encode())
        print(f"export KUBECONFIG={written.resolve()}", flush=True)

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        server.run(
            cluster.loop,
            cluster.http,
            host=host,
            port=port,
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


def _fail(why: str) -> NoReturn:
    print(f"refkube: {' '.join(why.split())}", file=sys.stderr)
    raise typer.Exit(FAULT)
