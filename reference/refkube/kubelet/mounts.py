"""A Pod's volumes: what is in them, and what each container sees where.

`pod_worker` makes them before the sandbox and refreshes them now and then. Files are `volumes.files`, so what is
written in one container is read in the other, and what a claim holds is there on every node. MountError is told as
FailedMount. Source: pkg/volume/*, pkg/kubelet/volumemanager. Left out: volumes of drivers that are not there (CSI, NFS
...), which fail and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path
from refkube.engine.clock import parse_rfc3339
from refkube.kubelet.environment import ConfigError, Read, contents, expand, field_value, resource_value
from refkube.volumes.files import Directory, File, Node, Tree

Token = Callable[[Object, Object], tuple[bytes, float]]  # Pod, source: the token and when it ends
UPDATED = ("configMap", "secret", "downwardAPI", "projected")  # follow what they show


class MountError(Exception):
    """A volume cannot be made ready; one line."""


class PodVolumes:
    """Of one Pod. `read` gets an object of the API, `token` asks for a ServiceAccount's token."""

    def __init__(self, pod: Object, disk: Tree, read: Read, token: Token, now: Callable[[], float]):
        self._disk = disk
        self._read = read
        self._token = token
        self._now = now
        self.base = f"/var/lib/kubelet/pods/{pod['metadata']['uid']}"
        self.ready: dict[str, tuple[Node, bool]] = {}  # by name: what it is, and whether it is read-only

    def mount(self, pod: Object, address: str, host: str, allocatable: Object) -> None:
        """Make ready what is not. MountError for the first that cannot be."""
        about = pod, address, host, allocatable
        for volume in pod["spec"].get("volumes") or ():
            name = volume["name"]
            if name not in self.ready:
                self.ready[name] = self._made(volume, *about)

    def refresh(self, pod: Object, address: str, host: str, allocatable: Object) -> None:
        """Let those that show objects of the API show them as they are now; what cannot be read stays as it is."""
        for volume in pod["spec"].get("volumes") or ():
            if any(kind in volume for kind in UPDATED) and volume["name"] in self.ready:
                shown, _ = self.ready[volume["name"]]
                assert isinstance(shown, Directory)
                try:
                    made, _ = self._made(volume, pod, address, host, allocatable)
                except (MountError, StatusError, OSError):
                    continue
                assert isinstance(made, Directory)
                _replace(shown, made)

    def unmount(self) -> None:
        """Forget all; what was the Pod's own is gone."""
        self.ready.clear()
        if self._disk.find(self.base) is not None:
            self._disk.remove(self.base, recursive=True)

    def of(self, container: Object, env: Mapping[str, str]) -> list[tuple[str, Node, bool]]:
        """The mounts of a container, outermost first. ConfigError for a path that cannot be."""
        made = []
        for mount in container.get("volumeMounts") or ():
            node, read_only = self.ready[mount["name"]]
            below = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
            if below:
                node = _below(node, below, mount["name"])
            made.append((mount["mountPath"], node, read_only or bool(mount.get("readOnly"))))
        return sorted(made, key=lambda one: one[0].count("/"))

    # By kind

    def _made(self, volume: Object, pod: Object, address: str, host: str, allocatable: Object) -> tuple[Node, bool]:
        name = volume["name"]
        about = pod, address, host, allocatable
        try:
            if "emptyDir" in volume:
                return self._own(name, volume["emptyDir"].get("medium", "")), False
            if "hostPath" in volume:
                return self._host_path(volume["hostPath"]), False
            if "persistentVolumeClaim" in volume:
                source = volume["persistentVolumeClaim"]
                return self._claimed(pod, source["claimName"]), bool(source.get("readOnly"))
            if "ephemeral" in volume:
                return self._claimed(pod, f"{pod['metadata']['name']}-{name}"), False
            if "projected" in volume:
                directory = Directory()
                for source in volume["projected"].get("sources") or ():
                    self._project(directory, source, volume["projected"].get("defaultMode"), *about)
                return directory, True
            for kind in ("configMap", "secret", "downwardAPI"):
                if kind in volume:
                    directory = Directory()
                    self._project(directory, {kind: volume[kind]}, volume[kind].get("defaultMode"), *about)
                    return directory, True
        except StatusError as refusal:
            _fail(name, refusal.status.get("message", str(refusal)))
        except (ConfigError, MountError, OSError) as why:
            _fail(name, str(why))
        kind = next((key for key in volume if key != "name"), "nothing")
        _fail(name, f"no volume plugin matched: {kind} is not supported on this node")

    def _own(self, name: str, medium: str) -> Node:
        path = f"{self.base}/volumes/{name}"
        self._disk.make_directory(path, parents=True)
        node = self._disk.get(path)
        assert isinstance(node, Directory)
        node.mode, node.medium = 0o777, medium
        return node

    def _host_path(self, source: Object) -> Node:
        path, kind = source["path"], source.get("type") or ""
        node = self._disk.find(path)
        if node is None and kind in ("", "DirectoryOrCreate"):
            self._disk.make_directory(path, parents=True)
        elif node is None and kind == "FileOrCreate":
            self._disk.write(path, b"")
        elif kind.startswith("Directory") and not isinstance(node, Directory):
            raise MountError(f"hostPath type check failed: {path} is not a directory")
        elif kind.startswith("File") and not isinstance(node, File):
            raise MountError(f"hostPath type check failed: {path} is not a file")
        elif kind in ("Socket", "CharDevice", "BlockDevice"):
            raise MountError(f"hostPath type check failed: {path} is not a {kind}")
        return self._disk.get(path)

    def _claimed(self, pod: Object, claim_name: str) -> Node:
        namespace = pod["metadata"]["namespace"]
        claim = self._read("persistentvolumeclaims", namespace, claim_name)
        volume_name = get_path(claim, "spec", "volumeName")
        if not volume_name or get_path(claim, "status", "phase") != "Bound":
            raise MountError(f"error processing PVC {namespace}/{claim_name}: PVC is not bound")
        volume = self._read("persistentvolumes", "", volume_name)["spec"]
        for kind in ("hostPath", "local"):
            if kind in volume:
                return self._host_path(
                    {"type": "DirectoryOrCreate" if kind == "hostPath" else "Directory", **volume[kind]}
                )
        raise MountError(f"no volume plugin matched: volume {volume_name} is of no kind that this node supports")

    def _project(
        self,
        directory: Directory,
        source: Object,
        mode: int | None,
        pod: Object,
        address: str,
        host: str,
        total: Object,
    ) -> None:
        mode = 0o644 if mode is None else mode
        namespace = pod["metadata"]["namespace"]
        for kind, resource, key in (("configMap", "configmaps", "name"), ("secret", "secrets", "secretName")):
            told = source.get(kind)
            if told is not None:
                self._project_object(directory, told, resource, told.get(key) or told.get("name", ""), namespace, mode)
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            if item.get("fieldRef"):
                text = field_value(pod, item["fieldRef"]["fieldPath"], address, host)
            else:
                text = resource_value(pod, item["resourceFieldRef"], total)
            _put(directory, item["path"], File(text.encode(), item.get("mode") or mode, self._now()))
        told = source.get("serviceAccountToken")
        if told is not None:
            self._read("serviceaccounts", namespace, pod["spec"].get("serviceAccountName") or "default")
            _put(directory, told["path"], _TokenFile(lambda: self._token(pod, told), mode, self._now))
        if source.get("clusterTrustBundle") and not source["clusterTrustBundle"].get("optional"):
            raise MountError("clusterTrustBundle is not supported on this node")

    def _project_object(
        self, directory: Directory, told: Object, resource: str, name: str, namespace: str, mode: int
    ) -> None:
        try:
            found = contents(self._read(resource, namespace, name))
        except StatusError as refusal:
            if refusal.reason == "NotFound" and told.get("optional"):
                return
            raise
        for item in told.get("items") or [{"key": key, "path": key} for key in found]:
            if item["key"] in found:
                _put(directory, item["path"], File(found[item["key"]], item.get("mode") or mode, self._now()))
            elif not told.get("optional"):
                raise MountError(
                    f"references non-existent {'config' if resource == 'configmaps' else 'secret'} key: {item['key']}"
                )


