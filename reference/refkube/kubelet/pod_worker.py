"""One Pod on one node: what is to be done for it next, from what its spec wants and what the runtime has.

The kubelet calls `step` whenever something may have changed (the Pod, a container, a probe, the time) and writes the
`status` that comes of it. A step never waits: what takes time (a pull, a hook, a grace period) calls `wake` when it is
over. Everything that must outlive the kubelet is in the runtime. Source: pkg/kubelet/pod_workers.go,
kuberuntime/kuberuntime_manager.go (computePodActions), kuberuntime_container.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol

from refkube.api.fit import amounts_of
from refkube.api.resources import is_sidecar
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path, is_terminating
from refkube.client.events import NORMAL, WARNING
from refkube.engine.clock import parse_rfc3339, rfc3339
from refkube.engine.loop import Loop
from refkube.kubelet import resizing
from refkube.kubelet.actions import Actions
from refkube.kubelet.backoff import Backoff, shown
from refkube.kubelet.environment import ConfigError, environment_of, expand
from refkube.kubelet.mounts import MountError, PodVolumes
from refkube.kubelet.probes import KINDS, LIVENESS, READINESS, STARTUP, Probe
from refkube.kubelet.runtime.container import Config, Container, Runtime, Sandbox
from refkube.kubelet.runtime.images import Image, PullError, is_valid
from refkube.kubelet.status import UNKNOWN, View, restarts, status_of

NOTICE = 1.0  # seconds until the end of a container is noticed: how often upstream's kubelet looks
SHORTEST = 2.0  # seconds that a container has to end in any case
REFRESH = 60.0  # seconds between two looks at what volumes show
MOUNT_FIRST, MOUNT_LONGEST = 0.5, 122.0
DEADLINE = "Pod was active on the node longer than the specified deadline"


class Node(Protocol):
    """What a worker asks of its kubelet."""

    loop: Loop
    runtime: Runtime
    actions: Actions
    backoff: Backoff
    address: str

    @property
    def allocatable(self) -> Object: ...
    def read(self, resource: str, namespace: str, name: str) -> Object: ...
    def services(self) -> Iterable[Object]: ...
    def wake(self, uid: str, after: float = 0.0) -> None: ...
    def event(self, pod: Object, type: str, reason: str, message: str, container: str = "") -> None: ...
    def attach_network(self, pod: Object, sandbox: Sandbox) -> None: ...
    def detach_network(self, sandbox: Sandbox) -> None: ...
    def volumes_of(self, pod: Object) -> PodVolumes: ...
    def may_grow(self, pod: Object) -> tuple[str, str] | None: ...


class Stop:
    """A container on its way out: first its hook, then its turn, then the signal."""

    __slots__ = ("hook", "until")

    def __init__(self, until: float):
        self.until = until
        self.hook: Callable[[], object] | None = None


class PodWorker:
    def __init__(self, node: Node, pod: Object):
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.gone = False  # its object is: only the containers are left
        self.admitted = self.rejected = False
        self.ended = False
        self.final: Object = {}
        self.failed: tuple[str, str] | None = None
        self._node = node
        self._loop = node.loop
        self._volumes = node.volumes_of(pod)
        self._probes: dict[tuple[str, str], Probe] = {}
        self._waiting: dict[str, tuple[str, str]] = {}
        self._stops: dict[str, Stop] = {}
        self._again: set[str] = set()  # to be started again, whatever their exit code says
        self._hook: tuple[str, Callable[[], object]] | None = None  # the postStart under way
        self._pulling = ""
        self._pulled: dict[str, PullError | None] = {}  # by container
        self._mount_delay = MOUNT_FIRST
        self._mount_at = 0.0
        self._refreshed = node.loop.now()
        self._ending_until: float | None = None
        self._told: set[tuple[str, object]] = set()
        self.resize = resizing.NONE
        for container in self.sandbox.running if self.sandbox else ():
            self._watch_probes(self._spec_of(container.name))

    @property
    def sandbox(self) -> Sandbox | None:
        return self._node.runtime.sandboxes.get(self.uid)

    @property
    def terminal(self) -> bool:
        return get_path(self.pod, "status", "phase") in ("Succeeded", "Failed")

    def fail(self, reason: str, message: str) -> None:
        """End the Pod for good."""
        self.failed = self.failed or (reason, message)

    def step(self) -> None:
        """Do what can be done now."""
        if self.ended:
            return
        self._check_deadline()
        if self.gone or is_terminating(self.pod) or self.failed or self.terminal or self._through():
            self._end()
        elif not self._busy() and self._mounted():
            self._sandboxed()
            self._run()

    def status(self) -> Object:
        return status_of(self.pod, self._view())

    @property
    def stopping(self) -> bool:
        return bool(self._stops)

    def close(self) -> None:
        """The kubelet stops; the containers do not."""
        for probe in self._probes.values():
            probe.stop()
        self._probes.clear()
        self._pulling = ""
        if self._hook is not None:
            self._hook[1]()
            self._hook = None
        for stop in self._stops.values():
            if stop.hook is not None:
                stop.hook()

    # Surroundings

    def _mounted(self) -> bool:
        now = self._loop.now()
        if now < self._mount_at:
            return False
        about = self.pod, self.sandbox.address if self.sandbox else "", self._node.address, self._node.allocatable
        try:
            self._volumes.mount(*about)
        except MountError as why:
            self._node.event(self.pod, WARNING, "FailedMount", str(why))
            self._mount_at = now + self._mount_delay
            self._node.wake(self.uid, self._mount_delay)
            self._mount_delay = min(self._mount_delay * 2, MOUNT_LONGEST)
            return False
        explicit = [
            one for one in self.pod["spec"].get("volumes") or () if not one["name"].startswith("kube-api-access-")
        ]
        if any(kind in volume for volume in explicit for kind in ("configMap", "secret", "downwardAPI", "projected")):
            if now - self._refreshed >= REFRESH:
                self._refreshed = now
                self._volumes.refresh(*about)
            self._node.wake(self.uid, self._refreshed + REFRESH - now)
        return True

    def _sandboxed(self) -> Sandbox:
        sandbox = self.sandbox
        if sandbox is None or not sandbox.address:
            sandbox = sandbox or self._node.runtime.add(self.pod)
            try:
                self._node.attach_network(self.pod, sandbox)
            except OSError as why:
                self._node.event(self.pod, WARNING, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {why}")
                raise
        sandbox.pod = self.pod
        return sandbox

    # Running

    def _busy(self) -> bool:
        return bool(self._pulling or self._hook or self._stops)

    def _run(self) -> None:
        """Start what is to be started and stop what is to be stopped, in order, until something takes time."""
        spec, sandbox = self.pod["spec"], self.sandbox
        assert sandbox is not None
        for container in spec.get("ephemeralContainers") or ():
            if sandbox.latest(container["name"]) is None and not self._may_start(container):
                return
        begun = any(sandbox.latest(one["name"]) for one in spec["containers"])
        for container in spec.get("initContainers") or ():
            if begun and not is_sidecar(container):
                continue
            if not self._keep(container) or self._busy():
                return
            if not begun and not self._is_through(container):
                return
        for container in spec["containers"]:
            self._keep(container)
            if self._busy():
                return
        self.resize = resizing.resize(self.pod, sandbox, self._node.may_grow, self._resize_by_restart)

    def _is_through(self, container: Object) -> bool:
        assert self.sandbox is not None
        instance = self.sandbox.latest(container["name"])
        if instance is None:
            return False
        if is_sidecar(container):
            return instance.running and self._is_started(container)
        return instance.state == "exited" and instance.exit_code == 0

    def _keep(self, container: Object) -> bool:
        """Let one container be as it should be. False if that is not to be had now."""
        assert self.sandbox is not None
        name = container["name"]
        instance = self.sandbox.latest(name)
        if instance is None:
            return self._may_start(container)
        if instance.running:
            return self._check(container, instance)
        if name not in self._again and not self._restarts(container, instance.exit_code):
            return True
        key = (self.uid, name, container.get("image"))
        left = self._node.backoff.left(key, instance.finished_at)
        if left > 0:
            delay = self._node.backoff.of(key, instance.finished_at)
            where = f"{self.pod['metadata']['name']}_{self.pod['metadata']['namespace']}({self.uid})"
            self._waiting[name] = (
                "CrashLoopBackOff",
                f"back-off {shown(delay)} restarting failed container={name} pod={where}",
            )
            if self._once("backoff", instance.id):
                self._say(name, WARNING, "BackOff", f"Back-off restarting failed container {name} in pod {where}")
            self._node.wake(self.uid, left)
            return False
        if not self._may_start(container):
            return False
        self._node.backoff.next(key, instance.finished_at)
        return True

    def _check(self, container: Object, instance: Container) -> bool:
        """Stop one that runs if it is not as wanted or not well."""
        name = container["name"]
        policy = self.pod["spec"].get("restartPolicy", "Always")
        restart = (
            is_sidecar(container) or policy != "Never" or container.get("restartPolicy") in ("Always", "OnFailure")
        )
        grace: float = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
        if container.get("image") != instance.config.image_name:
            why, restart = "definition changed", True
        elif self._found(name, LIVENESS) is False:
            why, grace = "failed liveness probe", container[LIVENESS].get("terminationGracePeriodSeconds", grace)
        elif self._found(name, STARTUP) is False:
            why, grace = "failed startup probe", container[STARTUP].get("terminationGracePeriodSeconds", grace)
        else:
            return True
        if restart:
            self._again.add(name)
        self._stop(instance, grace, f"Container {name} {why}{', will be restarted' if restart else ''}")
        return False

    def _resize_by_restart(self, instance: Container) -> None:
        self._again.add(instance.name)
        grace = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
        self._stop(instance, grace, f"Container {instance.name} resize requires restart")

    def _restarts(self, container: Object, code: int) -> bool:
        spec, name = self.pod["spec"], container["name"]
        policy = spec.get("restartPolicy", "Always")
        if any(one["name"] == name for one in spec.get("initContainers") or ()):
            return is_sidecar(container) or (code != 0 and restarts(container, policy, code))
        if any(one["name"] == name for one in spec.get("ephemeralContainers") or ()):
            return False
        return restarts(container, policy, code)

    def _through(self) -> bool:
        """Has everything ended that counts, for good?"""
        sandbox, spec = self.sandbox, self.pod["spec"]
        if sandbox is None:
            return self._ended_unseen()
        if self._again:
            return False
        for container in spec.get("initContainers") or ():
            instance = sandbox.latest(container["name"])
            if instance is None or is_sidecar(container):
                continue
            if instance.state == "exited" and instance.exit_code and not self._restarts(container, instance.exit_code):
                return True
        for container in spec["containers"]:
            instance = sandbox.latest(container["name"])
            if instance is None or instance.state != "exited" or self._restarts(container, instance.exit_code):
                return False
        return True

    def _ended_unseen(self) -> bool:
        """Nothing is left of them here; they did run, and are not to run twice."""
        told = {one["name"]: one["state"] for one in get_path(self.pod, "status", "containerStatuses", default=())}
        for container in self.pod["spec"]["containers"]:
            state = told.get(container["name"]) or {}
            if "running" not in state and "terminated" not in state:
                return False
            if self._restarts(container, (state.get("terminated") or {}).get("exitCode", UNKNOWN)):
                return False
        return True

    # Starting

    def _may_start(self, container: Object) -> bool:
        """Start it, as soon as its image is there. False if it is not to be had now."""
        name, reference = container["name"], container.get("image", "")
        if not is_valid(reference):
            why = f'couldn\'t parse image name "{reference}": invalid reference format'
            if self._once("invalid", (name, reference)):
                told = f'Failed to apply default image tag "{reference}": {why}'
                self._say(name, WARNING, "InspectFailed", told)
                self._say(name, WARNING, "Failed", "Error: InvalidImageName")
            self._waiting[name] = "InvalidImageName", why
            return False
        image = self._image(container, name, reference)
        if image is None:
            return False
        try:
            config = self._config(container, image)
        except (ConfigError, StatusError) as why:
            told = why.status.get("message", str(why)) if isinstance(why, StatusError) else str(why)
            self._waiting[name] = "CreateContainerConfigError", told
            self._say(name, WARNING, "Failed", f"Error: {told}")
            self._node.wake(self.uid, 10.0)
            return False
        self._start(container, config)
        return True

    def _image(self, container: Object, name: str, reference: str) -> Image | None:
        images = self._node.runtime.images
        policy = container.get("imagePullPolicy", "IfNotPresent")
        if name in self._pulled:
            error = self._pulled.pop(name)
            if error is None:
                return images.present[reference]
            why = f'Failed to pull image "{reference}": {error}'
            self._say(name, WARNING, "Failed", why)
            self._say(name, WARNING, "Failed", "Error: ErrImagePull")
            self._waiting[name] = "ErrImagePull", str(error)
            self._node.backoff.next((self.uid, "pull", reference), self._loop.now())
            self._told.discard(("pull", (name, reference)))
            self._node.wake(self.uid, NOTICE)
            return None
        if reference in images.present and policy != "Always":
            self._say(name, NORMAL, "Pulled", f'Container image "{reference}" already present on machine')
            return images.present[reference]
        if policy == "Never":
            if self._once("never", (name, reference)):
                self._say(
                    name,
                    WARNING,
                    "ErrImageNeverPull",
                    f'Container image "{reference}" is not present with pull policy of Never',
                )
                self._say(name, WARNING, "Failed", "Error: ErrImageNeverPull")
            self._waiting[name] = (
                "ErrImageNeverPull",
                f'Container image "{reference}" is not present with pull policy of Never',
            )
            self._node.wake(self.uid, 10.0)
            return None
        key = (self.uid, "pull", reference)
        left = self._node.backoff.left(key, self._node.backoff.since_last(key))
        if left > 0:
            if self._once("pull", (name, reference)):
                self._say(name, NORMAL, "BackOff", f'Back-off pulling image "{reference}"')
                self._say(name, WARNING, "Failed", "Error: ImagePullBackOff")
            self._waiting[name] = "ImagePullBackOff", f'Back-off pulling image "{reference}"'
            self._node.wake(self.uid, left)
            return None
        self._say(name, NORMAL, "Pulling", f'Pulling image "{reference}"')
        self._pulling = name
        began = self._loop.now()

        def pulled(error: PullError | None) -> None:
            if self._pulling == name:
                self._pulling = ""
                self._pulled[name] = error
                if error is None:
                    seconds = self._loop.now() - began
                    told = f'Successfully pulled image "{reference}" in {seconds:g}s ({seconds:g}s including waiting).'
                    self._say(name, NORMAL, "Pulled", f"{told} Image size: {images.present[reference].size} bytes.")
                self._node.wake(self.uid)

        images.pull(reference, pulled)
        return None

    def _config(self, container: Object, image: Image) -> Config:
        sandbox, spec, name = self.sandbox, self.pod["spec"], container["name"]
        assert sandbox is not None
        security = {**(spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
        if security.get("runAsNonRoot") and not security.get("runAsUser"):
            raise ConfigError("container has runAsNonRoot and image will run as root")
        node = self._node
        env = environment_of(
            self.pod, container, node.read, node.services(), sandbox.address, node.address, node.allocatable
        )
        env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME": sandbox.hostname,
            **image.env,
            **env,
        }
        command = [expand(word, env) for word in container.get("command") or ()]
        words = [expand(word, env) for word in container.get("args") or ()]
        if not command:
            command = list(image.entrypoint)
            words = words or list(image.command)
        limits = amounts_of((container.get("resources") or {}).get("limits"))
        last = sandbox.latest(name)
        return Config(
            name,
            image,
            command + words,
            env,
            container.get("workingDir") or image.cwd,
            [*sandbox.files, *self._volumes.of(container, env)],
            limits["cpu"] / 1000 if "cpu" in limits else None,
            limits.get("memory"),
            bool(security.get("readOnlyRootFilesystem")),
            attempt=self._attempt(name) + 1 if last is not None else self._attempt(name),
            image_name=container.get("image", ""),
            log_on_error=container.get("terminationMessagePolicy") == "FallbackToLogsOnError",
            resources=container.get("resources") or {},
            termination_path=container.get("terminationMessagePath") or "/dev/termination-log",
            stdin=bool(container.get("stdin")),
            tty=bool(container.get("tty")),
            user=int(security.get("runAsUser") or 0),
            groups=_groups(security),
        )

    def _attempt(self, name: str) -> int:
        """The number of its restarts so far; of one whose sandbox was lost, with the one to come."""
        last = self.sandbox.latest(name) if self.sandbox else None
        if last is not None:
            return last.config.attempt
        known = self._node.runtime.attempts.get(self.uid, {}).get(name)
        if known is not None:
            return known + 1
        for key in ("containerStatuses", "initContainerStatuses"):
            for told in get_path(self.pod, "status", key, default=()):
                if told["name"] == name:
                    return int(told["restartCount"]) + ("waiting" not in told["state"])
        return 0

    def _start(self, container: Object, config: Config) -> None:
        assert self.sandbox is not None
        name = container["name"]
        instance = self.sandbox.create(config)
        self._waiting.pop(name, None)
        self._again.discard(name)
        self._say(name, NORMAL, "Created", "Container created")
        self._watch_probes(container)
        instance.start()
        if instance.reason == "StartError":
            self._say(name, WARNING, "Failed", f"Error: {instance.message}")
            return
        self._say(name, NORMAL, "Started", "Container started")
        hook = get_path(container, "lifecycle", "postStart")
        if hook and instance.running:
            self._post_start(container, instance, hook)

    def _post_start(self, container: Object, instance: Container, hook: Object) -> None:
        name = container["name"]

        def done(well: bool, told: str) -> None:
            self._hook = None
            if not well and instance.running:
                self._say(name, WARNING, "FailedPostStartHook", f"PostStartHook failed: {told}")
                grace = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
                self._stop(instance, grace, "FailedPostStartHook")
            self._node.wake(self.uid)

        self._hook = (name, lambda: None)
        give_up = self._node.actions.act(hook, container, instance, done, float("inf"), "lifecycle")
        if self._hook is not None:
            self._hook = (name, give_up)

    # Stopping

    def _stop(self, instance: Container, grace: float, message: str = "", turn: bool = True) -> None:
        """Begin to stop a container, once: the hook, then SIGTERM, at the end SIGKILL. A shorter grace wins."""
        name, until = instance.name, self._loop.now() + grace
        stop = self._stops.get(name)
        if stop is None:
            stop = self._stops[name] = Stop(until)
            self._say(name, NORMAL, "Killing", message or f"Stopping container {name}")
            hook = get_path(self._spec_of(name), "lifecycle", "preStop")
            if hook and grace > 0:
                self._pre_stop(instance, hook, stop, grace, turn)
                return
        elif until >= stop.until:
            return
        stop.until = until
        if stop.hook is None:
            self._signal(instance, stop, turn)

    def _pre_stop(self, instance: Container, hook: Object, stop: Stop, grace: float, turn: bool) -> None:
        def done(well: bool, told: str) -> None:
            stop.hook = None
            if not well:
                self._say(instance.name, WARNING, "FailedPreStopHook", f"PreStopHook failed: {told}")
            self._signal(instance, stop, turn)

        stop.hook = lambda: None
        give_up = self._node.actions.act(hook, self._spec_of(instance.name), instance, done, grace, "lifecycle")
        if stop.hook is not None:
            stop.hook = give_up

    def _signal(self, instance: Container, stop: Stop, turn: bool) -> None:
        if turn or self._is_next(instance.name) or self._loop.now() >= stop.until:
            instance.stop(max(stop.until - self._loop.now(), SHORTEST))

    def _is_next(self, name: str) -> bool:
        """May it be told to stop? Sidecars wait for the containers, and for the sidecars started after them."""
        assert self.sandbox is not None
        order = [one["name"] for one in self.pod["spec"].get("initContainers") or () if is_sidecar(one)]
        if name not in order:
            return True
        later = order[order.index(name) + 1 :]
        return not any(one.name in later or one.name not in order for one in self.sandbox.running)

    def _end(self) -> None:
        """Stop everything, in order; when nothing runs any more, clean up."""
        sandbox = self.sandbox
        if self._hook is not None:
            self._hook[1]()
            self._hook = None
        self._pulling = ""
        if sandbox is not None and sandbox.running:
            now, grace = self._loop.now(), self._grace()
            if self._ending_until is None or now + grace < self._ending_until:
                self._ending_until = now + grace
            for container in sandbox.running:
                stop = self._stops.get(container.name)
                if stop is not None and stop.hook is None and self._ending_until >= stop.until:
                    self._signal(container, stop, turn=False)
                else:
                    self._stop(container, self._ending_until - now, turn=False)
            if sandbox.running:
                self._node.wake(self.uid, max(self._ending_until - now, NOTICE))
                return
        self._clean_up()

    def _grace(self) -> float:
        meta = self.pod["metadata"]
        if self.gone:
            return 1.0
        if "deletionGracePeriodSeconds" in meta:
            since = parse_rfc3339(meta["deletionTimestamp"]) - meta["deletionGracePeriodSeconds"]
            return max(1.0, since + meta["deletionGracePeriodSeconds"] - self._loop.now())
        return max(1.0, float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)))

    def _clean_up(self) -> None:
        self.final = self._final()
        sandbox = self.sandbox
        self.close()
        self.ended = True
        if sandbox is not None:
            self._node.detach_network(sandbox)
        self._volumes.unmount()
        self._node.backoff.forget(self.uid)

    def _final(self) -> Object:
        if self.rejected and self.failed is not None:
            reason, message = self.failed
            began = get_path(self.pod, "status", "startTime", default=rfc3339(self._loop.now()))
            told = {"phase": "Failed", "reason": reason, "message": message, "startTime": began}
            return {**(self.pod.get("status") or {}), **told}
        return status_of(self.pod, replace(self._view(), ended=True))

    # Watching

    def noticed(self) -> None:
        """One of its containers has ended."""
        sandbox = self.sandbox
        for name in [name for name in self._stops if sandbox is None or not _runs(sandbox, name)]:
            stop = self._stops.pop(name)
            if stop.hook is not None:
                stop.hook()

    def _check_deadline(self) -> None:
        deadline, began = self.pod["spec"].get("activeDeadlineSeconds"), get_path(self.pod, "status", "startTime")
        if deadline is None or self.terminal:
            return
        left = (parse_rfc3339(began) if began else self._loop.now()) + deadline - self._loop.now()
        if left > 0:
            self._node.wake(self.uid, left)
        elif self.failed is None:
            self._node.event(self.pod, NORMAL, "DeadlineExceeded", DEADLINE)
            self.fail("DeadlineExceeded", DEADLINE)

    def _watch_probes(self, container: Object) -> None:
        name = container["name"]
        for kind in KINDS:
            if container.get(kind) and (name, kind) not in self._probes:
                self._probes[name, kind] = Probe(
                    self._loop,
                    self._node.actions,
                    kind,
                    container,
                    lambda: self.sandbox.latest(name) if self.sandbox else None,
                    partial(self._may_probe, container, kind),
                    partial(self._probed, name, kind),
                    lambda why: self._say(name, WARNING, "Unhealthy", why),
                )

    def _may_probe(self, container: Object, kind: str) -> bool:
        return self._is_started(container) != (kind == STARTUP)

    def _probed(self, name: str, kind: str) -> None:
        if kind == STARTUP and self._found(name, STARTUP):
            for other in (READINESS, LIVENESS):
                if (name, other) in self._probes:
                    self._probes[name, other].trigger()
        self._node.wake(self.uid)

    def _found(self, name: str, kind: str) -> bool | None:
        """What a probe says; None without one, and as long as it says nothing."""
        probe = self._probes.get((name, kind))
        return probe.good if probe is not None else None

    def _is_started(self, container: Object) -> bool:
        name = container["name"]
        if self._hook is not None and self._hook[0] == name:
            return False
        return not container.get(STARTUP) or self._found(name, STARTUP) is True

    def _view(self) -> View:
        spec = self.pod["spec"]
        everyone = [*spec["containers"], *(spec.get("initContainers") or ())]
        ready = {one["name"]: bool(self._found(one["name"], READINESS)) for one in everyone if one.get(READINESS)}
        started = {one["name"]: self._is_started(one) for one in everyone if one.get(STARTUP)}
        for name, well in started.items():
            ready[name] = ready.get(name, True) and well
        sandbox = self.sandbox
        return View(
            now=self._loop.now(),
            host=self._node.address,
            sandbox=sandbox,
            waiting=self._waiting,
            ready=ready,
            started=started,
            initial=frozenset(one["name"] for one in spec.get("initContainers") or () if not is_sidecar(one)),
            hidden=frozenset([self._hook[0]]) if self._hook else frozenset(),
            restarts={name: self._attempt(name) for name in sandbox.containers} if sandbox else {},
            resources=resizing.resources_of(sandbox) if sandbox else {},
            failed=self.failed,
            extra=self.resize.conditions,
        )

    def _spec_of(self, name: str) -> Object:
        spec = self.pod["spec"]
        for key in ("containers", "initContainers", "ephemeralContainers"):
            for container in spec.get(key) or ():
                if container["name"] == name:
                    return container
        return {"name": name}

    def _once(self, what: str, key: object) -> bool:
        """Has this not been told yet?"""
        known = (what, key) in self._told
        self._told.add((what, key))
        return not known

    def _say(self, name: str, type: str, reason: str, message: str) -> None:
        self._node.event(self.pod, type, reason, message, name)


def _runs(sandbox: Sandbox, name: str) -> bool:
    latest = sandbox.latest(name)
    return latest is not None and latest.running


def _groups(security: Object) -> tuple[int, ...]:
    """Its own, those that its Pod adds, and that of the volumes."""
    told = [security.get("runAsGroup") or 0, *(security.get("supplementalGroups") or ()), security.get("fsGroup") or 0]
    return tuple(dict.fromkeys(int(group) for group in told[:1] + [one for one in told[1:] if one]))
