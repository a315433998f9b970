"""Which nodes a Pod asks for, and near which other Pods. Facts: component-helpers/scheduling/corev1/nodeaffinity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from refkube.apimachinery import selectors
from refkube.apimachinery.meta import Object, labels_of, name_of, namespace_of
from refkube.apimachinery.selectors import NOTHING, Requirement, Selector, from_label_selector

NodeTest = Callable[[Object], bool]

_OPERATORS = {
    "In": selectors.IN,
    "NotIn": selectors.NOT_IN,
    "Exists": selectors.EXISTS,
    "DoesNotExist": selectors.DOES_NOT_EXIST,
    "Gt": selectors.GREATER_THAN,
    "Lt": selectors.LESS_THAN,
}


_SIDES = {"podAffinity": 1, "podAntiAffinity": -1}
_REQUIRED, _PREFERRED = (f"{how}DuringSchedulingIgnoredDuringExecution" for how in ("required", "preferred"))


def term_test(term: Object) -> NodeTest:
    """A v1.NodeSelectorTerm: all that it says must hold; if it says nothing no node will do."""
    labels = [_requirement(one) for one in term.get("matchExpressions") or ()]
    fields = [_requirement(one) for one in term.get("matchFields") or ()]

    def test(node: Object) -> bool:
        if not labels and not fields:
            return False
        named = {"metadata.name": name_of(node)} if fields else {}
        return _all(labels, labels_of(node)) and _all(fields, named)

    return test


def required_test(spec: Object) -> NodeTest | None:
    """nodeSelector, and one of the required terms, of a Pod's spec; None if it asks for nothing."""
    wanted = (spec.get("nodeSelector") or {}).items()
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not wanted and required is None:
        return None
    terms = None if required is None else [term_test(term) for term in required.get("nodeSelectorTerms") or ()]

    def test(node: Object) -> bool:
        return wanted <= labels_of(node).items() and (terms is None or any(term(node) for term in terms))

    return test


def named_nodes(spec: Object) -> set[str] | None:
    """The names that a Pod's required terms are about, if each of them names nodes (metadata.name in ...)."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    names: set[str] = set()
    for term in terms:
        named = [set(one.get("values") or ()) for one in term.get("matchFields") or () if one["operator"] == "In"]
        if not named:
            return None
        names |= set.intersection(*named)
    return names if terms else None


def _requirement(expression: Object) -> Requirement:
    operator = _OPERATORS[expression["operator"]]
    return Requirement(expression["key"], operator, tuple(expression.get("values") or ()))


def _all(requirements: Iterable[Requirement], labels: Mapping[str, str]) -> bool:
    return all(requirement.matches(labels) for requirement in requirements)


class PodTerm(NamedTuple):
    """A v1.PodAffinityTerm: which Pods it means, and the label by which nodes are one place."""

    key: str
    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector
    weight: int

    def means(self, pod: Object, labels_of_namespace: Callable[[str], Mapping[str, str]]) -> bool:
        if not self.selector.matches(labels_of(pod)):
            return False
        namespace = namespace_of(pod)
        if namespace in self.namespaces:
            return True
        return self.namespace_selector is not NOTHING and self.namespace_selector.matches(
            labels_of_namespace(namespace)
        )


class PodTerms(NamedTuple):
    required: tuple[PodTerm, ...] = ()
    required_anti: tuple[PodTerm, ...] = ()
    preferred: tuple[PodTerm, ...] = ()  # those to keep away from have a negative weight


NO_TERMS = PodTerms()


def pod_terms(pod: Object) -> PodTerms:
    """A Pod's affinity and anti-affinity to other Pods (scheduler/framework NewPodInfo)."""
    affinity = pod["spec"].get("affinity")
    if not affinity:
        return NO_TERMS
    required, preferred = [], []
    for side, sign in _SIDES.items():
        told = affinity.get(side) or {}
        terms = told.get(_REQUIRED) or ()
        required.append(tuple(_pod_term(pod, term, 1) for term in terms))
        for one in told.get(_PREFERRED) or ():
            preferred.append(_pod_term(pod, one["podAffinityTerm"], sign * one["weight"]))
    return PodTerms(required[0], required[1], tuple(preferred)) if any(required) or preferred else NO_TERMS


def _pod_term(pod: Object, term: Object, weight: int) -> PodTerm:
    named, selected = term.get("namespaces") or (), term.get("namespaceSelector")
    namespaces = frozenset(named) if named or selected is not None else frozenset((namespace_of(pod),))
    selector, by_label = from_label_selector(term.get("labelSelector")), from_label_selector(selected)
    return PodTerm(term["topologyKey"], selector, namespaces, by_label, weight)


def with_label_keys(spec: Object, labels: Mapping[str, str]) -> Object:
    """A new Pod's spec whose selectors say what matchLabelKeys and mismatchLabelKeys mean by the Pod's labels; done by
    the API server, so that a scheduler reads selectors only (pkg/registry/core/pod/strategy.go)."""
    spread = spec.get("topologySpreadConstraints")
    if spread:
        spec = {**spec, "topologySpreadConstraints": [_explicit(one, labels) for one in spread]}
    affinity = spec.get("affinity") or {}
    told = {side: _explicit_side(affinity[side], labels) for side in _SIDES if affinity.get(side)}
    return {**spec, "affinity": {**affinity, **told}} if told else spec


def _explicit_side(side: Object, labels: Mapping[str, str]) -> Object:
    required, preferred = side.get(_REQUIRED), side.get(_PREFERRED)
    if required:
        side = {**side, _REQUIRED: [_explicit(term, labels) for term in required]}
    if preferred:
        terms = [{**one, "podAffinityTerm": _explicit(one.get("podAffinityTerm") or {}, labels)} for one in preferred]
        side = {**side, _PREFERRED: terms}
    return side


def _explicit(term: Object, labels: Mapping[str, str]) -> Object:
    selector, keys = term.get("labelSelector"), (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
    found = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in keys
        for key in term.get(field) or ()
        if key in labels
    ]
    if selector is None or not found:
        return term
    return {**term, "labelSelector": {**selector, "matchExpressions": [*selector.get("matchExpressions", ()), *found]}}
