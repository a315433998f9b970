"""Fuzzed requests against the API server: `python ci/fuzz.py --requests 2000 [--seed S] [--served]`.

What has to hold whatever is sent: no answer of 5xx, no exception, no request that takes long; a refusal is a Status
whose code is the answer's; what was refused changed nothing; what is stored can be read, is listed, and can be put
back as it is without becoming another version; watches tell exactly what happened. The one 5xx that is allowed is
upstream's own 504 for a resourceVersion that is yet to come, and its 503 for a node without a kubelet to be asked.

In process by default, where each request is checked against the store itself; with --served over HTTPS. Requests are
made by `fuzz_requests`; the seed is printed. A failing request is cut down and printed. Exit code 1 if one failed.
"""

from __future__ import annotations

import argparse
import http.client
import random
import re
import signal
import ssl
import sys
import time
import traceback
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import orjson
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from refkube.api import schema  # noqa: E402
from refkube.api.kinds import by_api_version  # noqa: E402
from refkube.apimachinery.rest import HttpRequest  # noqa: E402
from refkube.cluster import Cluster  # noqa: E402
from refkube.registry.conversion import storage_kind  # noqa: E402
from refkube.store.kv import Event  # noqa: E402

from ci.fuzz_requests import NAMESPACES, Generator, Place, Sent, Surface  # noqa: E402
from ci.server import refkube_server  # noqa: E402

SLOWEST = 5.0  # seconds that one request may take
SHRINKING = 300  # attempts to make a failing request smaller
MOST_TOLD = 20  # different failures that are printed
SWEEP = 1000  # requests between two looks at everything that is stored
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"


def main() -> int:
    parser = argparse.ArgumentParser(description="Send fuzzed requests to the API server.")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--served", action="store_true", help="over HTTPS, against refkube serve")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"fuzz: seed {seed}, {asked.requests} requests{' over HTTPS' if asked.served else ' in process'}", flush=True)
    began = time.monotonic()
    with _target(asked.served, seed) as target:
        fuzz = Fuzz(target, seed)
        for _ in range(asked.requests):
            fuzz.step()
        fuzz.finish()
        stored = fuzz.stored()
    answers = ", ".join(f"{count} x {code}" for code, count in sorted(fuzz.codes.items()))
    print(f"fuzz: {answers}; {stored} objects stored at the end; {time.monotonic() - began:.1f} s")
    print(f"fuzz: {len(fuzz.failures)} failures" + (f" (seed {seed})" if fuzz.failures else ""))
    return 1 if fuzz.failures else 0


class Answer:
    """What came back. `events` are the first lines of a watch."""

    def __init__(self, code: int, kind: str, body: bytes, events: list[bytes] | None = None):
        self.code = code
        self.kind = kind
        self.body = body
        self.events = events

    def object(self) -> Any:
        return yaml.safe_load(self.body) if "yaml" in self.kind else orjson.loads(self.body)


class Target(Protocol):
    token: str
    alone: bool  # nobody else writes while a request is made

    def send(self, sent: Sent) -> Answer: ...

    def revision(self) -> int: ...

    def bugs(self) -> list[BaseException]:
        """Exceptions since the last call."""
        ...

    def follow(self, path: str) -> Callable[[], list[bytes]]:
        """Watch a collection from now on; the lines so far."""
        ...

    def happened(self, api_version: str, kind: str) -> list[tuple[str, int]] | None:
        """The store's own account of a kind: ADDED, MODIFIED or DELETED, and the revision. None if it is not known."""
        ...

    def idle(self, seconds: float) -> None: ...


