"""What a scenario knows: its objects, the last answer, its watch; and how steps ask the API, in the scenario's names.

One `World` a scenario, made by the plugin and given to every step as the argument `world`. Features speak plain
names; the world translates to the driver's real names on the way out and back on the way in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar
from urllib.parse import quote

from gherkube import kinds, paths
from gherkube.drivers.base import (
    ADMIN,
    JSON,
    NOWHERE,
    Answer,
    Api,
    Connection,
    Crossing,
    Driver,
    Journey,
    Names,
    Object,
    Place,
    Unreachable,
    Watching,
)
from gherkube.drivers.conversation import condensed
from gherkube.kinds import Kind
from gherkube.phrases import Collection, ObjectRef, Timing
from gherkube.values import ABSENT, Misused, all_from_yaml, cell_value, from_yaml, get, merge, put, rows

T = TypeVar("T")

WRITES = 5  # attempts of a writer whom others are faster than
PICTURES = 4  # of ways that packets took, in one scenario
SOON = 10.0  # seconds within which what a system does at once has happened, on any cluster

# Status reasons and the codes that go with them (apimachinery/pkg/apis/meta/v1: StatusReason).
CODES = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "AlreadyExists": 409,
    "Conflict": 409,
    "Expired": 410,
    "Gone": 410,
    "RequestEntityTooLarge": 413,
    "UnsupportedMediaType": 415,
    "Invalid": 422,
    "TooManyRequests": 429,
    "Timeout": 504,
}

# Fields that name an object outside the namespace, wherever they stand in a manifest.
TEST_IMAGES = {
    name: f"registry.k8s.io/e2e-test-images/{name}:{tag}"
    for name, tag in (("agnhost", "2.53"), ("busybox", "1.36.1-1"), ("nginx", "1.14-4"))
}
_REFERENCES = ("namespace", "storageClassName", "priorityClassName", "runtimeClassName", "volumeName", "nodeName")


class World:
    def __init__(self, driver: Driver, names: Names):
        self.driver = driver
        self.names = names
        self.answers: list[Answer] = []  # of the When step; several where a list came in chunks
        self.versions: dict[str, str] = {}  # what steps called a version -> resourceVersion
        self.watches: list[Watch] = []  # several only where a step says so
        self.changes: list[tuple[str, str, str]] = []  # (event, name, version) of each change of a long history
        self.options: dict[str, str] = {}  # for the When step's request alone
        self.token: str | None = ADMIN
        self.accept = JSON
        self.dress: Callable[[Object], Object] | None = None  # what a step has every object made with
        self.listed: list[tuple[str, Answer]] = []  # what discovery tells ("apps/v1 Deployment"), and the list of it
        self.telling: set[int] = set()  # steps whose reading is what the scenario is about, where it is recorded
        self._journeys: dict[tuple[object, ...], Object] | None = None  # where it is recorded
        self._step = 0
        self.connections: list[Connection] = []  # of the When step
        self.asked = ""  # the address that they went to
        self.journey = NOWHERE
        self._made: dict[str, None] = {}  # paths of what was created, in order

    # Names and objects

    def kind(self, name: str) -> Kind:
        return kinds.named(name)

    def path(self, ref: ObjectRef, subresource: str = "", api_version: str = "") -> str:
        """The path of an object, or of its subresource: the one that the step names, or this one; in a version."""
        kind = kinds.named(ref.kind, api_version)
        name = self.names.called.get(ref.name, ref.name) if kind.namespaced else self._cluster_name(kind, ref.name)
        return kind.path(self.names.namespace(ref.namespace), quote(name, safe=""), subresource or ref.subresource)

    def collection_path(self, kind: Kind, namespace: str = "") -> str:
        """The path of a collection; namespace "*" is all of them, "" the scenario's own."""
        return kind.path("" if namespace == "*" else self.names.namespace(namespace))

    def version(self, called: str) -> str:
        """A resourceVersion by what a step called it, or as it is written."""
        return self.versions.get(called, called)

    def selectors(self, all_: Collection) -> dict[str, str]:
        """The request options of a collection as a step names it."""
        options = {}
        if all_.labels is not None:
            options["labelSelector"] = all_.labels
        if all_.fields is not None:
            options["fieldSelector"] = re.sub(r"(?<==)[^,=]+", lambda value: self._real(value[0]), all_.fields)
        return options

    def build(self, ref: ObjectRef, docstring: str | None = None, table: list[list[str]] | None = None) -> Object:
        """A valid object of the kind, with the docstring's fields laid over it, or the table's fields set."""
        kind = self.kind(ref.kind)
        made = merge(template(kind), {"metadata": {"name": ref.name}})
        if docstring is not None:
            made = merge(made, _mapping(from_yaml(docstring)))
        return self.outgoing(set_fields(made, table))

    def outgoing(self, obj: Any) -> Any:
        """An object in the driver's real names, with the target's images."""
        obj = self._with_images(obj)
        if self.dress is not None and isinstance(obj, dict):
            obj = self.dress(obj)
        if not (self.names.marker or self.names.given) or not isinstance(obj, dict):
            return obj
        obj = self._references(obj)
        metadata = obj.get("metadata")
        if not isinstance(metadata, dict):
            return obj
        metadata = dict(metadata)
        try:
            kind = kinds.named(str(obj.get("kind")), str(obj.get("apiVersion", "")))
        except kinds.UnknownKind:
            kind = None
        if isinstance(metadata.get("namespace"), str):
            metadata["namespace"] = self.names.namespace(metadata["namespace"])
        if kind is not None and not kind.namespaced:
            for key in ("name", "generateName"):
                if isinstance(metadata.get(key), str) and metadata[key]:
                    metadata[key] = self._cluster_name(kind, metadata[key])
        return {**obj, "metadata": metadata}

    def _with_images(self, value: Any) -> Any:
        """The images of programs for tests are called test/NAME; a target may have them elsewhere."""
        if isinstance(value, list):
            return [self._with_images(item) for item in value]
        if isinstance(value, dict):
            return {key: self._with_images(item) for key, item in value.items()}
        if isinstance(value, str) and value.startswith("test/") and value[5:] in TEST_IMAGES:
            return self.driver.parameters.get(f"image.{value[5:]}", TEST_IMAGES[value[5:]])
        return value

    def _cluster_name(self, kind: Kind, name: str) -> str:
        return self.names.namespace(name) if kind.kind == "Namespace" and name == "home" else self.names.cluster(name)

    def _references(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._references(item) for item in value]
        if not isinstance(value, dict):
            return value
        named = "scopeName" in value or value.get("key") == "metadata.name"
        if named and isinstance(value.get("values"), list):
            value = {**value, "values": [self._real(item) for item in value["values"]]}
        return {
            key: self._real(item) if key in _REFERENCES and isinstance(item, str) else self._references(item)
            for key, item in value.items()
        }

    def _real(self, plain: str) -> str:
        """The real name behind a plain one that the scenario has used; any other name as it is."""
        return self.names.home if plain == "home" else self.names.given.get(plain, plain)

    def plain(self, value: T) -> T:
        """A value from the system in the features' names."""
        return self.names.plain(value)

    # Asking

    @property
    def api(self) -> Api:
        return self.driver.api()

    def ask(self, method: str, path: str, **request: Any) -> Answer:
        """The request that the scenario is about: with what the Given steps said of it; kept as the answer."""
        options = {**(request.pop("options", None) or {}), **self.options}
        request.setdefault("accept", self.accept)
        answer = self.driver.api(self.token).call(method, path, options=options, **request)
        self.answers.append(answer)
        self._note_creation(answer)
        return answer

    def do(self, method: str, path: str, what: str, **request: Any) -> Object:
        """A request that must be accepted, as preparation or to look. AssertionError otherwise."""
        answer = self.api.call(method, path, **request)
        if not answer.accepted:
            raise AssertionError(f"{what} was {self.plain(str(answer))}")
        self._note_creation(answer)
        return answer.object

    def ask_at_once(self, requests: Sequence[tuple[str, str, Object]]) -> None:
        """Requests (method, path, body) of as many writers; who finds that another was faster asks once more."""

        def asker(method: str, path: str, body: Object) -> Callable[[], Answer]:
            def ask() -> Answer:
                for _ in range(WRITES):
                    answer = api.call(method, path, body=body)
                    if answer.reason != "Conflict":
                        break
                return answer

            return ask

        api = self.driver.api(self.token)
        self.answers = self.driver.at_once([asker(*request) for request in requests])
        for answer in self.answers:
            self._note_creation(answer)

    def create(self, ref: ObjectRef, obj: Object) -> Object:
        path = self.collection_path(self.kind(ref.kind), ref.namespace)
        made = self.do("POST", path, f"creating {ref}", body=obj)
        self.await_force(ref)
        return made

    def await_force(self, ref: ObjectRef) -> None:
        """A limit holds once admission knows of it: of a LimitRange in a moment, of a quota by its status."""
        kind = self.kind(ref.kind).kind
        if kind == "ResourceQuota":
            self.driver.eventually(lambda: self._must_be_measured(ref), SOON)
        if kind in ("LimitRange", "ResourceQuota"):
            self.driver.settle()

    def _must_be_measured(self, ref: ObjectRef) -> None:
        quota = self.read_raw(ref)
        measured = get(quota, "status.hard") == (get(quota, "spec.hard") or ABSENT)
        require(measured, lambda: f"{ref} has the status {quota.get('status')}, which is not of its spec")

    def read(self, ref: ObjectRef) -> Object:
        """The object as it is now, in the features' names."""
        return self.plain(self.read_raw(ref))

    def read_raw(self, ref: ObjectRef) -> Object:
        readable = ref._replace(subresource="") if ref.subresource == "finalize" else ref
        return self.do("GET", self.path(readable), f"reading {ref}")

    def holds(self, timing: Timing, check: Callable[[], object]) -> None:
        """`check` raises nothing: now, or within a time, or all the time."""
        if timing.how == "within":
            self.driver.eventually(check, timing.seconds)
        elif timing.how == "for":
            self.driver.always(check, timing.seconds)
        else:
            check()

    def exists(self, ref: ObjectRef) -> bool:
        answer = self.api.call("GET", self.path(ref))
        if not answer.accepted and answer.code != 404:
            raise AssertionError(f"reading {ref} was {self.plain(str(answer))}")
        return answer.accepted

    def listing(self, all_: Collection, options: Mapping[str, str] | None = None) -> Object:
        kind = self.kind(all_.kind)
        return self.do(
            "GET",
            self.collection_path(kind, all_.namespace),
            f"listing {all_.kind}",
            options={**self.selectors(all_), **(options or {})},
        )

    # The watch

    @property
    def watch(self) -> Watch | None:
        return self.watches[0] if self.watches else None

    # The answer

    @property
    def answer(self) -> Answer:
        if not self.answers:
            raise Misused("no step has asked for anything yet")
        return self.answers[-1]

    @property
    def accepted(self) -> Object:
        """The answer's object in the features' names; AssertionError if the request was refused."""
        for answer in self.answers:
            if not answer.accepted:
                raise AssertionError(f"the request was {self.plain(str(answer))}")
        return self.plain(self.answer.object)

    @property
    def items(self) -> list[Object]:
        """The objects listed, through all chunks."""
        _ = self.accepted
        listed = []
        for answer in self.answers:
            items = answer.object.get("items")
            if not isinstance(items, list):
                raise AssertionError(f"the answer is no list but {answer.object.get('kind')}")
            listed += items
        return self.plain(listed)

    # Ending

    def evidence(self) -> dict[str, Any]:
        """What helps to understand a failure: the latest exchanges, the objects made, the namespace's Events."""
        found: dict[str, Any] = {"exchanges": self.plain(list(self.driver.exchanges))}
        try:
            made = (self.api.call("GET", path) for path in list(self._made)[-10:])
            found["objects"] = [self.plain(answer.object) for answer in made if answer.accepted]
            events = self.api.call("GET", kinds.named("Event").path(self.names.home), options={"limit": "50"})
            found["events"] = [
                f"{get(event, 'involvedObject.kind')} {get(event, 'involvedObject.name')}: "
                f"{event.get('reason')}: {event.get('message')}"
                for event in self.plain(events.object.get("items") or [])
            ]
            if "pods.real" in self.driver.capabilities:
                found["logs"] = self.plain(self._logs())
        except Unreachable as error:
            found["incomplete"] = str(error)
        if self.watch is not None:
            found["watch"] = [f"{kind} {get(obj, 'metadata.name')}" for kind, obj in self.watch.events]
        return found

    def _logs(self) -> dict[str, list[str]]:
        """The last lines of each container of the scenario's namespace that has some."""
        path = kinds.named("Pod").path(self.names.home)
        told: dict[str, list[str]] = {}
        for pod in (self.api.call("GET", path, options={"limit": "10"}).object.get("items") or [])[:10]:
            for container in get(pod, "spec.containers") or []:
                name, options = get(pod, "metadata.name"), {"container": container["name"], "tailLines": "20"}
                answer = self.api.call("GET", f"{path}/{name}/log", options=options)
                if answer.accepted and answer.body:
                    told[f"{name}/{container['name']}"] = answer.body.decode("utf-8", "replace").splitlines()
        return told

    def record(self) -> dict[str, Any]:
        """What was said and sent in this scenario, shortened to what is worth reading, in the features' names."""
        conversation = condensed(self.driver.conversation(), self.telling)
        return {"conversation": self.plain(conversation), "journeys": self.plain(list((self._journeys or {}).values()))}

    def begin_recording(self, step: int, *, telling: bool) -> None:
        """From the step of this number on, what is said and sent is kept."""
        self._step = step
        if telling:
            self.telling.add(step)
        self.driver.mark(step)
        if self._journeys is None:
            self._journeys = {}
            self.driver.follow(self._note_journey)

    def _note_journey(self, origin: Place, address: str, port: int, made: Journey) -> None:
        """One picture for each that answered; of what was tried until it came right, the last."""
        asked = {"origin": " ".join(filter(None, (origin.kind, origin.name))), "target": f"TCP {address}:{port}"}
        ways = {"there": list(map(_crossing, made.there)), "back": list(map(_crossing, made.back))}
        assert self._journeys is not None
        tried = (*asked.values(), self._step)
        if made.connection.outcome == "answered":
            self._journeys.pop((*tried, ""), None)
        key = (*tried, made.connection.pod)
        if key in self._journeys or len(self._journeys) < PICTURES:
            self._journeys[key] = {"step": self._step, **asked, **asdict(made.connection), **ways}

    def close(self) -> None:
        """Stops the watch; where a cluster is shared, removes what was made, held by finalizers or not."""
        if self._journeys is not None:
            self.driver.follow(None)
        for watch in self.watches:
            watch.stop()
        if not self.names.marker:
            return
        for path in reversed(self._made):
            answer = self.api.call("GET", path)
            if answer.accepted and get(answer.object, "metadata.finalizers"):
                body = {"metadata": {"finalizers": None}}
                self.api.call("PATCH", path, body=body, content_type="application/merge-patch+json")
            if answer.accepted:
                self.api.call("DELETE", path, options={"gracePeriodSeconds": "0", "propagationPolicy": "Background"})

    def _note_creation(self, answer: Answer) -> None:
        if answer.code != 201 or not self.names.marker:
            return
        obj = answer.object
        try:
            kind = kinds.named(str(obj.get("kind")), str(obj.get("apiVersion", "")))
        except kinds.UnknownKind:
            return
        metadata = obj.get("metadata") or {}
        if metadata.get("name"):
            self._made[kind.path(metadata.get("namespace", ""), quote(metadata["name"], safe=""))] = None


