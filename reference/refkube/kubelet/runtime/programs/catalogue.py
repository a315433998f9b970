"""Which images there are: a repository's name and the programs behind it. What is not here cannot be pulled.

`known` is what `images.Images` asks. Kubernetes' own test images behave as they do upstream; of the many others in the
world the best known exist, as a shell or as a server that listens where theirs does.
"""

from __future__ import annotations

from functools import cache

from refkube.engine.clock import NEW_YEAR_2026
from refkube.kubelet.runtime.images import Image
from refkube.kubelet.runtime.process import SIGINT, SIGQUIT, SIGTERM, Body, Main, Process, forever
from refkube.kubelet.runtime.programs import agnhost, netclients, pause
from refkube.kubelet.runtime.programs.applets import applets
from refkube.kubelet.runtime.programs.webserver import HTTPD_PAGE, NGINX_PAGE, server
from refkube.serving.credentials import self_signed

MEBI = 1 << 20
_NGINX = "/usr/share/nginx/html/"
_HTTPD = "/usr/local/apache2/htdocs/"
_TEST = "registry.k8s.io/e2e-test-images/"


def _listening(name: str, port: int) -> Main:
    """A server that takes connections and says nothing."""

    def main(process: Process) -> Body:
        process.use(memory=64 * MEBI)
        for number in (SIGINT, SIGQUIT, SIGTERM):
            process.handlers[number] = lambda: process.exit(0)
        process.closing.append(
            process.net.listen(
                ("0.0.0.0", port), lambda stream: setattr(stream, "closed", lambda why: stream.close())
            ).close
        )
        process.say(f"{name}: ready for connections on port {port}")
        yield forever
        return 0

    return main


def _server(name: str, port: int) -> Image:
    return Image((name,), programs={**applets, name: _listening(name, port)}, size=50 * MEBI)


def _hello(process: Process) -> Body:
    process.say("\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n")
    return 0
    yield


@cache
def _localhost() -> tuple[bytes, bytes]:
    return self_signed("localhost", NEW_YEAR_2026)


_BUSYBOX = Image(command=("sh",), programs=applets, size=2 * MEBI)
_PAUSE = Image(("/pause",), programs={"pause": pause.main}, size=MEBI // 2)
_AGNHOST = Image(
    ("/agnhost",),
    ("pause",),
    {
        **applets,
        **{"agnhost": agnhost.main, "agnhost-2": agnhost.main, "curl": netclients.curl, "dig": netclients.dig},
    },
    {"/localhost.key": lambda: _localhost()[0], "/localhost.crt": lambda: _localhost()[1]},
    size=50 * MEBI,
)
_NGINX_IMAGE = Image(
    ("nginx",),
    ("-g", "daemon off;"),
    {**applets, "nginx": server("nginx", _NGINX.rstrip("/"), 3 * MEBI)},
    {f"{_NGINX}index.html": NGINX_PAGE},
    size=70 * MEBI,
    stop_signal=SIGQUIT,
)
_HTTPD_IMAGE = Image(
    ("httpd-foreground",),
    (),
    {**applets, "httpd-foreground": server("httpd", _HTTPD.rstrip("/"), 6 * MEBI)},
    {f"{_HTTPD}index.html": HTTPD_PAGE},
    size=60 * MEBI,
    cwd="/usr/local/apache2",
)

IMAGES: dict[str, Image] = {
    "registry.k8s.io/pause": _PAUSE,
    f"{_TEST}pause": _PAUSE,
    f"{_TEST}agnhost": _AGNHOST,
    f"{_TEST}busybox": _BUSYBOX,
    f"{_TEST}nginx": _NGINX_IMAGE,
    f"{_TEST}httpd": _HTTPD_IMAGE,
    "docker.io/library/busybox": _BUSYBOX,
    "docker.io/library/nginx": _NGINX_IMAGE,
    "docker.io/library/httpd": _HTTPD_IMAGE,
    "docker.io/library/hello-world": Image(("/hello",), programs={"hello": _hello}, size=13_000),
    "docker.io/library/redis": _server("redis-server", 6379),
    "docker.io/library/mysql": _server("mysqld", 3306),
    "docker.io/library/mariadb": _server("mariadbd", 3306),
    "docker.io/library/postgres": _server("postgres", 5432),
    "docker.io/library/mongo": _server("mongod", 27017),
    "docker.io/library/memcached": _server("memcached", 11211),
    **{f"docker.io/library/{name}": _BUSYBOX for name in ("alpine", "debian", "ubuntu", "centos", "fedora", "bash")},
}


def known(repository: str) -> Image | None:
    if repository.startswith("gcr.io/google-containers/") or repository.startswith("k8s.gcr.io/"):
        repository = f"registry.k8s.io/{repository.partition('/')[2].removeprefix('google-containers/')}"
    return IMAGES.get(repository)