class Fuzz:
    """One run: `step` sends a request and checks what must hold after it, `finish` what must hold at the end."""

    def __init__(self, target: Target, seed: int):
        self._target = target
        self.codes: Counter[int] = Counter()
        self.failures: set[str] = set()
        self._admin = {"authorization": f"Bearer {target.token}"}
        surface = Surface(self._get)
        self._generator = Generator(seed, surface, target.token)
        self._items = {_everywhere(collection): place for collection, place in surface.items.items()}
        self._kinds = {collection: surface.gvk(place.schema) for collection, place in self._items.items()}
        self._count = 0
        self._first = {c: self._versions(c) for c, place in self._items.items() if "PUT" in place.methods}
        self._follow = {c: target.follow(c) for c, place in self._items.items() if "PUT" in place.methods}
        for name in NAMESPACES[2:]:
            body = orjson.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            headers = {**self._admin, "content-type": "application/json"}
            target.send(Sent("POST", "/api/v1/namespaces", "", headers, body))

    def step(self) -> None:
        self._count += 1
        sent = self._generator.next()
        before = self._target.revision()
        wrong, answer = self._tried(sent)
        self.codes[answer.code] += 1
        if wrong:
            self._fail(wrong, self._smaller(sent, wrong))
            return
        self._check_unchanged(sent, answer, before)
        if answer.code < 300 and sent.method in ("POST", "PUT", "PATCH", "DELETE") and b"kind" in answer.body:
            self._follow_write(sent, answer)
        if self._count % 97 == 0:
            self._target.idle(3.0)
        if self._count % SWEEP == 0:
            self._sweep()

    def finish(self) -> None:
        self._sweep()
        self._target.idle(1.0)
        for collection, lines in self._follow.items():
            self._check_story(
                collection, [event for event in map(orjson.loads, lines()) if event["type"] != "BOOKMARK"]
            )

    def stored(self) -> int:
        return sum(len(self._get(collection)["items"]) for collection in self._follow)

    # What must hold after each request

    def _tried(self, sent: Sent) -> tuple[str, Answer]:
        """What is wrong with the answer, in words that are the same for the same fault, "" if nothing is."""
        began = time.monotonic()
        with _bounded(4 * SLOWEST):
            answer = self._target.send(sent)
        if time.monotonic() - began > SLOWEST:
            return f"slow: longer than {SLOWEST:.0f} s", answer
        bugs = self._target.bugs()
        if bugs:
            frame = traceback.extract_tb(bugs[0].__traceback__)[-1]
            return f"{type(bugs[0]).__name__} in {Path(frame.filename).name}:{frame.lineno}: {bugs[0]}"[:300], answer
        return _fault(sent, answer), answer

    def _check_unchanged(self, sent: Sent, answer: Answer, before: int) -> None:
        """Refusals, reading and dry runs leave no trace."""
        if not self._target.alone or self._target.revision() == before:
            return
        dry = "dryRun=All" in sent.query and not (sent.method == "DELETE" and sent.body)  # a body replaces the query
        if sent.method in ("GET", "HEAD", "OPTIONS") or dry:
            self._fail(f"a {sent.method} that may not write wrote", sent)
        elif answer.code >= 400 and _everywhere(sent.path) not in self._items:
            # of a collection some may be deleted before one cannot be
            self._fail(f"a {sent.method} that was refused with {answer.code} wrote", sent)

    def _follow_write(self, sent: Sent, answer: Answer) -> None:
        """From the answer to a write to what is stored."""
        try:
            obj = answer.object()
            meta = obj["metadata"]
        except (ValueError, yaml.YAMLError, KeyError, TypeError):
            self._fail("the answer to a write is no object", sent)
            return
        path = sent.path
        if sent.method == "POST" and self._place(path) is None and "name" in meta:
            path = f"{path}/{quote(meta['name'], safe='')}"
        place = self._place(path)
        if place is not None and "PUT" in place.methods:
            kept = self._target.send(Sent("GET", path, "", self._admin))
            if kept.code == 404:
                self._generator.learn(path, None)
            else:
                self._check_kept(path, place, kept, sent)

    def _check_kept(self, path: str, place: Place, kept: Answer, sent: Sent | None = None) -> None:
        """What is stored can be read, is right by its type, and stays the same version when put back as it is."""
        if kept.code != 200:
            self._fail(f"what is stored cannot be read: {kept.code}", sent, path.encode())
            return
        obj = orjson.loads(kept.body)
        self._generator.learn(path, obj)
        try:
            unknown = schema.decode_as(obj, place.schema).unknown
        except Exception as why:
            unknown = [str(why)]
        if unknown:
            self._fail(f"{place.schema}: what is stored does not fit its type: {unknown[:3]}", sent, kept.body)
        again = self._target.send(Sent("PUT", path, "", {**self._admin, "content-type": "application/json"}, kept.body))
        for bug in self._target.bugs():
            self._fail(f"what is stored cannot be put back: {bug!r}", sent, kept.body)
        if again.body != kept.body and not self._target.alone:
            newer = self._target.send(Sent("GET", path, "", self._admin))
            if again.code in (404, 409) or newer.code == 404 or newer.body not in (kept.body, again.body):
                return  # a controller was faster
        if again.code != 200:
            why = orjson.loads(again.body)["message"]
            self._fail(f"{place.schema}: what is stored cannot be put back: {again.code} {why}", sent, kept.body)
        elif again.body != kept.body:
            told = f"{place.schema}: what is put back as it is becomes something else"
            self._fail(told, sent, kept.body + b"\n  -> " + again.body)

    def _place(self, path: str) -> Place | None:
        collection, _, name = path.rpartition("/")
        place = self._items.get(_everywhere(collection))
        return place if place is not None and name and place.namespaced == ("/namespaces/" in collection) else None

    # What must hold of all that is stored

    def _sweep(self) -> None:
        for collection in self._follow:
            place = self._items[collection]
            for obj in self._get(collection)["items"]:
                meta = obj["metadata"]
                path = place.template.format(name=quote(meta["name"], safe=""), namespace=meta.get("namespace"))
                kept = self._target.send(Sent("GET", path, "", self._admin))
                api_version, kind = self._kinds[collection]
                if kept.code == 404 and not self._target.alone:
                    continue
                same = self._target.alone or orjson.loads(kept.body)["metadata"] == meta
                if (
                    kept.code == 200
                    and same
                    and orjson.loads(kept.body) != {**obj, "apiVersion": api_version, "kind": kind}
                ):
                    self._fail(f"{place.schema}: listed otherwise than read", None, orjson.dumps(obj) + kept.body)
                self._check_kept(path, place, kept)

    def _check_story(self, collection: str, events: list[Any]) -> None:
        """What a watch told is what happened, and leads to what is there."""
        there = dict(self._first[collection])
        last = 0
        for event in events:
            meta = event["object"]["metadata"]
            key, revision = f"{meta.get('namespace', '')}/{meta['name']}", int(meta["resourceVersion"])
            known = key in there
            if revision <= last or known != (event["type"] != "ADDED"):
                self._fail(f"{collection}: the watch tells {event['type']} of {key} at {revision} after {last}", None)
            last = revision
            there.pop(key, None)
            if event["type"] != "DELETED":
                there[key] = meta["resourceVersion"]
        now = self._versions(collection)
        if now != there and (self._target.alone or max(map(int, now.values()), default=0) <= last):
            self._fail(f"{collection}: the watch leads to {there}, the list shows {now}", None)
        happened = self._target.happened(*self._kinds[collection])
        if happened is not None:
            told = [(event["type"], int(event["object"]["metadata"]["resourceVersion"])) for event in events]
            if told != happened:
                self._fail(f"{collection}: the watch tells {len(told)} events, the store {len(happened)}", None)

    def _versions(self, collection: str) -> dict[str, str]:
        """The resourceVersion of everything in a collection, by namespace/name."""
        metas = [obj["metadata"] for obj in self._get(collection)["items"]]
        return {f"{meta.get('namespace', '')}/{meta['name']}": meta["resourceVersion"] for meta in metas}

    # Failures

    def _fail(self, wrong: str, sent: Sent | None, more: bytes = b"") -> None:
        fault = re.sub(r'"[^"]*"|[0-9]+', "_", wrong)
        if fault in self.failures:
            return
        self.failures.add(fault)
        if len(self.failures) <= MOST_TOLD:
            print(f"FAILED at request {self._count}: {wrong}", flush=True)
            if sent is not None:
                print(f"  {sent.told()}")
            if more:
                print(f"  {more[:4000].decode(errors='replace')}")

    def _smaller(self, sent: Sent, wrong: str) -> Sent:
        """The request with everything left out that the fault does not need."""
        attempts = SHRINKING
        smaller = True
        while smaller:
            smaller = False
            for candidate in _parts_left_out(sent):
                attempts -= 1
                if attempts < 0:
                    return sent
                if self._tried(candidate)[0] == wrong:
                    sent, smaller = candidate, True
                    break
        return sent

    def _get(self, path: str) -> Any:
        bare, _, query = path.partition("?")
        answer = self._target.send(Sent("GET", bare, query, self._admin))
        if answer.code != 200:
            raise RuntimeError(f"GET {path}: {answer.code} {answer.body[:300]!r}")
        return orjson.loads(answer.body)