class Watch:
    """A watch that a scenario keeps, across interruptions. `events` are (type, object) in order, bookmarks apart."""

    def __init__(self, world: World, path: str, options: Mapping[str, str]):
        self._world = world
        self._path = path
        self._options = dict(options)
        self._accept = world.accept
        self.before: list[Object] = []  # what there was when it began, where it began with that
        self._past: list[Object] = []  # events of the streams before this one
        self._stream: Watching | None = None
        self.refusal: Answer | None = None

    def start(self, version: str | None) -> None:
        options = dict(self._options)
        if version is not None:
            options["resourceVersion"] = version
        begun = self._world.driver.api(self._world.token).watch(self._path, options, self._accept)
        if isinstance(begun, Answer):
            self.refusal = begun
        else:
            self._stream = begun

    def stop(self) -> None:
        if self._stream is not None:
            self._past = self._all
            self._stream.stop()
            self._stream = None

    def resume(self) -> None:
        """Break the stream off and go on after the last event."""
        self._world.driver.settle()
        self.stop()
        versions = [get(event, "object.metadata.resourceVersion") for event in self._past]
        if not versions:
            raise AssertionError("the watch has delivered nothing to resume from")
        self.start(versions[-1])

    @property
    def _all(self) -> list[Object]:
        lines = self._stream.lines if self._stream is not None else []
        return self._past + [self._world.plain(json.loads(line)) for line in lines if line.strip()]

    @property
    def all_events(self) -> list[tuple[str, Object]]:
        return [(event["type"], event["object"]) for event in self._all]

    @property
    def events(self) -> list[tuple[str, Object]]:
        return [event for event in self.all_events if event[0] != "BOOKMARK"]

    @property
    def bookmarks(self) -> list[Object]:
        return [event["object"] for event in self._all if event["type"] == "BOOKMARK"]

    @property
    def ended(self) -> bool:
        return self._stream is None or self._stream.ended


