"""Faults in the names of Services and Pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from refkube.coredns import records
from refkube.coredns.records import NoSuchName, Record, Records
from refkube.coredns.server import RdataType, Server

from gherkube.drivers.miniatures import exchanged, miniature

Original = Callable[..., Any]


@miniature(
    "Services have no names.",
    caught_by=("names.01", "names.02", "names.03", "names.05", "names.07"),
    instead_of=Records._of_service,
)
def names_no_services(original: Original, *args: Any) -> list[Record]:
    raise NoSuchName


@miniature("Every name has an address.", caught_by=("names.03", "names.04", "names.06"), instead_of=Records._of_service)
def knows_every_name(original: Original, self: Records, *args: Any) -> list[Record]:
    try:
        found: list[Record] = original(self, *args)
    except NoSuchName:
        return [Record("any.", "10.96.0.1", 80)]
    return found


@miniature(
    "A name without records of the type that is asked for is no name.",
    caught_by="names.05",
    instead_of=Server._fill,
)
def takes_no_data_for_no_name(original: Original, self: Server, answer: Any, *args: Any) -> Any:
    elsewhere = original(self, answer, *args)
    if not answer.answer and answer.rcode() == 0:
        answer.set_rcode(3)
    return elsewhere


@miniature(
    "The name of a headless Service stands for one of its Pods.",
    caught_by=("names.07", "names.09", "names.11"),
    instead_of=Records._endpoints,
)
def tells_one_endpoint(original: Original, *args: Any) -> list[Record]:
    return list(original(*args))[:1]


@miniature("Pods that are not ready are found.", caught_by="names.08", instead_of=records._is_ready)
def tells_unready_pods(original: Original, listed: Any) -> bool:
    return True


@miniature(
    "Pods that are not ready are not found, though they are published.",
    caught_by="names.09",
    instead_of=records._is_ready,
)
def hides_published_pods(original: Original, listed: Any) -> bool:
    return bool((listed.get("conditions") or {}).get("serving", True))


@miniature("A port has a wrong number.", caught_by=("names.10", "names.11"), instead_of=Server._add_services)
def tells_wrong_ports(original: Original, self: Server, answer: Any, name: Any, found: list[Record]) -> None:
    original(self, answer, name, [one._replace(port=one.port + 1) for one in found])


@miniature("An alias is not told.", caught_by=("names.12", "names.13"), instead_of=Server._add)
def tells_no_alias(original: Original, self: Server, answer: Any, name: Any, type: Any, *args: Any) -> None:
    if type != RdataType.CNAME:
        original(self, answer, name, type, *args)


@miniature("Addresses have no names.", caught_by="names.14", instead_of=Records.reverse)
def knows_no_addresses(original: Original, *args: Any) -> list[str]:
    raise NoSuchName


@miniature(
    "A Pod has no name of its own under its Service.",
    caught_by=("names.15", "names.16", "names.17"),
    instead_of=Records._endpoints,
)
def ignores_hostnames(
    original: Original, self: Records, name: str, namespace: str, endpoint: str, *args: Any
) -> list[Record]:
    return [] if endpoint and not endpoint[0].isdigit() else list(original(self, name, namespace, endpoint, *args))


@miniature("A name stands for the address that it stood for first.", caught_by="names.17")
def remembers_addresses() -> Iterator[None]:
    known: dict[tuple[Any, ...], list[Record]] = {}

    def wrong(original: Original, self: Records, *args: Any) -> list[Record]:
        found = list(original(self, *args))
        return known.setdefault(args, found) if found else found

    with exchanged(Records._endpoints, wrong):
        yield
