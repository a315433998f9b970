"""The typed words of step texts: an object, a collection, a kind, a length of time.

    {ref:Object}       ConfigMap "settings", Pod "web" in namespace "other", status of the Pod "web"
    {all:Collection}   ConfigMaps, Pods in all namespaces, Pods labelled "app=web", Pods where "spec.nodeName=n1"
    {kind:Kind}        ConfigMap, ConfigMaps
    {names:Names}      "a", "a" and "b", "a", "b" and "c"
    {name:Text}        what stands between quotes; nothing, too
    {time:Duration}    40 seconds, 1 minute, 2 hours
    {timing:Timing}    within 40 seconds, for 1 minute, with the space behind; or nothing, which is now
    {still:Still}      still, with the space behind; or nothing
    {kept:Kept}        still, no longer
    {log:Log}          log of the Pod "web", log of the container "main" of the Pod "web" before its restart
    {limit:TokenLimit} for the audience "vault", for 600 seconds, that is bound to the Pod "web", with the space before;
                       or nothing
    {n:Number}         12
    {a:Article}        a, an
    {what:Allotted}    ClusterIP, node port, load balancer's address
    {where:Backends}   Endpoints "web", slices of the Service "web"
    {state:State}      active, ready, unready, terminating, unfinished
    {origin:Place}     the Pod "client", the node "n1", a client outside, the client outside "second"
    {target:Target}    port 80 of the Pod "a" (or node, or Service), port 80 of a machine outside, node port of the
                       Service "web" on the node "n1",
                       port 80 at "192.0.2.10", load balancer's port 80 of the Service "web"; UDP port 53 of ...
    {outcome:Outcome}  are answered, are refused, time out, get no answer
    {probe:Probe}      liveness, readiness, startup
    {table:NetTable}   links, addresses, routes, neighbors, fdb, virtual servers, real servers, rules

Used by the step definitions, the world, and the linter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from parse import with_pattern  # type: ignore[import-untyped]


class ObjectRef(NamedTuple):
    """An object, or a subresource of one, as a step names it; `namespace` is "" for the scenario's own."""

    kind: str
    name: str
    namespace: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        part = f"the {self.subresource} of " if self.subresource else ""
        return f'{part}{self.kind} "{self.name}"' + (f' in namespace "{self.namespace}"' if self.namespace else "")


class Collection(NamedTuple):
    """Objects as a step names them; `namespace` is "" for the scenario's own and "*" for all."""

    kind: str
    namespace: str = ""
    labels: str | None = None
    fields: str | None = None


_KIND = r"[A-Z][A-Za-z]+"
_SUBRESOURCE = r"(?:status|scale|finalizers|resources|ephemeral containers)"
_OBJECT = re.compile(rf'(?:({_SUBRESOURCE}) of the )?({_KIND}) "([^"]*)"(?: in namespace "([^"]*)")?')
_SUBRESOURCES = {"finalizers": "finalize", "resources": "resize", "ephemeral containers": "ephemeralcontainers"}
_COLLECTION = re.compile(
    rf'({_KIND})(?: in namespace "([^"]*)"|( in all namespaces))?(?: labelled "([^"]*)")?(?: where "([^"]*)")?'
)
_UNITS = {"second": 1, "minute": 60, "hour": 3600}


@with_pattern(rf'(?:{_SUBRESOURCE} of the )?{_KIND} "[^"]*"(?: in namespace "[^"]*")?')
def _object(text: str) -> ObjectRef:
    match = _OBJECT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    part = match[1] or ""
    return ObjectRef(match[2], match[3], match[4] or "", _SUBRESOURCES.get(part, part))


@with_pattern(r'"[^"]*"(?:(?:, | and )"[^"]*")*')
def _names(text: str) -> list[str]:
    return re.findall(r'"([^"]*)"', text)


@with_pattern("JSON patch|merge patch|strategic merge patch")
def _patch_format(text: str) -> str:
    return text


@with_pattern("an?")
def _article(text: str) -> str:
    return text


@with_pattern("ClusterIP|node port|load balancer's address")
def _allotted(text: str) -> str:
    return text


class Backends(NamedTuple):
    """The endpoints of a Service, as its Endpoints or its EndpointSlices list them."""

    service: str
    sliced: bool


@with_pattern(r'Endpoints "[^"]*"|slices of the Service "[^"]*"')
def _backends(text: str) -> Backends:
    kind, name, _ = text.split('"')
    return Backends(name, kind.startswith("slices"))


@with_pattern("active|ready|unready|terminating|unfinished")
def _state(text: str) -> str:
    return text


@with_pattern(rf'{_KIND}(?: in namespace "[^"]*"| in all namespaces)?(?: labelled "[^"]*")?(?: where "[^"]*")?')
def _collection(text: str) -> Collection:
    match = _COLLECTION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return Collection(match[1], "*" if match[3] else match[2] or "", match[4], match[5])


@with_pattern(_KIND)
def _kind(text: str) -> str:
    return text


@with_pattern(r'[^"]*')
def _text(text: str) -> str:
    return text


@with_pattern(r"\d+")
def _number(text: str) -> int:
    return int(text)


@with_pattern(r"\d+ (?:second|minute|hour)s?")
def duration(text: str) -> float:
    """Seconds of "40 seconds", "1 minute", "2 hours"."""
    number, unit = text.split()
    return float(number) * _UNITS[unit.removesuffix("s")]


class Timing(NamedTuple):
    """When something must hold: now ("", 0), at some moment "within" so many seconds, or all the time "for" them."""

    how: str = ""
    seconds: float = 0.0


NOW = Timing()