def _crossing(crossing: Crossing) -> Object:
    return {**crossing._asdict(), "outer": list(crossing.outer)}


def template(kind: Kind) -> Object:
    """The smallest valid object of a kind: features/manifests/<kind>.yaml, or nothing but its kind."""
    bare: Object = {"apiVersion": kind.api_version, "kind": kind.kind}
    path = paths.features_dir() / "manifests" / f"{kind.kind.lower()}.yaml"
    if not path.is_file():
        return bare
    return merge(bare, _mapping(from_yaml(path.read_text(encoding="utf-8"))))


def manifest_file(name: str) -> list[Object]:
    """The objects of a named file below features/manifests."""
    path = paths.features_dir() / "manifests" / name
    if not re.fullmatch(r"[\w.-]+", name) or not path.is_file():
        raise Misused(f"there is no file features/manifests/{name}")
    return [_mapping(document) for document in all_from_yaml(path.read_text(encoding="utf-8"))]


def set_fields(obj: Object, table: list[list[str]] | None) -> Object:
    """The object with the fields of a table | field | value | set; `(absent)` removes."""
    for row in rows(table, "field", "value") if table else ():
        obj = put(obj, row["field"], cell_value(row["value"]))
    return obj


def objects_of_table(kind: Kind, table: list[list[str]]) -> Iterable[tuple[str, str, Object]]:
    """(name, namespace, object) of a table whose columns are name, namespace, labels and fields; empty cells are unset.

    A cell of the column `labels` is written "app=web, tier=front".
    """
    for row in rows(table, "name"):
        obj = merge(template(kind), {"metadata": {"name": row["name"]}})
        for column, cell in row.items():
            if column == "labels" and cell:
                pairs = dict(pair.strip().split("=", 1) for pair in cell.split(","))
                obj = put(obj, "metadata.labels", pairs)
            elif column not in ("name", "namespace", "labels") and cell:
                obj = put(obj, column, cell_value(cell))
        yield row["name"], row.get("namespace", ""), obj


def require(holds: object, message: str | Callable[[], str]) -> None:
    """An expectation. Not an assert statement, which an optimising interpreter would leave out."""
    if not holds:
        raise AssertionError(message() if callable(message) else message)


def _mapping(value: Any) -> Object:
    if not isinstance(value, dict):
        raise Misused("the manifest is not a mapping")
    return value


__all__ = ["ABSENT", "CODES", "SOON", "Misused", "Watch", "World", "require"]