class _TokenFile(File):
    """A token that is asked for when it is first read, and anew when most of its life is over."""

    __slots__ = ("_ask", "_now", "_until")

    def __init__(self, ask: Callable[[], tuple[bytes, float]], mode: int, now: Callable[[], float]):
        super().__init__(b"", mode, now())
        self._ask = ask
        self._now = now
        self._until = 0.0

    @property
    def data(self) -> bytes:
        now = self._now()
        if now >= self._until:
            try:
                self._data, end = self._ask()
            except StatusError as refusal:
                raise OSError(5, refusal.status.get("message", str(refusal))) from None
            self._until = now + 0.8 * (end - now)
        assert isinstance(self._data, bytes)
        return self._data

    @data.setter
    def data(self, data: bytes) -> None:
        self._data = data


def expiry_of(token: Object) -> float:
    return parse_rfc3339(token["status"]["expirationTimestamp"])


def _fail(volume: str, why: str) -> NoReturn:
    raise MountError(f'MountVolume.SetUp failed for volume "{volume}" : {why}')


def _put(directory: Directory, path: str, file: File) -> None:
    *parents, name = path.split("/")
    for parent in parents:
        below = directory.entries.setdefault(parent, Directory())
        if not isinstance(below, Directory):
            raise MountError(f"{path} is both a file and a directory")
        directory = below
    directory.entries[name] = file


def _replace(shown: Directory, made: Directory) -> None:
    """All at once, as the link to the data is exchanged; a token keeps what it has."""
    tokens = {name: node for name, node in shown.entries.items() if isinstance(node, _TokenFile)}
    shown.entries = {**made.entries, **tokens}


def _below(node: Node, path: str, volume: str) -> Node:
    """A part of a volume, made as a directory if it is not there."""
    for name in filter(None, path.split("/")):
        if name == ".." or not isinstance(node, Directory):
            raise ConfigError(f'failed to prepare subPath for volumeMount "{volume}"')
        node = node.entries.setdefault(name, Directory())
    return node
