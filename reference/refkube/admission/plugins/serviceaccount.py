"""ServiceAccount: every Pod has an account that exists, and a token of it unless that is not wanted.

Source: kubernetes/plugin/pkg/admission/serviceaccount. Left out: waiting for an account that is still to come (whoever
creates the Pod tries again) and the deprecated annotation kubernetes.io/enforce-mountable-secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from refkube.admission.chain import CREATE, Attributes, Plugin
from refkube.admission.memo import Memo
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, annotations_of

DEFAULT = "default"
MIRROR = "kubernetes.io/config.mirror"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME = "kube-api-access-"
TOKEN_SECONDS = 3607  # an hour, and what tells such a token from one that was asked for by hand
_FIELD = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
SOURCE: Object = {
    "defaultMode": 0o644,
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": _FIELD}]}},
    ],
}


class ServiceAccount(Plugin):
    """`account(namespace, name)` gives a ServiceAccount, None if there is none; `suffix()` five letters of chance."""

    name = "ServiceAccount"

    def __init__(self, account: Callable[[str, str], Object | None], suffix: Callable[[], str]):
        self._account = account
        self._suffix = suffix
        self._memo = Memo()

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        return kind.resource == "pods" and operation == CREATE and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        """Errors: 403 for an account that does not exist, and for a mirror Pod that wants one."""
        pod = attributes.obj
        assert pod is not None
        spec = pod["spec"]
        if MIRROR in annotations_of(pod):
            self._refuse_mirror(attributes, spec)
            return None
        name = spec.get("serviceAccountName") or DEFAULT
        account = self._account(attributes.namespace, name)
        if account is None:
            what = f"error looking up service account {attributes.namespace}/{name}"
            raise errors.forbidden("pods", attributes.name, f'{what}: serviceaccount "{name}" not found')
        mount, pull = account.get("automountServiceAccountToken", True), account.get("imagePullSecrets")
        admitted = self._memo(spec, (name, mount, pull), lambda: self._with_account(spec, name, mount, pull))
        return {**pod, "spec": admitted}

    def _refuse_mirror(self, attributes: Attributes, spec: Object) -> None:
        found, why = set(_keys(spec)), ""
        if spec.get("serviceAccountName"):
            why = "reference service accounts"
        elif found & {"secret", "secretRef", "secretKeyRef", "imagePullSecrets"}:
            why = "reference secrets"
        elif "serviceAccountToken" in found:
            why = "use ServiceAccountToken volume projections"
        if why:
            raise errors.forbidden("pods", attributes.name, f"a mirror pod may not {why}")

    def _with_account(self, spec: Object, name: str, mount: bool, pull: list[Object] | None) -> Object:
        spec = {**spec, "serviceAccountName": name, "serviceAccount": name}
        if spec.get("automountServiceAccountToken", mount):
            spec = self._mounting(spec)
        if pull and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = pull
        return spec

    def _mounting(self, spec: Object) -> Object:
        """With the token in every container that has nothing else at its place."""
        volumes = spec.get("volumes") or []
        present = next((one["name"] for one in volumes if (one.get("name") or "").startswith(VOLUME)), None)
        name = present or VOLUME + self._suffix()
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
        mounted = False
        for part in ("initContainers", "containers"):
            containers = spec.get(part)
            if containers:
                made = [_with_mount(container, mount) for container in containers]
                mounted = mounted or any(new is not old for new, old in zip(made, containers, strict=True))
                spec = {**spec, part: made}
        if mounted and present is None:
            spec = {**spec, "volumes": [*volumes, {"name": name, "projected": SOURCE}]}
        return spec


def _with_mount(container: Object, mount: Object) -> Object:
    mounts = container.get("volumeMounts") or []
    if any(present.get("mountPath") == MOUNT_PATH for present in mounts):
        return container
    return {**container, "volumeMounts": [*mounts, mount]}


def _keys(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)
