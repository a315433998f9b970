"""ReplicationControllers: ReplicaSets of an older day, with a selector of equalities.

Source: pkg/controller/replication.
"""

from __future__ import annotations

from refkube.apimachinery.meta import Object
from refkube.apimachinery.selectors import NOTHING, Selector, from_map
from refkube.controllers.common.pods import Tally
from refkube.controllers.replicaset import ReplicaSetController


class ReplicationController(ReplicaSetController):
    account = "replication-controller"
    component = "replication-controller"
    resource = "replicationcontrollers"
    api_version, kind = "v1", "ReplicationController"

    def selector_of(self, replica_set: Object) -> Selector:
        selector = replica_set["spec"].get("selector")
        return from_map(selector) if selector else NOTHING

    def more_counts(self, tally: Tally) -> dict[str, int]:
        return {}
