"""RuntimeClass: what a Pod costs beyond its containers and where it can run, as the class says that it names.

Source: kubernetes/plugin/pkg/admission/runtimeclass, pkg/util/tolerations.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.admission.chain import CREATE, Attributes, Plugin
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import parse


class RuntimeClass(Plugin):
    """`by_name` gives a RuntimeClass, None if there is none."""

    name = "RuntimeClass"

    def __init__(self, by_name: Callable[[str], Object | None]):
        self._by_name = by_name

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        return kind.resource == "pods" and operation == CREATE and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        """Errors: 403 for a class that does not exist, and for what contradicts it."""
        pod = attributes.obj
        assert pod is not None
        spec, found = pod["spec"], self._class(attributes)
        overhead = _overhead(found)
        if overhead:
            if spec.get("overhead") and not _equal(spec["overhead"], overhead):
                raise _rejected(attributes, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec = {**spec, "overhead": overhead}
        scheduling = (found or {}).get("scheduling") or {}
        if scheduling.get("nodeSelector"):
            spec = {**spec, "nodeSelector": _selector(attributes, spec.get("nodeSelector") or {}, scheduling)}
        if scheduling.get("tolerations"):
            given = spec.get("tolerations") or []
            spec = {**spec, "tolerations": [*given, *(t for t in scheduling["tolerations"] if t not in given)]}
        return None if spec is pod["spec"] else {**pod, "spec": spec}

    def validate(self, attributes: Attributes) -> None:
        """Errors: 403 for a cost that no class says."""
        assert attributes.obj is not None
        given, overhead = attributes.obj["spec"].get("overhead"), _overhead(self._class(attributes))
        if given and not overhead:
            raise _rejected(attributes, "Pod Overhead set without corresponding RuntimeClass defined Overhead")

    def _class(self, attributes: Attributes) -> Object | None:
        assert attributes.obj is not None
        name = attributes.obj["spec"].get("runtimeClassName")
        found = self._by_name(name) if name else None
        if name and found is None:
            raise _rejected(attributes, f'RuntimeClass "{name}" not found')
        return found


def _overhead(runtime_class: Object | None) -> Object:
    return ((runtime_class or {}).get("overhead") or {}).get("podFixed") or {}


def _equal(one: Object, other: Object) -> bool:
    return one.keys() == other.keys() and all(parse(one[name]) == parse(other[name]) for name in one)


def _selector(attributes: Attributes, given: Object, scheduling: Object) -> Object:
    wanted = scheduling["nodeSelector"]
    for key, value in wanted.items():
        if given.get(key, value) != value:
            why = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
            raise errors.forbidden("pods", attributes.name, f"{why}pod.spec.nodeSelector[{key}] = {given[key]}")
    return {**given, **wanted}


def _rejected(attributes: Attributes, why: str) -> errors.StatusError:
    return errors.forbidden("pods", attributes.name, f"pod rejected: {why}")
