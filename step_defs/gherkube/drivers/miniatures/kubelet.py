"""Faults that the features of features/kubelet must catch: starting, restarts, probes, stopping, order, running."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from refkube.api import resources
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import HttpResponse
from refkube.client.informer import Informer
from refkube.kubelet import actions, admit, environment, pod_worker, resizing, status
from refkube.kubelet.actions import Actions
from refkube.kubelet.backoff import FIRST, Backoff
from refkube.kubelet.kubelet import Kubelet
from refkube.kubelet.node_status import NodeStatus
from refkube.kubelet.pod_worker import PodWorker
from refkube.kubelet.probes import READINESS, Probe
from refkube.kubelet.runtime import images, tls
from refkube.kubelet.runtime.container import Container
from refkube.kubelet.runtime.images import Image, Images
from refkube.kubelet.runtime.programs import pause
from refkube.kubelet.runtime.programs.catalogue import IMAGES
from refkube.kubelet.server import NodeServer
from refkube.kubelet.status import View
from refkube.metricsserver import MetricsServer

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]

# Starting


@miniature("A kubelet starts only what was bound before it looked.", caught_by="starting.01", instead_of=Kubelet._added)
def takes_no_new_pods(original: Original, self: Kubelet, pod: Object) -> None:
    return None


@miniature("A kubelet starts Pods that are bound to no node.", caught_by="starting.02", instead_of=Kubelet.start)
def starts_what_is_nobodys(original: Original, self: Kubelet) -> None:
    original(self)
    unbound = Informer(self._client, self.loop, "pods", field_selector="spec.nodeName=")
    unbound.add_handler(self._added)
    unbound.start()


@miniature(
    "A kubelet records no Events.",
    caught_by=(
        "starting.03",
        "starting.06",
        "restarts.08",
        "probes.01",
        "stopping.05",
        "stopping.10",
        "mounts.05",
        "running.09",
    ),
    instead_of=Kubelet.event,
)
def records_no_events(original: Original, self: Kubelet, *about: Any) -> None:
    return None


@miniature(
    "Whatever it is called, there is an image.",
    caught_by=("starting.04", "starting.05", "starting.08"),
    instead_of=Images.find,
)
def takes_any_name_for_an_image(original: Original, self: Images, name: str) -> Image | None:
    return original(self, name) or IMAGES["registry.k8s.io/pause"]


@miniature(
    "A container that cannot start keeps those after it from starting.",
    caught_by="starting.05",
    instead_of=PodWorker._keep,
)
def starts_nothing_after_a_failure(original: Original, self: PodWorker, container: Object) -> bool:
    names = [one["name"] for one in self.pod["spec"]["containers"]]
    if container["name"] in names and set(names[: names.index(container["name"])]) & self._waiting.keys():
        return False
    return bool(original(self, container))


@miniature("Any name is taken for an image's.", caught_by="starting.06", instead_of=images.is_valid)
def takes_any_name_for_valid(original: Original, name: str) -> bool:
    return True


@miniature("The pull policy Never is not known.", caught_by="starting.07", instead_of=PodWorker._image)
def pulls_in_any_case(
    original: Original, self: PodWorker, container: Object, name: str, reference: str
) -> Image | None:
    return original(self, {**container, "imagePullPolicy": "IfNotPresent"}, name, reference)


@miniature(
    "What changes in a Pod's spec is not seen.",
    caught_by=("running.07", "running.08"),
    instead_of=Kubelet._updated,
)
def overlooks_changed_specs(original: Original, self: Kubelet, pod: Object) -> None:
    worker = self.workers.get(pod["metadata"]["uid"])
    original(self, {**pod, "spec": worker.pod["spec"]} if worker is not None else pod)


@miniature("Instead of a program that is not there, another is run.", caught_by="starting.09", instead_of=Image.program)
def runs_another_program(original: Original, self: Image, argv: list[str]) -> Any:
    return original(self, argv) or pause.main


@miniature("What an environment refers to may be missing.", caught_by="starting.10", instead_of=environment._read)
def takes_all_for_optional(original: Original, read: Any, resource: str, namespace: str, reference: Object) -> Any:
    return original(read, resource, namespace, {**reference, "optional": True})


@miniature("What is optional must be there.", caught_by="starting.11", instead_of=environment._read)
def takes_nothing_for_optional(original: Original, read: Any, resource: str, namespace: str, reference: Object) -> Any:
    return original(read, resource, namespace, {**reference, "optional": False})


@miniature("References in values stay as they are.", caught_by="starting.12", instead_of=environment.expand)
def leaves_references_alone(original: Original, text: str, env: Mapping[str, str]) -> str:
    return text


@miniature("Services are not told.", caught_by="starting.13", instead_of=environment._service_variables)
def tells_of_no_services(original: Original, pod: Object, services: Any) -> dict[str, str]:
    return {}


@miniature("Services are told in any case.", caught_by="starting.14", instead_of=environment._service_variables)
def tells_of_services_in_any_case(original: Original, pod: Object, services: Any) -> dict[str, str]:
    found: dict[str, str] = original({**pod, "spec": {**pod["spec"], "enableServiceLinks": True}}, services)
    return found


# Restarts


@miniature("Nothing is restarted.", caught_by=("restarts.01", "order.03", "order.07"), instead_of=PodWorker._restarts)
def restarts_nothing(original: Original, self: PodWorker, container: Object, code: int) -> bool:
    return False


@miniature("Everything is restarted.", caught_by=("restarts.02", "order.04"), instead_of=PodWorker._restarts)
def restarts_everything(original: Original, self: PodWorker, container: Object, code: int) -> bool:
    return True


@miniature("One restart is everybody's.", caught_by=("restarts.03", "running.07"), instead_of=PodWorker._start)
def restarts_all_together(original: Original, self: PodWorker, container: Object, config: Any) -> None:
    assert self.sandbox is not None
    for other in self.sandbox.running if config.attempt else ():
        self._again.add(other.name)
        other.kill()
    original(self, container, config)


@miniature("The log before a restart is lost.", caught_by="restarts.04", instead_of=NodeServer._logs)
def loses_earlier_logs(original: Original, self: NodeServer, *about: Any) -> HttpResponse:
    return HttpResponse(400, [], b"lost") if "previous" in about[-1] else original(self, *about)


@miniature("Termination messages are not read.", caught_by="restarts.05", instead_of=Container.termination_message)
def reads_no_messages(original: Original, self: Container) -> str:
    return ""


@miniature("A log never stands for a termination message.", caught_by="restarts.06", instead_of=status._terminated)
def takes_no_log_for_a_message(original: Original, container: Container) -> Object:
    container.config.log_on_error = False
    ended: Object = original(container)
    return ended


@miniature("Memory has no limit.", caught_by="restarts.07", instead_of=Container.check_memory)
def lets_memory_grow(original: Original, self: Container) -> None:
    return None


@miniature("Restarts do not wait.", caught_by=("restarts.08", "restarts.09", "restarts.13"), instead_of=Backoff.left)
def restarts_at_once(original: Original, self: Backoff, key: object, since: float) -> float:
    return 0.0


@miniature("The wait stays ten seconds.", caught_by=("restarts.09", "restarts.10"), instead_of=Backoff.next)
def does_not_double(original: Original, self: Backoff, key: object, since: float) -> None:
    self._entries[key] = FIRST, self._now()


@miniature("The wait is doubled without end.", caught_by="restarts.10", instead_of=Backoff.next)
def doubles_without_end(original: Original, self: Backoff, key: object, since: float) -> None:
    self._entries[key] = self.of(key, since) * 2 or FIRST, self._now()


@miniature("A wait is never forgotten.", caught_by="restarts.11", instead_of=Backoff.of)
def never_forgets(original: Original, self: Backoff, key: object, since: float) -> float:
    return self._entries.get(key, (0.0, 0.0))[0]


# Probes


@miniature(
    "Nobody minds how a container is.",
    caught_by=("probes.01", "probes.02", "probes.04", "probes.05", "probes.08", "probes.14", "probes.18"),
    instead_of=PodWorker._check,
)
def minds_no_container(original: Original, self: PodWorker, container: Object, instance: Container) -> bool:
    return True


@miniature("Any answer is a good one.", caught_by="probes.02", instead_of=Actions._http_get)
def takes_any_answer(
    original: Original, self: Actions, told: Object, spec: Object, address: str, done: Any, whose: str
) -> Any:
    return original(self, told, spec, address, lambda well, text: done(True, text), whose)


@miniature(
    "No answer is a good one.", caught_by=("probes.03#1", "probes.03#2", "probes.03#4"), instead_of=Actions._http_get
)
def takes_no_answer(
    original: Original, self: Actions, told: Object, spec: Object, address: str, done: Any, whose: str
) -> Any:
    return original(self, told, spec, address, lambda well, text: done(False, text), whose)


@miniature("Nobody is asked over TLS.", caught_by=("probes.22", "probes.23"), instead_of=Actions._http_get)
def asks_in_plain(original: Original, self: Actions, told: Object, *about: Any) -> Any:
    return original(self, {**told, "scheme": "HTTP"}, *about)


@miniature("A probe asks who vouches for the answer.", caught_by="probes.22", instead_of=tls._trusting)
def trusts_nobody(original: Original) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


@miniature("Ports have no names.", caught_by="probes.03#2", instead_of=actions.port_of)
def knows_no_names_of_ports(original: Original, port: int | str, spec: Object) -> int:
    return int(original(port, {**spec, "ports": []}))


@miniature("No port can be connected to.", caught_by="probes.03#3", instead_of=Actions._tcp)
def connects_to_no_port(original: Original, self: Actions, host: str, port: int, done: Any) -> Any:
    return self._loop.call_later(0, done, False, "refused").cancel


@miniature(
    "Every port can be connected to.",
    caught_by=("probes.04", "probes.09", "probes.12", "probes.14", "probes.15"),
    instead_of=Actions._tcp,
)
def connects_to_every_port(original: Original, self: Actions, host: str, port: int, done: Any) -> Any:
    return self._loop.call_later(0, done, True, "").cancel


@miniature("Probes wait for ever.", caught_by=("probes.05", "probes.16", "probes.19"), instead_of=Actions.act)
def gives_probes_all_time(
    original: Original, self: Actions, handler: Any, spec: Any, container: Any, done: Any, timeout: float, *whose: Any
) -> Any:
    return original(self, handler, spec, container, done, inf, *whose)


@miniature("There is no initial delay.", caught_by="probes.06", instead_of=Probe._tick)
def does_not_delay(original: Original, self: Probe) -> None:
    self._told = {**self._told, "initialDelaySeconds": 0}
    original(self)


@miniature("One failure is enough.", caught_by=("probes.07", "probes.13"), instead_of=Probe._judge)
def believes_one_failure(original: Original, self: Probe, well: bool, told: str) -> None:
    self._told = {**self._told, "failureThreshold": 1}
    original(self, well, told)


@miniature("One success is enough.", caught_by="probes.11", instead_of=Probe._judge)
def believes_one_success(original: Original, self: Probe, well: bool, told: str) -> None:
    self._told = {**self._told, "successThreshold": 1}
    original(self, well, told)


@miniature("What is not alive is restarted, whatever the policy.", caught_by="probes.08", instead_of=PodWorker._check)
def restarts_against_the_policy(original: Original, self: PodWorker, container: Object, instance: Container) -> bool:
    keeps = bool(original(self, container, instance))
    if not keeps:
        self._again.add(container["name"])
    return keeps


@miniature(
    "Readiness is not asked for.",
    caught_by=("probes.09", "probes.10", "probes.11", "probes.12", "probes.19", "probes.20"),
    instead_of=PodWorker._view,
)
def takes_all_for_ready(original: Original, self: PodWorker) -> View:
    return replace(original(self), ready={})


@miniature("Who was ready once stays so.", caught_by="probes.10", instead_of=Probe._set)
def stays_ready(original: Original, self: Probe, good: bool | None) -> None:
    if not (self.kind == READINESS and self.good):
        original(self, good)


@miniature("Probes do not wait for a start.", caught_by="probes.13", instead_of=PodWorker._may_probe)
def probes_before_the_start(original: Original, self: PodWorker, container: Object, kind: str) -> bool:
    return True


@miniature(
    "A container has started as soon as it runs.", caught_by=("probes.15", "order.06"), instead_of=PodWorker._is_started
)
def takes_all_for_started(original: Original, self: PodWorker, container: Object) -> bool:
    return True


# Stopping


@miniature(
    "Containers are not told to stop.",
    caught_by=("stopping.01", "stopping.05", "stopping.07"),
    instead_of=Container.stop,
)
def gives_no_signal(original: Original, self: Container, grace: float) -> None:
    self.loop.call_later(grace, self.kill)


@miniature("Containers are killed at once.", caught_by="stopping.02", instead_of=Container.stop)
def kills_at_once(original: Original, self: Container, grace: float) -> None:
    self.kill()


@miniature(
    "Containers are told to stop, and never killed.",
    caught_by=("stopping.03", "stopping.04", "stopping.06", "running.12", "probes.16"),
    instead_of=Container.stop,
)
def kills_nobody(original: Original, self: Container, grace: float) -> None:
    self.signal(15)


@miniature(
    "The grace period that a deletion gives is not heard of.", caught_by="stopping.04", instead_of=PodWorker._grace
)
def takes_the_grace_of_the_spec(original: Original, self: PodWorker) -> float:
    return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))


@miniature(
    "How containers ended is not told at the end.",
    caught_by=("stopping.05", "stopping.06", "stopping.07", "order.09"),
    instead_of=PodWorker._final,
)
def tells_nothing_at_the_end(original: Original, self: PodWorker) -> Object:
    told: Object = self.pod.get("status") or {}
    return told


@miniature("There is no hook before the end.", caught_by="stopping.07", instead_of=PodWorker._pre_stop)
def skips_pre_stop(
    original: Original, self: PodWorker, instance: Any, hook: Any, stop: Any, grace: float, turn: bool
) -> None:
    self._signal(instance, stop, turn)


@miniature(
    "A hook before the end may take as long as it likes.", caught_by="stopping.08", instead_of=PodWorker._pre_stop
)
def waits_for_pre_stop(
    original: Original, self: PodWorker, instance: Any, hook: Any, stop: Any, grace: float, turn: bool
) -> None:
    original(self, instance, hook, stop, inf, turn)


@miniature(
    "There is no hook after the start.", caught_by=("stopping.09", "stopping.10"), instead_of=PodWorker._post_start
)
def skips_post_start(original: Original, self: PodWorker, *about: Any) -> None:
    return None


# Order


@miniature(
    "Init containers start all at once.",
    caught_by=("order.01", "order.02", "order.06"),
    instead_of=PodWorker._is_through,
)
def waits_for_no_init_container(original: Original, self: PodWorker, container: Object) -> bool:
    return True


@miniature(
    "A sidecar is an init container like others.",
    caught_by=("order.05", "order.07", "order.08", "order.09"),
    instead_of=resources.is_sidecar,
)
def knows_no_sidecars(original: Original, init_container: Object) -> bool:
    return False


@miniature("Sidecars stop with the containers.", caught_by="order.09", instead_of=PodWorker._is_next)
def stops_sidecars_at_once(original: Original, self: PodWorker, name: str) -> bool:
    return True


# Running


@miniature(
    "It is not told when containers could start.", caught_by=("running.01", "running.02"), instead_of=status._conditions
)
def tells_fewer_conditions(original: Original, pod: Object, told: Object, view: View) -> Any:
    return [one for one in original(pod, told, view) if one[0] != "PodReadyToStartContainers"]


@miniature(
    "The conditions do not say that a Pod is through.",
    caught_by=("running.02", "running.03"),
    instead_of=status._conditions,
)
def does_not_say_who_is_through(original: Original, pod: Object, told: Object, view: View) -> Any:
    return original(pod, {**told, "phase": "Running"}, view)


@miniature(
    "However its containers ended, a Pod has succeeded.",
    caught_by=("running.03", "restarts.02#3"),
    instead_of=status.phase_of,
)
def takes_failure_for_success(original: Original, spec: Object, told: Object, ended: bool) -> str:
    phase = str(original(spec, told, ended))
    return "Succeeded" if phase == "Failed" else phase


@miniature("With its first container a Pod ends.", caught_by="running.04", instead_of=PodWorker._through)
def ends_with_the_first(original: Original, self: PodWorker) -> bool:
    instances = self.sandbox.containers.values() if self.sandbox else ()
    return any(one[-1].state == "exited" for one in instances)


@miniature("The Pod says who runs, not the container.", caught_by="starting.15", instead_of=PodWorker._config)
def runs_as_the_pod_says(original: Original, self: PodWorker, container: Object, image: Image) -> Any:
    return original(self, {**container, "securityContext": {}}, image)


@miniature("No groups are added.", caught_by="starting.16", instead_of=pod_worker._groups)
def adds_no_groups(original: Original, security: Object) -> tuple[int, ...]:
    return original(security)[:1]


@miniature("A Pod's time is never over.", caught_by="running.05", instead_of=PodWorker._check_deadline)
def knows_no_deadline(original: Original, self: PodWorker) -> None:
    return None


@miniature("A container has no restart policy of its own.", caught_by="running.06", instead_of=status._restarts)
def knows_the_policy_of_pods_only(original: Original, container: Object, policy: str, code: int) -> bool:
    return bool(original({**container, "restartPolicy": ""}, policy, code))


@miniature("Changed resources change nothing.", caught_by="running.08", instead_of=resizing.resize)
def resizes_nothing(original: Original, *about: Any) -> resizing.State:
    return resizing.NONE


@miniature("A node takes every Pod.", caught_by=("running.09", "running.10"), instead_of=admit.refusal_of)
def refuses_no_pod(original: Original, *about: Any) -> None:
    return None


@miniature("A kubelet that ends takes its containers along.", caught_by="running.11", instead_of=Kubelet.stop)
def takes_containers_along(original: Original, self: Kubelet) -> None:
    original(self)
    self.runtime.lose_power()


@miniature(
    "Restarts are counted from the kubelet's own start.",
    caught_by=("running.13", "running.19"),
    instead_of=PodWorker._attempt,
)
def counts_from_zero(original: Original, self: PodWorker, name: str) -> int:
    return int(original(self, name)) if self.sandbox and self.sandbox.latest(name) else 0


@miniature("A node does not tell what it has.", caught_by="running.14", instead_of=NodeStatus._status)
def tells_no_capacity(original: Original, self: NodeStatus, known: Object) -> Object:
    return {key: value for key, value in original(self, known).items() if key not in ("capacity", "allocatable")}


@miniature("What is used is not told.", caught_by="running.15", instead_of=MetricsServer._item)
def tells_no_use(original: Original, self: MetricsServer, about: Object, key: str, value: object) -> Object:
    return original(self, about, key, {"cpu": "0", "memory": "0"} if key == "usage" else [])
