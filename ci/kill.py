"""Kill `refkube serve` under load, again and again: `python ci/kill.py --store sqlite|etcd --rounds N [--seed S]`.

Writers create, update, patch and delete ConfigMaps over HTTPS and note each answer; watchers follow, and after each
break resume from the last resourceVersion that they saw. At seeded moments the server is killed with SIGKILL and
started again on its data and port; with etcd behind it, etcd is killed in some rounds too, with the server or alone.

At the end the whole history, watched from the beginning, is held against what was noted: every acknowledged write is
in it, in order, with its resourceVersion; nothing is in it that nobody asked for; what is stored is what it leads to;
every watcher saw exactly it. Exit code 1 and what is wrong, if anything is.
"""

from __future__ import annotations

import argparse
import http.client
import random
import signal
import ssl
import sys
import tempfile
import threading
import time
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ci.etcd import EtcdServer, etcd_server, missing  # noqa: E402
from ci.server import Server  # noqa: E402

NAMESPACES = ("kill-a", "kill-b")
WRITERS, OBJECTS = 4, 6  # per writer
LOAD = (0.15, 0.9)  # seconds from one kill to the next
PATIENCE = 20.0  # seconds for a server to answer again, and for a watcher to catch up
CONTROLLERS = "/kube-root-ca.crt"  # what controllers write, partly before the trial begins
COUNTER = f"/api/v1/namespaces/{NAMESPACES[0]}/configmaps/counter"

