"""Priority: a Pod's priority and preemption policy from its PriorityClass, and at most one class for all others.

Source: kubernetes/plugin/pkg/admission/priority.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from refkube.admission.chain import CREATE, UPDATE, Attributes, Plugin
from refkube.admission.memo import Memo
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, name_of

PREEMPT = "PreemptLowerPriority"
_NO_CLASS: Object = {"metadata": {"name": ""}, "value": 0, "preemptionPolicy": PREEMPT}


class Priority(Plugin):
    """`by_name` gives a PriorityClass, None if there is none; `classes` gives all."""

    name = "Priority"

    def __init__(self, by_name: Callable[[str], Object | None], classes: Callable[[], Iterable[Object]]):
        self._by_name = by_name
        self._classes = classes
        self._memo = Memo()

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        known = kind.resource in ("pods", "priorityclasses.scheduling.k8s.io")
        return known and operation in (CREATE, UPDATE) and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        """Errors: 403 for a class that does not exist, and for values that are not its."""
        pod = attributes.obj
        assert pod is not None
        if attributes.kind.kind != "Pod":
            return None
        if attributes.old is not None:
            return _kept(pod, attributes.old)
        spec = pod["spec"]
        name = spec.get("priorityClassName")
        found = self._by_name(name) if name else self._default() or _NO_CLASS
        if found is None:
            raise errors.forbidden("pods", attributes.name, f"no PriorityClass with name {name} was found")
        named, value, policy = name_of(found), found.get("value", 0), found.get("preemptionPolicy")
        given = spec.get("priority", value)
        if given != value:
            why = f"the integer value of priority ({given}) must not be provided in pod spec; priority admission "
            why += f"controller computed {value} from the given PriorityClass name"
            raise errors.forbidden("pods", attributes.name, why)
        given = spec.get("preemptionPolicy", policy)
        if policy and given != policy:
            why = (
                f"the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission "
            )
            why += f"controller computed {policy} from the given PriorityClass name"
            raise errors.forbidden("pods", attributes.name, why)
        return {**pod, "spec": self._memo(spec, (named, value, policy), lambda: _ranked(spec, named, value, policy))}

    def validate(self, attributes: Attributes) -> None:
        """Errors: 403 for a second class that is the default."""
        new = attributes.obj
        if attributes.kind.kind == "PriorityClass" and new is not None and new.get("globalDefault"):
            default = self._default()
            if default is not None and (attributes.operation == CREATE or name_of(default) != name_of(new)):
                why = f"PriorityClass {name_of(default)} is already marked as default. Only one default can exist"
                raise errors.forbidden("priorityclasses.scheduling.k8s.io", attributes.name, why)

    def _default(self) -> Object | None:
        """Should there be two, the lower one."""
        found = [one for one in self._classes() if one.get("globalDefault")]
        return min(found, key=lambda one: one.get("value", 0)) if found else None


def _ranked(spec: Object, name: str, value: int, policy: str | None) -> Object:
    spec = {**spec, "priority": value}
    if name:
        spec["priorityClassName"] = name
    if policy:
        spec["preemptionPolicy"] = policy
    return spec


def _kept(new: Object, old: Object) -> Object | None:
    """What an update does not say stays as it was decided."""
    missing = {
        field: old["spec"][field]
        for field in ("priority", "preemptionPolicy")
        if field not in new["spec"] and field in old["spec"]
    }
    return {**new, "spec": {**new["spec"], **missing}} if missing else None
