"""LimitRanger: defaults of containers' resources, and bounds of containers, Pods and PersistentVolumeClaims.

Source: kubernetes/plugin/pkg/admission/limitranger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from refkube.admission.chain import CREATE, UPDATE, Attributes, Plugin
from refkube.admission.memo import Memo
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, annotations_of, get_path, is_terminating, with_metadata
from refkube.apimachinery.quantity import Quantity, parse
from refkube.quota.pods import effective

ANNOTATION = "kubernetes.io/limit-ranger"
_PARTS = (("containers", "container"), ("initContainers", "init container"))

Amounts = Mapping[str, Quantity]


class LimitRanger(Plugin):
    """`ranges` gives the LimitRanges of a namespace."""

    name = "LimitRanger"

    def __init__(self, ranges: Callable[[str], Collection[Object]]):
        self._ranges = ranges
        self._memo = Memo()

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        """An update of a Pod cannot change its resources; a resize can."""
        if kind.resource == "pods":
            return (operation, subresource) in ((CREATE, ""), (UPDATE, "resize"))
        return kind.resource == "persistentvolumeclaims" and operation in (CREATE, UPDATE) and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        pod = attributes.obj
        if attributes.operation != CREATE or attributes.kind.kind != "Pod" or pod is None:
            return None
        ranges = self._ranges(attributes.namespace)
        if not ranges:
            return None
        spec, because = pod["spec"], [limit_range["spec"] for limit_range in ranges]
        made = self._memo(spec, because, lambda: _defaulted(spec, because))
        if made["spec"] is spec:
            return None
        annotations = {**annotations_of(pod), ANNOTATION: made["told"]}
        return with_metadata({**pod, "spec": made["spec"]}, annotations=annotations)

    def validate(self, attributes: Attributes) -> None:
        """Errors: 403, with every bound of the first LimitRange that is not kept."""
        ranges, new, old = self._ranges(attributes.namespace), attributes.obj, attributes.old
        if not ranges or new is None or (old is not None and is_terminating(old)):
            return
        check = _of_pod if attributes.kind.kind == "Pod" else _of_claim
        for limit_range in ranges:
            faults = [why for limit in limit_range["spec"].get("limits") or () for why in check(limit, new["spec"])]
            if faults:
                told = list(dict.fromkeys(faults))
                why = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
                raise errors.forbidden(attributes.kind.resource, attributes.name, why)


def _defaulted(spec: Object, ranges: list[Object]) -> Object:
    """{"spec": with the defaults of all ranges, "told": what the annotation says of the last that gave any}."""
    made: Object = {"spec": spec, "told": ""}
    for limits in ranges:
        defaults: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
        for limit in limits.get("limits") or ():
            if limit.get("type") == "Container":
                defaults["requests"].update(limit.get("defaultRequest") or {})
                defaults["limits"].update(limit.get("default") or {})
        told: list[str] = []
        spec = made["spec"]
        for part, called in _PARTS:
            if spec.get(part):
                spec = {**spec, part: [_filled(container, defaults, called, told) for container in spec[part]]}
        if told:
            made = {"spec": spec, "told": f"LimitRanger plugin set: {'; '.join(told)}"}
    return made


def _filled(container: Object, defaults: Mapping[str, Mapping[str, str]], called: str, told: list[str]) -> Object:
    resources = container.get("resources") or {}
    for side, what in (("requests", "request"), ("limits", "limit")):
        given = resources.get(side) or {}
        missing = {name: amount for name, amount in defaults[side].items() if name not in given}
        if missing:
            resources = {**resources, side: {**given, **missing}}
            told.append(f"{', '.join(sorted(missing))} {what} for {called} {container['name']}")
    return container if resources is (container.get("resources") or {}) else {**container, "resources": resources}


def _of_pod(limit: Object, spec: Object) -> Iterator[str]:
    kind = limit.get("type", "")
    if kind == "Container":
        for part, _ in _PARTS:
            for container in spec.get(part) or ():
                listed = (get_path(container, "resources", side, default={}) for side in ("requests", "limits"))
                yield from _faults(limit, *(_parsed(amounts) for amounts in listed))
    elif kind == "Pod":
        yield from _faults(limit, *(effective(spec, side, overhead=False) for side in ("requests", "limits")))


def _of_claim(limit: Object, spec: Object) -> Iterator[str]:
    if limit.get("type") == "PersistentVolumeClaim":
        requests = _parsed(get_path(spec, "resources", "requests", default={}))
        yield from _too_little(limit, requests, {})
        for name, most in _parsed(limit.get("max") or {}).items():
            bound = f"maximum {name} usage per PersistentVolumeClaim is {most}"
            if name not in requests:
                yield f"{bound}.  No request is specified"
            elif requests[name] > most:
                yield f"{bound}, but request is {requests[name]}"


def _faults(limit: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    yield from _too_little(limit, requests, limits)
    kind = limit["type"]
    for name, most in _parsed(limit.get("max") or {}).items():
        bound = f"maximum {name} usage per {kind} is {most}"
        if name not in limits:
            yield f"{bound}.  No limit is specified"
        elif limits[name] > most:
            yield f"{bound}, but limit is {limits[name]}"
        elif name in requests and requests[name] > most:
            yield f"{bound}, but request is {requests[name]}"
    for name, most in _parsed(limit.get("maxLimitRequestRatio") or {}).items():
        bound = f"{name} max limit to request ratio per {kind} is {most}"
        if not requests.get(name):
            yield f"{bound}, but no request is specified or request is 0"
        elif not limits.get(name):
            yield f"{bound}, but no limit is specified or limit is 0"
        elif limits[name] * 1000 > requests[name] * most.milli_value():
            yield f"{bound}, but provided ratio is {limits[name].milli_value() / requests[name].milli_value():f}"


def _too_little(limit: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in _parsed(limit.get("min") or {}).items():
        bound = f"minimum {name} usage per {limit['type']} is {least}"
        if name not in requests:
            yield f"{bound}.  No request is specified"
        elif requests[name] < least:
            yield f"{bound}, but request is {requests[name]}"
        elif name in limits and limits[name] < least:
            yield f"{bound}, but limit is {limits[name]}"


def _parsed(amounts: Mapping[str, str]) -> dict[str, Quantity]:
    return {name: parse(amount) for name, amount in amounts.items()}