JSON, MERGE = "application/json", "application/merge-patch+json"


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill refkube serve under write load, and look for what is lost.")
    parser.add_argument("--store", choices=("sqlite", "etcd"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args()
    if asked.store == "etcd" and missing():
        print(f"kill: {missing()}", file=sys.stderr)
        return 3
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"kill: seed {seed}, {asked.store}, {asked.rounds} rounds", flush=True)
    began = time.monotonic()
    with Trial(asked.store, seed) as trial:
        for number in range(1, asked.rounds + 1):
            print(f"round {number}: {trial.round()}", flush=True)
        wrong = trial.verdict()
    for line in wrong[:20]:
        print(f"VIOLATION {line}")
    print(f"kill: {trial.summary()}; {time.monotonic() - began:.1f} s")
    print(f"kill: {len(wrong)} violations" + (f" (seed {seed})" if wrong else ""))
    return 1 if wrong else 0


class Seen(NamedTuple):
    """One event of a watch."""

    revision: int
    type: str
    key: str  # namespace/name
    value: str


@dataclass
class Try:
    """One write that was sent. `outcome` is acknowledged, refused, or unknown where no answer, or a 5xx, came."""

    deletes: bool
    value: str
    outcome: str = "unknown"
    revision: int = 0


class Api:
    """One keep-alive connection with the credentials of the first kubeconfig, which have to stay good."""

    def __init__(self, kubeconfig: Path):
        told = yaml.safe_load(kubeconfig.read_text())
        cluster = told["clusters"][0]["cluster"]
        self._context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        self._address = urlsplit(cluster["server"])
        self._headers = {"authorization": f"Bearer {told['users'][0]['user']['token']}"}
        self._link: http.client.HTTPSConnection | None = None

    @property
    def port(self) -> int:
        assert self._address.port is not None
        return self._address.port

    def connect(self) -> None:
        if self._link is None:
            link = self._connected(PATIENCE)
            link.connect()
            self._link = link

    def call(self, method: str, path: str, body: Any = None, media: str = JSON) -> tuple[int, Any]:
        """Code and decoded body. Raises OSError or HTTPException where there is no whole answer."""
        self.connect()
        assert self._link is not None
        try:
            content = None if body is None else orjson.dumps(body)
            self._link.request(method, path, content, {**self._headers, "content-type": media})
            answer = self._link.getresponse()
            return answer.status, orjson.loads(answer.read())
        except BaseException:
            self.close()
            raise

    def watch(self, path: str, revision: int, seconds: int) -> Iterator[dict[str, Any]]:
        """Events after a revision, until the server ends it or the connection breaks."""
        link = self._connected(seconds + PATIENCE)
        try:
            query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={revision}"
            link.request("GET", f"{path}?{query}", headers=self._headers)
            answer = link.getresponse()
            if answer.status != 200:
                raise http.client.HTTPException(f"{answer.status} {answer.read()[:200]!r}")
            while line := answer.readline():
                if line.endswith(b"\n"):
                    yield orjson.loads(line)
        finally:
            link.close()

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _connected(self, timeout: float) -> http.client.HTTPSConnection:
        host = self._address.hostname or ""
        return http.client.HTTPSConnection(host, self._address.port, context=self._context, timeout=timeout)


class Writer(threading.Thread):
    """Writes objects that are its own, one after another, and counts up one that all share."""

    def __init__(self, number: int, api: Api, seed: int, stop: threading.Event):
        super().__init__(name=f"writer {number}", daemon=True)
        self._api = api
        self._chance = random.Random(seed)
        self._stop_asked = stop
        self._number = number
        self._count = 0
        self.tries: dict[str, list[Try]] = defaultdict(list)  # by key, in the order sent
        self.counted: list[tuple[int, int]] = []  # acknowledged: the counter, its revision
        self._versions: dict[str, int] = {}  # as far as the writer knows; 0: gone
        self.broken = ""

    def run(self) -> None:
        try:
            while not self._stop_asked.is_set():
                try:
                    if self._chance.random() < 0.1:
                        self._count_up()
                    else:
                        self._write()
                except (OSError, http.client.HTTPException, orjson.JSONDecodeError):
                    self._stop_asked.wait(0.02)  # the server is away
        except Exception as bug:
            self.broken = f"{self.name} broke: {bug!r}"

    def _write(self) -> None:
        self._api.connect()
        namespace = self._chance.choice(NAMESPACES)
        name = f"w{self._number}-{self._chance.randrange(OBJECTS)}"
        key, collection = f"{namespace}/{name}", f"/api/v1/namespaces/{namespace}/configmaps"
        known = self._versions.get(key, 0)
        self._count += 1
        value = f"{self._number}.{self._count}"
        data = {"value": value, "again": value}
        meta: dict[str, Any] = {"name": name}
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        what = self._chance.random()
        deletes = bool(known) and what > 0.8
        sent = Try(deletes, value)
        self.tries[key].append(sent)
        if deletes:
            code, answer = self._api.call("DELETE", f"{collection}/{name}")
        elif not known:
            code, answer = self._api.call("POST", collection, obj)
        elif what < 0.35:
            meta["resourceVersion"] = str(known)
            code, answer = self._api.call("PUT", f"{collection}/{name}", obj)
        elif what < 0.5:
            code, answer = self._api.call("PUT", f"{collection}/{name}", obj)
        else:
            code, answer = self._api.call("PATCH", f"{collection}/{name}", {"data": data}, MERGE)
        if code < 300:
            sent.outcome = "acknowledged"
            sent.revision = 0 if deletes else int(answer["metadata"]["resourceVersion"])
            self._versions[key] = sent.revision
        elif code < 500:
            sent.outcome = "refused"  # an earlier write of unknown outcome happened, or did not
            code, answer = self._api.call("GET", f"{collection}/{name}")
            if code in (200, 404):
                self._versions[key] = int(answer["metadata"]["resourceVersion"]) if code == 200 else 0

    def _count_up(self) -> None:
        """One more, on condition that nobody else did it in between."""
        code, obj = self._api.call("GET", COUNTER)
        if code != 200:
            return
        number = int(obj["data"]["value"]) + 1
        data = {"value": str(number), "again": str(number)}
        code, answer = self._api.call("PUT", COUNTER, {**obj, "data": data})
        if code == 200:
            self.counted.append((number, int(answer["metadata"]["resourceVersion"])))


class Watcher(threading.Thread):
    """Follows a collection from a revision on, over every break."""

    def __init__(self, number: int, api: Api, path: str, revision: int, seed: int, stop: threading.Event):
        super().__init__(name=f"watcher {number} of {path}", daemon=True)
        self.path = path
        self._api = api
        self._chance = random.Random(seed)
        self._stop_asked = stop
        self.last = revision
        self.seen: list[Seen] = []
        self.resumed = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                for event in self._api.watch(self.path, self.last, self._chance.choice((1, 2, 30))):
                    self._note(event)
                    if self._stop_asked.is_set():
                        return
                self.resumed += 1
            except (OSError, http.client.HTTPException, orjson.JSONDecodeError):
                self.resumed += 1
                self._stop_asked.wait(0.02)

    def _note(self, event: dict[str, Any]) -> None:
        if event["type"] == "ERROR":
            if not self._is_compacted():
                self.wrong.append(f"{self.name} is refused at {self.last}: {event['object'].get('message')}")
            raise http.client.HTTPException("refused")
        revision = int(event["object"]["metadata"]["resourceVersion"])
        if event["type"] == "BOOKMARK":
            if revision < self.last:
                self.wrong.append(f"{self.name}: a bookmark goes back from {self.last} to {revision}")
        else:
            if revision <= self.last:
                self.wrong.append(f"{self.name}: {revision} comes after {self.last}")
            self.seen.append(_seen(event))
        self.last = max(self.last, revision)

    def _is_compacted(self) -> bool:
        """Whether a list, too, finds the revision gone."""
        query = f"resourceVersion={self.last}&resourceVersionMatch=Exact&limit=1"
        return self._api.call("GET", f"{self.path}?{query}")[0] == 410


class Trial:
    """A server, its load, and what was noted of both."""

    def __init__(self, store: str, seed: int):
        self._chance = random.Random(seed)
        self._exits = ExitStack()
        self._etcd: EtcdServer | None = self._exits.enter_context(etcd_server()) if store == "etcd" else None
        self._directory = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="refkube-kill-")))
        self._options = ("--etcd", self._etcd.url) if self._etcd else ()
        self._server = Server(self._directory, *self._options)
        self._kubeconfig = self._server.kubeconfig.read_bytes()
        self._api = self._new_api()
        self._port = self._api.port
        self._writing, self._watching = threading.Event(), threading.Event()
        self._wrong: list[str] = []
        self._highest = 0
        for name in NAMESPACES:
            self._made("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        counter = {"metadata": {"name": "counter"}, "data": {"value": "0", "again": "0"}}
        self._first = int(self._made(COUNTER.rpartition("/")[0], counter)["metadata"]["resourceVersion"])
        paths = ("/api/v1/configmaps", *(f"/api/v1/namespaces/{name}/configmaps" for name in NAMESPACES))
        self._watchers = [
            Watcher(number, self._new_api(), path, self._first, self._chance.getrandbits(32), self._watching)
            for number, path in enumerate((*paths, paths[0]))
        ]
        self._writers = [
            Writer(number, self._new_api(), self._chance.getrandbits(32), self._writing) for number in range(WRITERS)
        ]
        for thread in (*self._watchers, *self._writers):
            thread.start()

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._writing.set()
        self._watching.set()
        self._server.stop(signal.SIGKILL)
        self._exits.close()

    def round(self) -> str:
        """Let them work, kill, start again. What was killed, and how far things have come."""
        time.sleep(self._chance.uniform(*LOAD))
        victim = self._chance.choice(("server", "etcd", "both")) if self._etcd else "server"
        began = time.monotonic()
        if victim != "etcd":
            self._server.stop(signal.SIGKILL)
        if victim != "server":
            assert self._etcd is not None
            self._etcd.kill()
            time.sleep(self._chance.uniform(0, 0.1))
            self._etcd.start()
        if victim != "etcd":
            self._server = Server(self._directory, *self._options, port=self._port)
            if self._server.kubeconfig.read_bytes() != self._kubeconfig:
                self._wrong.append("the kubeconfig has changed")
        revision = self._revision()
        if revision < self._highest:
            self._wrong.append(f"resourceVersions went back from {self._highest} to {revision}")
        away = time.monotonic() - began
        return f"killed {victim:<6}  back after {away:.2f} s, at resourceVersion {revision}, {self.summary()}"

    def summary(self) -> str:
        tries = [sent for writer in self._writers for sents in list(writer.tries.values()) for sent in list(sents)]
        told = [sent.outcome for sent in tries]
        resumed = sum(watcher.resumed for watcher in self._watchers)
        counts = ", ".join(f"{told.count(name)} {name}" for name in ("acknowledged", "unknown", "refused"))
        return f"writes {counts}; watches resumed {resumed} times"

    def verdict(self) -> list[str]:
        """Everything that is wrong, after the load has ended."""
        time.sleep(self._chance.uniform(*LOAD))
        self._writing.set()
        for writer in self._writers:
            writer.join(2 * PATIENCE)
        history = self._history()
        wrong = [*self._wrong, *(writer.broken for writer in self._writers if writer.broken)]
        wrong += _out_of_order(history)
        wrong += self._check_watchers(history)
        tries = {key: sents for writer in self._writers for key, sents in writer.tries.items()}
        for key in sorted({event.key for event in history} | set(tries)):
            if key.endswith(CONTROLLERS):
                continue
            events = [event for event in history if event.key == key]
            if key.endswith("/counter"):
                wrong += _miscounted(events, sorted(c for writer in self._writers for c in writer.counted))
            else:
                wrong += _untrue(key, events, tries.get(key, []))
        return wrong + self._check_stored(history)

    def _check_watchers(self, history: list[Seen]) -> list[str]:
        wrong = []
        deadline = time.monotonic() + PATIENCE
        for watcher in self._watchers:
            namespace = watcher.path.split("/")[4] if "/namespaces/" in watcher.path else ""
            expected = [event for event in history if event.key.startswith(namespace + "/" if namespace else "")]
            while expected and watcher.last < expected[-1].revision and time.monotonic() < deadline:
                time.sleep(0.01)
            seen = list(watcher.seen)
            wrong += watcher.wrong
            if seen != expected:
                missed, more = set(expected) - set(seen), set(seen) - set(expected)
                wrong.append(f"{watcher.name} saw {len(seen)} of {len(expected)} events; missed {sorted(missed)[:3]}, ")
                wrong[-1] += f"saw besides {sorted(more)[:3]}"
        self._watching.set()
        return wrong

    def _check_stored(self, history: list[Seen]) -> list[str]:
        there = {event.key: event for event in history}
        expected = {event.key: (event.revision, event.value) for event in there.values() if event.type != "DELETED"}
        items = self._api.call("GET", "/api/v1/configmaps")[1]["items"]
        stored = {}
        for obj in items:
            meta = obj["metadata"]
            stored[f"{meta['namespace']}/{meta['name']}"] = (int(meta["resourceVersion"]), _value_of(obj))
        stored = {key: version for key, version in stored.items() if key in expected or not key.endswith(CONTROLLERS)}
        expected.setdefault(COUNTER.split("/")[4] + "/counter", (self._first, "0"))
        return [] if stored == expected else [f"stored is {stored}, the history leads to {expected}"]

    def _history(self) -> list[Seen]:
        """All that happened, watched anew from the beginning."""
        end = self._revision()
        events: list[Seen] = []
        while True:
            for event in self._api.watch("/api/v1/configmaps", self._first, 1):
                if event["type"] == "ERROR":
                    raise RuntimeError(f"the history is gone: {event['object']}")
                if event["type"] != "BOOKMARK":
                    events.append(_seen(event))
            if self._revision() == end:
                return events
            end, events = self._revision(), []

    def _revision(self) -> int:
        """The present resourceVersion, as soon as the server answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            # what was acknowledged before the question must be in the answer
            tries = [sent for writer in self._writers for sents in list(writer.tries.values()) for sent in list(sents)]
            self._highest = max([self._highest, *(sent.revision for sent in tries)])
            try:
                code, listed = self._api.call("GET", "/api/v1/configmaps?limit=1")
                if code == 200:
                    break
            except (OSError, http.client.HTTPException, orjson.JSONDecodeError):
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server does not answer within {PATIENCE:.0f} s")
            time.sleep(0.02)
        return int(listed["metadata"]["resourceVersion"])

    def _made(self, path: str, obj: dict[str, Any]) -> Any:
        code, answer = self._api.call("POST", path, obj)
        if code != 201:
            raise RuntimeError(f"POST {path}: {code} {answer}")
        return answer

    def _new_api(self) -> Api:
        return Api(self._server.kubeconfig)


def _seen(event: dict[str, Any]) -> Seen:
    obj = event["object"]
    meta = obj["metadata"]
    return Seen(int(meta["resourceVersion"]), event["type"], f"{meta['namespace']}/{meta['name']}", _value_of(obj))


def _value_of(obj: dict[str, Any]) -> str:
    """What a writer wrote; half a write has two values."""
    data = obj.get("data") or {}
    return data.get("value", "") if data.get("value") == data.get("again") else f"half a write: {data}"


def _out_of_order(history: list[Seen]) -> list[str]:
    wrong = []
    there: set[str] = {f"{NAMESPACES[0]}/counter"}
    history = [event for event in history if not event.key.endswith(CONTROLLERS)]
    last = 0
    for event in history:
        if event.revision <= last:
            wrong.append(f"the history goes back from {last} to {event.revision}")
        if (event.key in there) != (event.type != "ADDED"):
            wrong.append(f"{event} does not follow from what was before")
        (there.discard if event.type == "DELETED" else there.add)(event.key)
        last = event.revision
    return wrong


def _untrue(key: str, events: list[Seen], tries: list[Try]) -> list[str]:
    """Each event is a write that was sent, in order, and no acknowledged write is passed over.

    Deletions look alike, so which of them an event tells may be open: all that is possible is followed.
    """
    ways = {0}  # how many of the tries are over by now
    for event in events:
        after = {at + 1 for way in ways for at in _may_be_next(tries, way) if _is_told_by(tries[at], event)}
        if not after:
            due = next((sent for sent in tries[min(ways) :] if sent.outcome == "acknowledged"), None)
            return [f"{key}: {event} is not what comes next; the next acknowledged write is {due}"]
        ways = after
    left = [[sent for sent in tries[way:] if sent.outcome == "acknowledged"] for way in ways]
    return [] if [] in left else [f"{key}: the acknowledged write {left[0][0]} is lost"]


def _may_be_next(tries: list[Try], way: int) -> Iterator[int]:
    for at in range(way, len(tries)):
        yield at
        if tries[at].outcome == "acknowledged":
            return


def _is_told_by(sent: Try, event: Seen) -> bool:
    if sent.outcome == "refused" or sent.deletes != (event.type == "DELETED"):
        return False
    if sent.deletes:
        return True
    return sent.value == event.value and sent.revision in (0, event.revision)


def _miscounted(events: list[Seen], acknowledged: list[tuple[int, int]]) -> list[str]:
    """Conditional updates: one more each time, and each acknowledged one happened."""
    numbers = [int(event.value) for event in events]
    wrong = [] if numbers == list(range(1, len(numbers) + 1)) else [f"the counter went {numbers}"]
    happened = {(int(event.value), event.revision) for event in events}
    return wrong + [f"the acknowledged count {count} is lost" for count in acknowledged if count not in happened]


if __name__ == "__main__":
    sys.exit(main())