def _fault(sent: Sent, answer: Answer) -> str:
    future = b"ResourceVersionTooLarge" in answer.body or (sent.method == "HEAD" and "resourceVersion" in sent.query)
    told = (b"error trying to reach service", b"error dialing backend")
    unreached = answer.code in (500, 503) and (any(why in answer.body for why in told) or sent.method == "HEAD")
    if answer.code >= 500 and not (answer.code == 504 and future) and not unreached:
        return f"answer {answer.code}: {answer.body[:200]!r}"
    if answer.events is not None:
        return next(filter(None, map(_fault_of_event, answer.events)), "")
    if answer.code < 400:
        return f"answer {answer.code}" if answer.code >= 300 and answer.code != 304 else ""
    if sent.method == "HEAD":
        return ""
    if answer.code == 404 and answer.body == b"404 page not found\n":
        return ""  # below no group and version that is served
    if answer.code == 400 and answer.body == b"Invalid HTTP request received.":
        return ""  # it did not come as far as the API
    return _fault_of_status(answer.code, answer.body)


def _fault_of_status(code: int, body: bytes) -> str:
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return f"a {code} without a Status: {body[:200]!r}"
    if not isinstance(status, dict) or (status.get("kind"), status.get("apiVersion")) != ("Status", "v1"):
        return f"a {code} without a Status: {body[:200]!r}"
    if status.get("code") != code or status.get("status") != "Failure":
        return f"a {code} whose Status says {status.get('code')}"
    if not status.get("message") or not status.get("reason"):
        return f"a {code} whose Status has no message or no reason"
    if not schema.validator(STATUS)(status):
        return f"a {code} whose Status does not fit its type"
    failed_patch = "JSON patch" in status["message"] or "rejected our request" in status["message"]
    if code == 422 and not failed_patch and not status.get("details", {}).get("causes"):
        return "a 422 without causes"
    return ""


