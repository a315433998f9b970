"""Files in memory: a node's disk, volumes, and what a container sees of them.

The kubelet makes volumes of it, programs read and write it, and what the provisioner hands out is made of it. Errors
are OSErrors with the kernel's numbers and words. Left out: owners, links, devices; permissions are kept, not enforced,
as programs run as root.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import NoReturn


class File:
    """`data` is its content, or a callable that gives it when it is first read."""

    __slots__ = ("_data", "mode", "modified")

    def __init__(self, data: bytes | Callable[[], bytes] = b"", mode: int = 0o644, modified: float = 0.0):
        self._data = data
        self.mode = mode
        self.modified = modified

    @property
    def data(self) -> bytes:
        if not isinstance(self._data, bytes):
            self._data = self._data()
        return self._data

    @data.setter
    def data(self, data: bytes) -> None:
        self._data = data


class Directory:
    """`medium` is what it lies on: "Memory", or the disk."""

    __slots__ = ("entries", "medium", "mode")

    def __init__(self, mode: int = 0o755):
        self.entries: dict[str, Node] = {}
        self.mode = mode
        self.medium = ""

    def walk(self, base: str = "") -> Iterator[tuple[str, File]]:
        for name, node in self.entries.items():
            path = f"{base}/{name}" if base else name
            if isinstance(node, Directory):
                yield from node.walk(path)
            else:
                yield path, node

    @property
    def size(self) -> int:
        return sum(len(file.data) for _, file in self.walk())


Node = File | Directory


class Tree:
    """One root with what is mounted in it, as one container (or a node's own processes) sees it."""

    def __init__(self, root: Directory | None = None, now: Callable[[], float] = float, read_only: bool = False):
        self.root = root or Directory()
        self._now = now
        self._mounts: dict[str, tuple[Node, bool]] = {"": (self.root, read_only)}

    def mount(self, path: str, node: Node, read_only: bool = False) -> None:
        """At a path, which is made if it is not there."""
        where = _clean(path)
        if where:
            parent, name = where.rpartition("/")[::2]
            directory = self._make(parent)
            if name not in directory.entries:
                directory.entries[name] = Directory() if isinstance(node, Directory) else File()
        self._mounts[where] = (node, read_only)

    def wipe(self) -> None:
        """Lose what is on it; what is mounted in it is elsewhere, and stays."""
        self.root.entries.clear()
        for path, mounted in list(self._mounts.items()):
            if path:
                self.mount(path, *mounted)

    def find(self, path: str) -> Node | None:
        node: Node | None = self._mounts[""][0]
        where = ""
        for name in filter(None, _clean(path).split("/")):
            if not isinstance(node, Directory):
                return None
            where = f"{where}/{name}"
            mounted = self._mounts.get(where)
            node = mounted[0] if mounted is not None else node.entries.get(name)
        return node

    def get(self, path: str) -> Node:
        node = self.find(path)
        if node is None:
            _fail(errno.ENOENT, path)
        return node

    def read(self, path: str) -> bytes:
        node = self.get(path)
        if isinstance(node, Directory):
            _fail(errno.EISDIR, path)
        return node.data

    def names(self, path: str) -> list[str]:
        node = self.get(path)
        if not isinstance(node, Directory):
            _fail(errno.ENOTDIR, path)
        return sorted(node.entries)

    def write(self, path: str, data: bytes, append: bool = False) -> None:
        node = self.find(path)
        if isinstance(node, Directory):
            _fail(errno.EISDIR, path)
        self._may_write(path)
        if node is None:
            node = File()
            self._parent(path).entries[_base(path)] = node
        node.data = node.data + data if append else data
        node.modified = self._now()

    def make_directory(self, path: str, parents: bool = False) -> None:
        if self.find(path) is not None:
            if parents:
                return
            _fail(errno.EEXIST, path)
        self._may_write(path)
        if parents:
            self._make(_clean(path))
        else:
            self._parent(path).entries[_base(path)] = Directory()

    def remove(self, path: str, recursive: bool = False) -> None:
        node = self.get(path)
        if _clean(path) in self._mounts:
            _fail(errno.EBUSY, path)
        self._may_write(path)
        if isinstance(node, Directory) and not recursive:
            _fail(errno.EISDIR, path)
        del self._parent(path).entries[_base(path)]

    def chmod(self, path: str, mode: int) -> None:
        node = self.get(path)
        self._may_write(path)
        node.mode = mode

    def read_only(self, path: str) -> bool:
        where = _clean(path)
        while where not in self._mounts:
            where = where.rpartition("/")[0]
        return self._mounts[where][1]

    def _may_write(self, path: str) -> None:
        if self.read_only(path):
            _fail(errno.EROFS, path)

    def _parent(self, path: str) -> Directory:
        parent = self.get(_clean(path).rpartition("/")[0])
        if not isinstance(parent, Directory):
            _fail(errno.ENOTDIR, path)
        return parent

    def _make(self, path: str) -> Directory:
        where = ""
        node: Node = self._mounts[""][0]
        for name in filter(None, path.split("/")):
            where = f"{where}/{name}"
            if not isinstance(node, Directory):
                _fail(errno.ENOTDIR, path)
            mounted = self._mounts.get(where)
            node = mounted[0] if mounted is not None else node.entries.setdefault(name, Directory())
        if not isinstance(node, Directory):
            _fail(errno.ENOTDIR, path)
        return node


def _clean(path: str) -> str:
    """Without "." and "..", and without a slash at the end; the root is ""."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "".join(f"/{part}" for part in parts)


def _base(path: str) -> str:
    return _clean(path).rpartition("/")[2]


def _fail(number: int, path: str) -> NoReturn:
    raise OSError(number, os.strerror(number), path)
