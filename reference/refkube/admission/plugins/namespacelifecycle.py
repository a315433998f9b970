"""NamespaceLifecycle: nothing new in a namespace that is missing or going; some namespaces stay.

Source: apiserver/pkg/admission/plugin/namespace/lifecycle.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.admission.chain import CREATE, DELETE, Attributes, Plugin
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, get_path, is_terminating

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


class NamespaceLifecycle(Plugin):
    """`namespace` gives a namespace by name, None if there is none."""

    name = "NamespaceLifecycle"

    def __init__(self, namespace: Callable[[str], Object | None]):
        self._namespace = namespace

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        if kind.kind == "Namespace":
            return operation == DELETE
        return kind.namespaced and operation != DELETE and kind.kind != "LocalSubjectAccessReview"

    def admit(self, attributes: Attributes) -> Object | None:
        if attributes.kind.kind == "Namespace":
            if attributes.name in IMMORTAL:
                raise errors.forbidden("namespaces", attributes.name, "this namespace may not be deleted")
            return None
        namespace = self._namespace(attributes.namespace)
        if namespace is None:
            raise errors.not_found("namespaces", attributes.namespace)
        if attributes.operation == CREATE and (
            is_terminating(namespace) or get_path(namespace, "status", "phase") == "Terminating"
        ):
            raise self._is_terminating(attributes)
        return None

    def _is_terminating(self, attributes: Attributes) -> errors.StatusError:
        namespace = attributes.namespace
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        error = errors.forbidden(attributes.kind.resource, attributes.name, why)
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        error.status["details"]["causes"] = [cause]
        return error