def _fault_of_event(line: bytes) -> str:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return f"a watch event that is no JSON: {line[:200]!r}"
    if event.get("type") == "ERROR":
        return _fault_of_status(event["object"].get("code", 0), orjson.dumps(event["object"]))
    if event.get("type") not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK") or not isinstance(event["object"], dict):
        return f"a watch event of no kind: {line[:200]!r}"
    return ""


def _parts_left_out(sent: Sent) -> Iterator[Sent]:
    """The request without one of its parts at a time."""
    if sent.query:
        pairs = sent.query.split("&")
        for index in range(len(pairs)):
            yield replace(sent, query="&".join(pairs[:index] + pairs[index + 1 :]))
    for name in sent.headers:
        if name != "authorization":
            yield replace(sent, headers={key: value for key, value in sent.headers.items() if key != name})
    try:
        body = orjson.loads(sent.body)
    except orjson.JSONDecodeError:
        half = len(sent.body) // 2
        if half:
            yield replace(sent, body=sent.body[:half])
            yield replace(sent, body=sent.body[half:])
        return
    for smaller in _values_left_out(body):
        yield replace(sent, body=orjson.dumps(smaller))


def _values_left_out(value: Any) -> Iterator[Any]:
    """The value without one key or element, the outer ones first."""
    if isinstance(value, dict):
        for key in value:
            yield {name: kept for name, kept in value.items() if name != key}
        for key, inner in value.items():
            for smaller in _values_left_out(inner):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value[:index] + value[index + 1 :]
        for index, inner in enumerate(value):
            for smaller in _values_left_out(inner):
                yield [*value[:index], smaller, *value[index + 1 :]]


