"""The components of a cluster, by the short names that conversations give them; each that spoke, or that a profile is
about, has a page."""

from __future__ import annotations

from typing import NamedTuple


class Component(NamedTuple):
    title: str
    does: str
    profiles: tuple[str, ...] = ()  # those that are about this component


COMPONENTS = {
    "apiserver": Component(
        "kube-apiserver",
        "Serves the API: judges every request and keeps what is accepted.",
        ("api", "admission", "selection"),
    ),
    "scheduler": Component("kube-scheduler", "Finds a node for every Pod that has none.", ("scheduling",)),
    "kubelet": Component(
        "kubelet",
        "On every node: starts and stops the Pods bound to it, and tells how they are.",
        ("kubelet", "pod-network"),
    ),
    "deployment-controller": Component(
        "Deployment controller", "Keeps a ReplicaSet for the template of each Deployment and moves Pods over to it."
    ),
    "replicaset-controller": Component("ReplicaSet controller", "Keeps as many Pods as each ReplicaSet wants."),
    "replication-controller": Component(
        "ReplicationController controller", "Keeps as many Pods as each ReplicationController wants."
    ),
    "statefulset-controller": Component("StatefulSet controller", "Keeps members with lasting names, in order."),
    "daemon-set-controller": Component("DaemonSet controller", "Keeps a Pod on every node that is meant."),
    "job-controller": Component("Job controller", "Runs Pods until enough of them have succeeded."),
    "cronjob-controller": Component("CronJob controller", "Makes a Job whenever it is time for one."),
    "endpoint-controller": Component("Endpoints controller", "Lists the addresses of the Pods behind each Service."),
    "endpointslice-controller": Component(
        "EndpointSlice controller", "Lists the endpoints of each Service in slices, with their conditions."
    ),
    "endpointslicemirroring-controller": Component(
        "EndpointSlice mirroring controller", "Mirrors Endpoints that a user wrote as EndpointSlices."
    ),
    "generic-garbage-collector": Component("Garbage collector", "Deletes what has lost its owner."),
    "namespace-controller": Component("Namespace controller", "Empties a namespace that is deleted, and lets it go."),
    "node-controller": Component(
        "Node controllers", "Watch the nodes' signs of life, taint those that fall silent, evict their Pods."
    ),
    "pod-garbage-collector": Component("Pod garbage collector", "Removes Pods whose node is gone, and old dead ones."),
    "persistent-volume-binder": Component("Volume binder", "Binds each claim to a volume, making one where it may."),
    "pv-protection-controller": Component("Volume protection", "Keeps a volume while a claim is bound to it."),
    "pvc-protection-controller": Component("Claim protection", "Keeps a claim while a Pod uses it."),
    "expand-controller": Component("Volume expander", "Grows the volume of a claim that asks for more."),
    "resourcequota-controller": Component("ResourceQuota controller", "Counts anew what each quota has to count."),
    "root-ca-cert-publisher": Component("Root CA publisher", "Puts the cluster's certificate in every namespace."),
    "service-account-controller": Component("ServiceAccount controller", "Keeps an account in each namespace."),
    "tokens-controller": Component("Token controller", "Fills the Secrets that hold an account's token."),
    "service-controller": Component("Service controller", "Gets a load balancer for each Service that wants one."),
    "kube-controller-manager": Component("kube-controller-manager", "Runs the controllers."),
    "proxy": Component(
        "kube-proxy",
        "Runs on every node: brings connections to a Service to its endpoints.",
        ("service-network", "ipvs"),
    ),
    "flannel": Component("flanneld", "Runs on every node: carries Pods' packets to other nodes.", ("flannel",)),
    "coredns": Component("CoreDNS", "Answers for the names of Services and Pods.", ("service-network",)),
}


def component_of(speaker: str) -> str:
    """The component that a speaker of a conversation belongs to, "" if it is none: "kubelet n1" is a kubelet."""
    name = speaker.partition(" ")[0]
    return name if name in COMPONENTS else ""
