"""Images: which names there are, and which programs are in them.

A registry of names stands for the registries of the world: a known repository exists with every tag that looks like a
release, anything else does not. Pulling takes a moment, once a node. Tags and digests do not change a program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from refkube.engine.loop import Loop
from refkube.kubelet.runtime.process import Main
from refkube.volumes.files import Directory, File

PULL_SECONDS = 1.0
SANDBOX = "registry.k8s.io/pause:3.10"  # which every node has from its beginning

# distribution/reference: [domain/]path[:tag][@digest]
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<domain>(?:[a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+(?::\d+)?|[a-zA-Z0-9-]+:\d+|localhost)/)?(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}))?"
)
_TAG = re.compile(r"v?\d[\w.-]*|latest|stable\S*|alpine\S*|mainline\S*|glibc|musl|uclibc|bookworm\S*")


@dataclass(frozen=True)
class Image:
    """`programs` are what can be run, by name; `commands` what any shell in it knows beside its own."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    programs: Mapping[str, Main] = field(default_factory=dict)
    files: Mapping[str, bytes | Callable[[], bytes]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    size: int = 1_000_000
    stop_signal: int = 0
    cwd: str = "/"

    def program(self, argv: list[str]) -> Main | None:
        if not argv:
            return None
        path, _, name = argv[0].rpartition("/")
        known = path in (
            "",
            ".",
            "/bin",
            "/usr/bin",
            "/sbin",
            "/usr/sbin",
            "/usr/local/bin",
            "/usr/local/sbin",
            "/usr/local/apache2/bin",
        )
        return self.programs.get(name) if known or argv[0] in self.entrypoint else None

    def unfit(self, cwd: str) -> bool:
        return not cwd.startswith("/")

    def root(self) -> Directory:
        """Its files, fresh for one container; contents are shared until they are written."""
        root = Directory()
        for name in ("bin", "dev", "etc", "proc", "tmp", "usr", "var"):
            root.entries[name] = Directory()
        for path, data in self.files.items():
            *parents, name = path.strip("/").split("/")
            directory = root
            for parent in parents:
                below = directory.entries.setdefault(parent, Directory())
                assert isinstance(below, Directory)
                directory = below
            directory.entries[name] = File(data)
        return root


class PullError(Exception):
    """The registry does not give the image; one line."""


class Images:
    """What one node has pulled, and the registry it pulls from. `known` gives the image of a repository, or None."""

    def __init__(self, loop: Loop, known: Callable[[str], Image | None], pull_seconds: float = PULL_SECONDS):
        self._loop = loop
        self._known = known
        self._seconds = pull_seconds
        self.present: dict[str, Image] = {}
        self.forget()
        self._waiting: dict[str, list[Callable[[PullError | None], object]]] = {}

    def forget(self) -> None:
        """All but the one that every sandbox has."""
        sandbox = self._known("registry.k8s.io/pause")
        self.present = {SANDBOX: sandbox} if sandbox is not None else {}

    def pull(self, name: str, done: Callable[[PullError | None], object]) -> None:
        """`done` is told in a moment. Who asks for what is under way waits with the others."""
        waiting = self._waiting.setdefault(name, [])
        waiting.append(done)
        if len(waiting) == 1:
            self._loop.call_later(self._seconds, self._pulled, name)

    def _pulled(self, name: str) -> None:
        image = self.find(name)
        error = None
        if image is None:
            full = normalized(name)
            error = PullError(
                f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": {full}: not found'
            )
        else:
            self.present[name] = image
        for done in self._waiting.pop(name):
            done(error)

    def sizes(self) -> list[tuple[str, int]]:
        return [(normalized(name), image.size) for name, image in self.present.items()]

    def find(self, name: str) -> Image | None:
        """What the registry has."""
        found = _REFERENCE.fullmatch(name)
        if found is None or not (found["digest"] or _TAG.fullmatch(found["tag"] or "latest")):
            return None
        return self._known(_repository(found))


def is_valid(name: str) -> bool:
    return _REFERENCE.fullmatch(name) is not None


def normalized(name: str) -> str:
    """As the runtime names it: with registry and tag."""
    found = _REFERENCE.fullmatch(name)
    if found is None:
        return name
    tag = f":{found['tag']}" if found["tag"] else "" if found["digest"] else ":latest"
    return f"{_repository(found)}{tag}{'@' + found['digest'] if found['digest'] else ''}"


def _repository(found: re.Match[str]) -> str:
    domain, path = found["domain"], found["path"]
    if not domain:
        return f"docker.io/{path if '/' in path else 'library/' + path}"
    return f"{domain}/{path}"
