"""ResourceQuota: what a request uses of the namespace's quotas is charged to them, or the request is refused.

It is the last to be asked: what is refused for another reason is not charged. What fails after it, because the name is
taken for one, stays charged until the controller adds up again. Source: apiserver/pkg/admission/plugin/resourcequota.
Left out: the configuration of what no quota may go without.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from refkube.admission.chain import CREATE, UPDATE, Attributes, Plugin
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, get_path, name_of
from refkube.apimachinery.quantity import ZERO, Quantity, parse
from refkube.quota.evaluators import EVALUATORS
from refkube.quota.usage import Evaluator, Usage, increase

Change = Callable[[Object], Object]


class ResourceQuota(Plugin):
    """`quotas` gives those of a namespace. `charge` writes the status that a change gives a quota; the change is called
    with the quota as it is stored, once more whenever somebody else was faster, and may refuse. `now` is the time."""

    name = "ResourceQuota"

    def __init__(
        self,
        quotas: Callable[[str], Collection[Object]],
        charge: Callable[[Object, Change], None],
        now: Callable[[], float],
    ):
        self._quotas = quotas
        self._charge = charge
        self._now = now

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        evaluator = EVALUATORS.get(kind.resource)
        return operation in (CREATE, UPDATE) and evaluator is not None and evaluator.handles(operation, subresource)

    def validate(self, attributes: Attributes) -> None:
        """Errors: 403, naming the quota and what it lacks."""
        quotas = self._quotas(attributes.namespace)
        if not quotas:
            return
        charges = self._charges(attributes, quotas)

        def changed(quota: Object, usage: Usage) -> Object:
            return charged(quota, usage, attributes)

        if attributes.dry_run or len(charges) > 1:  # nothing is charged unless all quotas have room
            for quota, usage in charges:
                changed(quota, usage)
        if not attributes.dry_run:
            for quota, usage in charges:
                self._charge(quota, lambda stored, usage=usage: changed(stored, usage))  # type: ignore[misc]

    def _charges(self, attributes: Attributes, quotas: Iterable[Object]) -> list[tuple[Object, Usage]]:
        """The quotas that count the object, and by how much its usage grows."""
        new, old, evaluator = attributes.obj, attributes.old, EVALUATORS[attributes.kind.resource]
        assert new is not None
        concerned = [quota for quota in quotas if _counts(evaluator, quota, new)]
        if not concerned:
            return []
        for quota in concerned:
            _check_measurable(evaluator, quota, new, attributes)
        usage = evaluator.usage(new, self._now())
        negative = sorted(name for name, amount in usage.items() if amount.sign < 0)
        if negative:
            raise _forbidden(attributes, f"quota usage is negative for resource(s): {','.join(negative)}")
        before = {} if old is None else evaluator.usage(old, self._now())
        growth = increase(usage, before)
        charges = []
        for quota in concerned:
            counted = old is not None and _counts(evaluator, quota, old)
            added = growth if counted or old is None else {name: amount for name, amount in usage.items() if amount}
            if added:
                charges.append((quota, added))
        return charges


def charged(quota: Object, usage: Mapping[str, Quantity], attributes: Attributes) -> Object:
    """The quota with this usage added. A status tells of what has been done, and is charged beyond any limit."""
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    total = {name: _parsed(used, name) + amount for name, amount in usage.items() if name in hard}
    over = sorted(name for name, amount in total.items() if amount > parse(hard[name]))
    if over and attributes.subresource != "status":
        told = (("requested", usage), ("used", {name: _parsed(used, name) for name in over if name in used}))
        shown = [f"{what}: {_shown(over, amounts)}" for what, amounts in told]
        shown.append(f"limited: {_shown(over, hard)}")
        raise _forbidden(attributes, f"exceeded quota: {name_of(quota)}, {', '.join(shown)}")
    return {**quota, "status": {**status, "used": {**used, **{name: str(amount) for name, amount in total.items()}}}}


def _counts(evaluator: Evaluator, quota: Object, obj: Object) -> bool:
    names = get_path(quota, "status", "hard", default={})
    return bool(evaluator.matching(names)) and evaluator.in_scope(quota["spec"], obj)


def _check_measurable(evaluator: Evaluator, quota: Object, obj: Object, attributes: Attributes) -> None:
    names = evaluator.matching(quota["status"]["hard"])
    missing = evaluator.missing(names, obj)
    if missing:
        raise _forbidden(attributes, f"failed quota: {name_of(quota)}: {missing}")
    if not set(names) <= (quota["status"].get("used") or {}).keys():
        why = f"status unknown for quota: {name_of(quota)}, resources: {','.join(sorted(names))}"
        raise _forbidden(attributes, why)


def _parsed(amounts: Mapping[str, str], name: str) -> Quantity:
    return parse(amounts[name]) if name in amounts else ZERO


def _shown(names: Iterable[str], amounts: Mapping[str, object]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names if name in amounts)


def _forbidden(attributes: Attributes, why: str) -> errors.StatusError:
    return errors.forbidden(attributes.kind.resource, attributes.name, why)