def _everywhere(collection: str) -> str:
    """The collection's path over all namespaces."""
    return re.sub(r"^(/api/v1|/apis/[^/]+/[^/]+)/namespaces/[^/]+(?=/[^/]+$)", r"\1", collection)


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """A request that hangs is interrupted by an exception."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"a request takes longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _target(served: bool, seed: int) -> Iterator[Target]:
    if served:
        with refkube_server("--memory") as server:
            yield Served(server.kubeconfig)
    else:
        target = InProcess(seed)
        yield target
        target.cluster.close()


class InProcess:
    """A cluster of its own, in virtual time, asked through the HTTP front without a socket."""

    alone = True

    def __init__(self, seed: int):
        self._bugs: list[BaseException] = []
        self.cluster = Cluster(seed=seed, on_error=lambda bug, what: self._bugs.append(bug))
        self.token = self.cluster.admin_token
        self._events: list[Event] = []
        self.cluster.store.watch("/", "0", 0, self._events.extend)

    def send(self, sent: Sent) -> Answer:
        # as a socket would give it: no fragment, no header with line breaks
        answer = self.cluster.http(HttpRequest(sent.method, sent.path, sent.query, sent.headers, sent.body))
        kind = answer.header("content-type")
        if answer.stream is None:
            return Answer(answer.status, kind, answer.body)
        lines: list[bytes] = []
        answer.stream.start(lines.append, lambda: None)
        answer.stream.stop()
        return Answer(answer.status, kind, b"", lines)

    def revision(self) -> int:
        return self.cluster.store.revision

    def bugs(self) -> list[BaseException]:
        found, self._bugs = self._bugs, []
        return found

    def follow(self, path: str) -> Callable[[], list[bytes]]:
        headers = {"authorization": f"Bearer {self.token}"}
        query = f"watch=1&resourceVersion={self.revision()}"
        stream = self.cluster.http(HttpRequest("GET", path, query, headers)).stream
        assert stream is not None
        lines: list[bytes] = []
        stream.start(lines.append, lambda: lines.append(b'{"type":"CLOSED","object":{}}'))
        return lambda: lines

    def happened(self, api_version: str, kind: str) -> list[tuple[str, int]] | None:
        served = by_api_version(api_version, kind)
        assert served is not None
        stored = storage_kind(served)
        found = []
        for event in self._events:
            value = event.kv.value or (event.prev.value if event.prev else {})
            if (value.get("apiVersion"), value.get("kind")) == (stored.api_version, stored.kind):
                change = "DELETED" if event.type == "DELETE" else "MODIFIED" if event.prev else "ADDED"
                found.append((change, event.kv.mod_revision))
        return found

    def idle(self, seconds: float) -> None:
        self.cluster.loop.run_for(seconds)


class Served:
    """`refkube serve`, over HTTPS, while its controllers are at work."""

    alone = False

    def __init__(self, kubeconfig: Path):
        told = yaml.safe_load(kubeconfig.read_text())
        cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
        self.token = user["token"]
        authority = b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._address = urlsplit(cluster["server"])
        self._link: http.client.HTTPSConnection | None = None

    def send(self, sent: Sent) -> Answer:
        for attempt in (1, 2):
            try:
                return self._sent(sent)
            except (http.client.HTTPException, OSError) as why:
                self._close()
                if attempt == 2:
                    return Answer(599, "", f"no answer: {why!r}".encode())
        raise AssertionError

    def _sent(self, sent: Sent) -> Answer:
        link = self._opened()
        target = sent.path + ("?" + sent.query if sent.query else "")
        target = "".join(c if " " < c < "\x7f" else quote(c) for c in target)
        link._validate_path = lambda url: None  # type: ignore[attr-defined]
        link.putrequest(sent.method, target, skip_accept_encoding=True)
        for name, value in sent.headers.items():
            if value.isprintable():
                link.putheader(name, value.encode("utf-8"))
        if sent.body or sent.method in ("POST", "PUT", "PATCH"):
            link.putheader("content-length", str(len(sent.body)))
        link.endheaders(sent.body or None)
        answer = link.getresponse()
        kind = answer.getheader("content-type") or ""
        if answer.getheader("transfer-encoding") == "chunked":
            return Answer(answer.status, kind, b"", self._first_lines(answer))
        body = answer.read()
        if answer.will_close or sent.method not in METHODS:
            self._close()
        return Answer(answer.status, kind, body)

    def _opened(self) -> http.client.HTTPSConnection:
        if self._link is None:
            self._link = http.client.HTTPSConnection(
                self._address.hostname or "", self._address.port, context=self._context, timeout=2 * SLOWEST
            )
        return self._link

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _first_lines(self, answer: http.client.HTTPResponse) -> list[bytes]:
        """What a watch tells at once; then the connection is dropped."""
        assert self._link is not None
        assert self._link.sock is not None
        self._link.sock.settimeout(0.02)
        lines = []
        try:
            while line := answer.readline():
                lines.append(line)
        except (OSError, http.client.HTTPException):
            pass
        self._close()
        return [line for line in lines if line.endswith(b"\n")]

    def revision(self) -> int:
        """The last one that any write got: a list of what nobody has is told it."""
        answer = self.send(Sent("GET", "/api/v1/nodes", "limit=1&fieldSelector=metadata.name%3D-", self._admin()))
        return int(orjson.loads(answer.body)["metadata"]["resourceVersion"])

    def bugs(self) -> list[BaseException]:
        return []

    def follow(self, path: str) -> Callable[[], list[bytes]]:
        began = self.revision()

        def lines() -> list[bytes]:
            """Everything since then: watched at the end, for the server keeps it."""
            query = f"watch=1&resourceVersion={began}&timeoutSeconds=1"
            link = http.client.HTTPSConnection(self._address.hostname or "", self._address.port, context=self._context)
            link.request("GET", f"{path}?{query}", headers=self._admin())
            return [line for line in link.getresponse().read().split(b"\n") if line]

        return lines

    def happened(self, api_version: str, kind: str) -> list[tuple[str, int]] | None:
        return None

    def idle(self, seconds: float) -> None:
        pass

    def _admin(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


if __name__ == "__main__":
    sys.exit(main())
