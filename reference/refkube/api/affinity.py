"""Which nodes a Pod asks for. Facts: component-helpers/scheduling/corev1/nodeaffinity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from refkube.apimachinery import selectors
from refkube.apimachinery.meta import Object, labels_of, name_of
from refkube.apimachinery.selectors import Requirement

NodeTest = Callable[[Object], bool]

_OPERATORS = {
    "In": selectors.IN,
    "NotIn": selectors.NOT_IN,
    "Exists": selectors.EXISTS,
    "DoesNotExist": selectors.DOES_NOT_EXIST,
    "Gt": selectors.GREATER_THAN,
    "Lt": selectors.LESS_THAN,
}


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


def _requirement(expression: Object) -> Requirement:
    operator = _OPERATORS[expression["operator"]]
    return Requirement(expression["key"], operator, tuple(expression.get("values") or ()))


def _all(requirements: Iterable[Requirement], labels: Mapping[str, str]) -> bool:
    return all(requirement.matches(labels) for requirement in requirements)
