"""Faults that the features of StatefulSets must catch: identity, order, updates, revisions and claims."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, labels_of, name_of, namespace_of, uid_of
from refkube.apimachinery.owners import owners_of
from refkube.controllers import statefulset
from refkube.controllers.common.history import History
from refkube.controllers.common.pods import is_terminal
from refkube.controllers.statefulset import REVISION, StatefulSetController, Step, is_terminating

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]

ORDERED = (
    *("statefulsets.08", "statefulsets.09", "statefulsets.10", "statefulsets.11", "statefulsets.12"),
    *("statefulsets.15", "statefulsets.16"),
)
POLICY = "persistentVolumeClaimRetentionPolicy"


def with_spec(obj: Object, **fields: Any) -> Object:
    return {**obj, "spec": {**obj["spec"], **fields}}


# Identity


@miniature("Members are numbered from one.", caught_by="statefulsets.01", instead_of=statefulset._start)
def numbers_from_one(original: Original, stateful_set: Object) -> int:
    return int(original(stateful_set)) + 1


@miniature("Members are always numbered from nought.", caught_by="statefulsets.06", instead_of=statefulset._start)
def numbers_from_nought(original: Original, stateful_set: Object) -> int:
    return 0


@miniature("A member has no name in the network.",
           caught_by=("statefulsets.01", "statefulsets.02"), instead_of=statefulset.new_member_of)  # fmt: skip
def names_no_hosts(original: Original, stateful_set: Object, pod: Object, reference: Object) -> Object:
    made = original(stateful_set, pod, reference)
    return {**made, "spec": {field: value for field, value in made["spec"].items() if field != "hostname"}}


@miniature("A member that has failed stays.", caught_by="statefulsets.03", instead_of=Step._keep)
def keeps_failed_members(original: Original, self: Step, pod: Object) -> bool:
    return True if is_terminal(pod) else bool(original(self, pod))


@miniature("Nobody looks after the labels of members.",
           caught_by="statefulsets.04", instead_of=StatefulSetController.relabel)  # fmt: skip
def relabels_nobody(original: Original, self: StatefulSetController, *rest: Any) -> None:
    return None


@miniature("Whoever has the labels is a member.", caught_by="statefulsets.05", instead_of=statefulset._ordinal)
def takes_any_name(original: Original, stateful_set: Object, pod: Object) -> int | None:
    found: int | None = original(stateful_set, pod)
    return 99 if found is None else found


@miniature("Whoever has a member's name must go.",
           caught_by="statefulsets.07", instead_of=StatefulSetController.create)  # fmt: skip
def displaces_others(original: Original, self: StatefulSetController, stateful_set: Object, pod: Object) -> None:
    try:
        original(self, stateful_set, pod)
    except StatusError:
        self._client.delete("pods", name_of(pod), namespace_of(pod))
        raise


# Order


@miniature("Nobody waits for anybody.", caught_by=ORDERED, instead_of=Step.__init__)
def waits_for_nobody(original: Original, self: Step, *rest: Any) -> None:
    original(self, *rest)
    self._in_order = False


@miniature("Everybody waits for the one before.",
           caught_by=("statefulsets.18", "statefulsets.19"), instead_of=Step.__init__)  # fmt: skip
def waits_in_parallel(original: Original, self: Step, *rest: Any) -> None:
    original(self, *rest)
    self._in_order = True


@miniature("The first goes first.", caught_by="statefulsets.13", instead_of=Step._sorted)
def removes_upwards(original: Original, self: Step, *rest: Any) -> tuple[list[Object], list[Object]]:
    replicas, condemned = original(self, *rest)
    return replicas, condemned[::-1]


@miniature("The first member never goes.", caught_by="statefulsets.14", instead_of=Step._sorted)
def keeps_the_first_member(original: Original, self: Step, *rest: Any) -> tuple[list[Object], list[Object]]:
    replicas, condemned = original(self, *rest)
    return replicas, condemned[: None if replicas else -1]


@miniature("The next goes while one still stops.", caught_by="statefulsets.15", instead_of=Step._remove)
def removes_the_next_at_once(original: Original, self: Step, pod: Object) -> bool:
    return False if is_terminating(pod) else bool(original(self, pod))


@miniature("Members that are not ready do not go.", caught_by="statefulsets.17", instead_of=Step._remove)
def removes_ready_members_only(original: Original, self: Step, pod: Object) -> bool:
    return True if self._is_missing(pod) else bool(original(self, pod))


# The status


@miniature("All members are of the current revision.", caught_by="member-updates.04", instead_of=Step.status)
def takes_all_for_current(original: Original, self: Step, collisions: int) -> Object:
    return {**original(self, collisions), "currentReplicas": len(self._pods)}


@miniature("Members of the newest revision are not counted.", caught_by="statefulsets.20", instead_of=Step.status)
def counts_no_updates(original: Original, self: Step, collisions: int) -> Object:
    return {field: value for field, value in original(self, collisions).items() if field != "updatedReplicas"}


# Updates


@miniature("The first member is updated first.",
           caught_by=("member-updates.01", "member-updates.02"), instead_of=Step._renew)  # fmt: skip
def renews_upwards(original: Original, self: Step) -> None:
    self._replicas = self._replicas[::-1]
    original(self)


@miniature(
    "All members are updated at once.",
    caught_by=("member-updates.01", "member-updates.02", "member-updates.03"),
    instead_of=Step._renew,
)
def renews_all_at_once(original: Original, self: Step) -> None:
    for pod in self._replicas[self._partition :]:
        if labels_of(pod).get(REVISION) != name_of(self._update) and not is_terminating(pod):
            self._control.delete(self._set, pod)


@miniature(
    "One member is updated, and no other.",
    caught_by=("member-updates.01", "member-updates.03", "member-updates.09"),
    instead_of=Step._renew,
)
def renews_one(original: Original, self: Step) -> None:
    if name_of(self._current) == name_of(self._update) or not any(
        labels_of(pod).get(REVISION) == name_of(self._update) for pod in self._pods
    ):
        original(self)


@miniature("Updates are never left to deletion.", caught_by="member-updates.06", instead_of=Step.__init__)
def renews_without_being_asked(original: Original, self: Step, *rest: Any) -> None:
    original(self, *rest)
    self._on_delete = False


@miniature("No member is held back.", caught_by="member-updates.07", instead_of=Step.__init__)
def holds_nobody_back(original: Original, self: Step, control: Any, stateful_set: Object, *rest: Any) -> None:
    original(self, control, with_spec(stateful_set, updateStrategy={"type": "RollingUpdate"}), *rest)


@miniature("Whoever comes back is of the newest template.", caught_by="member-updates.08", instead_of=Step._new)
def makes_the_newest(original: Original, self: Step, ordinal: int) -> Object:
    return statefulset.new_member(self._set, self._update, ordinal)


_first: dict[str, Any] = {}


@miniature("The first partition remains.", caught_by="member-updates.09", instead_of=Step.__init__)
def keeps_the_first_partition(original: Original, self: Step, control: Any, stateful_set: Object, *rest: Any) -> None:
    original(self, control, stateful_set, *rest)
    self._partition = _first.setdefault(f"partition {uid_of(stateful_set)}", self._partition)


# Revisions


@miniature("The first template of a StatefulSet remains.",
           caught_by=("member-updates.05", "member-updates.06"), instead_of=History.current_and_update)  # fmt: skip
def keeps_the_first_revision(original: Original, self: History, owner: Object, data: Object) -> Any:
    return original(self, owner, _first.setdefault(f"data {uid_of(owner)}", data))


@miniature("A template that comes back is a new one.",
           caught_by="member-updates.10", instead_of=History.current_and_update)  # fmt: skip
def uses_no_revision_again(original: Original, self: History, owner: Object, data: Object) -> Any:
    return original(self, owner, {**data, "generation": owner["metadata"]["generation"]})


@miniature("No revision is ever forgotten.",
           caught_by=("member-updates.11#1", "member-updates.11#2"), instead_of=History.truncate)  # fmt: skip
def forgets_no_revision(original: Original, self: History, owner: Object, used: Collection[str]) -> None:
    return None


@miniature("Every revision out of use is forgotten.",
           caught_by=("member-updates.10", "member-updates.11#3"), instead_of=History.truncate)  # fmt: skip
def forgets_every_revision(original: Original, self: History, owner: Object, used: Collection[str]) -> None:
    original(self, with_spec(owner, revisionHistoryLimit=0), used)


# Claims


@miniature("All members share their claims.", caught_by="member-claims.01", instead_of=statefulset.claim_name)
def shares_claims(original: Original, template: Object, pod: Object) -> str:
    return f"{name_of(template)}-{name_of(pod).rpartition('-')[0]}"


@miniature(
    "A claim goes with its member.",
    caught_by=("member-claims.02", "member-claims.03", "member-claims.05#2"),
    instead_of=statefulset.claim_owners,
)
def deletes_claims_with_members(original: Original, stateful_set: Object, pod: Object, claim: Object) -> list[Object]:
    policy = {**stateful_set["spec"].get(POLICY, {}), "whenScaled": "Delete"}
    return list(original(with_spec(stateful_set, **{POLICY: policy}), pod, claim))


@miniature("A claim goes with its StatefulSet.", caught_by="member-claims.06#1", instead_of=statefulset.claim_owners)
def deletes_claims_with_sets(original: Original, stateful_set: Object, pod: Object, claim: Object) -> list[Object]:
    policy = {**stateful_set["spec"].get(POLICY, {}), "whenDeleted": "Delete"}
    return list(original(with_spec(stateful_set, **{POLICY: policy}), pod, claim))


@miniature(
    "Claims stay, whatever is asked for.",
    caught_by=("member-claims.05#1", "member-claims.06#2"),
    instead_of=statefulset.claim_owners,
)
def keeps_every_claim(original: Original, stateful_set: Object, pod: Object, claim: Object) -> list[Object]:
    return list(owners_of(claim))


@miniature("A claim that somebody else made is no claim.",
           caught_by="member-claims.04", instead_of=StatefulSetController.make_claims)  # fmt: skip
def refuses_other_claims(original: Original, self: StatefulSetController, stateful_set: Object, pod: Object) -> None:
    for claim in statefulset.claims_of(stateful_set, pod):
        there = self._volume_claims.get(f"{namespace_of(claim)}/{name_of(claim)}")
        if there is not None and labels_of(there) != labels_of(claim):
            raise OSError(f"{name_of(claim)} is not its own")
    original(self, stateful_set, pod)
