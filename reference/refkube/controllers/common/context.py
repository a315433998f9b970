"""What every controller is given: made by `cluster`, one for each controller.

A controller is a class called with a `Context`, with `start()` and `stop()`; it asks for its informers when it is made.
Who it is to the API server it may say in the class attribute `account`, the name of its service account in kube-system;
its Events come from the component `component`. Without them both are its name in the table of controllers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from refkube.client.client import Client
from refkube.client.events import EventRecorder
from refkube.client.informer import Informers
from refkube.cloudprovider import LoadBalancers
from refkube.engine.loop import Loop


@dataclass(frozen=True)
class Options:
    """The flags of kube-controller-manager that controllers ask for, with its defaults. Times are in seconds."""

    cluster_name: str = "kubernetes"
    cluster_cidr: str = "10.244.0.0/16"  # Pods' addresses; no default upstream, this is kubeadm's with flannel
    node_cidr_mask_size: int = 24
    service_cluster_ip_range: str = "10.96.0.0/12"
    service_node_port_range: tuple[int, int] = (30000, 32767)
    root_ca: str = ""  # PEM, published to every namespace
    node_monitor_period: float = 5.0
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    node_eviction_rate: float = 0.1  # nodes a second
    secondary_node_eviction_rate: float = 0.01
    large_cluster_size_threshold: int = 50
    unhealthy_zone_threshold: float = 0.55
    terminated_pod_gc_threshold: int = 12500
    resource_quota_sync_period: float = 300.0
    namespace_sync_period: float = 300.0
    pvclaimbinder_sync_period: float = 15.0
    max_endpoints_per_slice: int = 100
    mirroring_max_endpoints_per_subset: int = 1000
    service_repair_interval: float = 180.0
    cloud: LoadBalancers | None = None  # without one Services of type LoadBalancer wait for another's
    extra: dict[str, Any] = field(default_factory=dict)  # parts that are injected: a provisioner ...


@dataclass(frozen=True)
class Context:
    client: Client  # speaks as the controller
    informers: Informers  # shared by all controllers of one manager
    loop: Loop
    events: EventRecorder
    options: Options


class Startable(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


Factory = Callable[[Context], Startable]