@with_pattern(r"(?:(?:within|for) \d+ (?:second|minute|hour)s? )?")
def _timing(text: str) -> Timing:
    how, _, time = text.rstrip().partition(" ")
    return Timing(how, duration(time)) if how else NOW


@with_pattern("(?:still )?")
def _still(text: str) -> str:
    return text


@with_pattern("still|no longer")
def _kept(text: str) -> bool:
    return text == "still"


def _ungrouped(pattern: re.Pattern[str]) -> str:
    """The same without groups of its own, as a type's pattern must be."""
    return re.sub(r"\((?!\?)", "(?:", pattern.pattern)


class Log(NamedTuple):
    """What a container of a Pod, "" its only one, has written; `before` its latest restart."""

    of: ObjectRef
    container: str = ""
    before: bool = False


_LOG = re.compile(
    rf'log of (?:the container "([^"]*)" of )?the ({_KIND} "[^"]*"(?: in namespace "[^"]*")?)( before its restart)?'
)


@with_pattern(_ungrouped(_LOG))
def _log(text: str) -> Log:
    match = _LOG.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return Log(_object(match[2]), match[1] or "", bool(match[3]))


TokenLimit = str | int | ObjectRef  # an audience, seconds, the object that it is bound to
_LIMIT = re.compile(rf' for the audience "([^"]*)"| for (\d+) seconds| that is bound to the ({_KIND} "[^"]*")')


@with_pattern(f"(?:{_ungrouped(_LIMIT)})?")
def _token_limit(text: str) -> TokenLimit | None:
    match = _LIMIT.fullmatch(text)
    if match is None:
        return None
    audience, seconds, bound = match.groups()
    return int(seconds) if seconds else _object(bound) if bound else audience


class Place(NamedTuple):
    """Where a connection begins: a "Pod", a "node", or a machine "outside", "" being the first of them."""

    kind: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        if self.kind == "outside":
            return f'the client outside "{self.name}"' if self.name else "a client outside"
        return f'the {self.kind} "{self.name}"' + (f' in namespace "{self.namespace}"' if self.namespace else "")


_PLACE = r'the (?:Pod|node) "[^"]*"(?: in namespace "[^"]*")?|a client outside|the client outside "[^"]*"'
_PLACE_PARTS = re.compile(r'(?:the (Pod|node)|(?:a|the) client (outside))(?: "([^"]*)")?(?: in namespace "([^"]*)")?')


@with_pattern(_PLACE)
def _place(text: str) -> Place:
    match = _PLACE_PARTS.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return Place(match[1] or match[2], match[3] or "", match[4] or "")


class Target(NamedTuple):
    """Where a connection goes. `kind` is Pod, node, Service, outside, at (an address or a name), "node port" (of the
    Service, on the node `on`), or "load balancer" (of the Service); a port of "" is the only one there is."""

    kind: str
    name: str
    port: str  # a number, or what a step called so, in quotes
    protocol: str = "TCP"
    namespace: str = ""
    on: str = ""

    def __str__(self) -> str:
        where = f'at "{self.name}"' if self.kind == "at" else f'of the {self.kind} "{self.name}"'
        if self.kind == "outside":
            where = "of a machine outside"
        return f"{self.protocol} port {self.port} {where}{f' on {self.on}' if self.on else ''}"


_IN = r'(?: in namespace "([^"]*)")?'
_TARGETS = (
    (re.compile(rf'(UDP )?port (\d+|"[^"]*") of the (Pod|node|Service) "([^"]*)"{_IN}'), ""),
    (re.compile(r"(UDP )?port (\d+) of ()(a machine outside)()"), "outside"),
    (re.compile(rf'(UDP )?load balancer\'s port (\d+) of the ()Service "([^"]*)"{_IN}'), "load balancer"),
    (re.compile(r'(UDP )?port (\d+) at ()"([^"]*)"()'), "at"),
    (re.compile(rf'(UDP )?node port()() of the Service "([^"]*)"{_IN} on the node "([^"]*)"'), "node port"),
)


@with_pattern("|".join(_ungrouped(pattern) for pattern, _ in _TARGETS))
def _target(text: str) -> Target:
    for pattern, kind in _TARGETS:
        if match := pattern.fullmatch(text):
            protocol, port, named, name, namespace, *on = match.groups()
            on_node = on[0] if on else ""
            return Target(kind or named, name, port or "", "UDP" if protocol else "TCP", namespace or "", on_node)
    raise ValueError(text)


@with_pattern("are answered|are refused|time out|get no answer")
def _outcome(text: str) -> str:
    """As drivers tell it: answered, refused, timed out; "" is any but answered."""
    return {"time out": "timed out", "get no answer": ""}.get(text, text.removeprefix("are "))


@with_pattern("liveness|readiness|startup")
def _probe(text: str) -> str:
    return text


@with_pattern("links|addresses|routes|neighbors|fdb|virtual servers|real servers|rules")
def _net_table(text: str) -> str:
    return text


TYPES: dict[str, Callable[[str], Any]] = {
    "Object": _object,
    "Collection": _collection,
    "Names": _names,
    "PatchFormat": _patch_format,
    "Article": _article,
    "Kind": _kind,
    "Text": _text,
    "Number": _number,
    "Duration": duration,
    "Timing": _timing,
    "Still": _still,
    "Kept": _kept,
    "Log": _log,
    "TokenLimit": _token_limit,
    "Allotted": _allotted,
    "Backends": _backends,
    "State": _state,
    "Place": _place,
    "Target": _target,
    "Outcome": _outcome,
    "NetTable": _net_table,
    "Probe": _probe,
}
