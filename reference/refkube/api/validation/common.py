"""What the validations of the kinds share: the frame of a kind's rules, checks of single values, names of resources.

A check of a part is a generator of field errors; `rules` makes a kind's entry in the table of such generators, with the
metadata validated first, as upstream does. Facts: kubernetes/pkg/apis/core/validation and apis/core/helper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from refkube.api.validation.objectmeta import (
    IMMUTABLE,
    NOT_NEGATIVE,
    NameFn,
    Rules,
    name_is_dns_subdomain,
    validate_object_meta,
    validate_object_meta_update,
)
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, invalid, not_supported, required
from refkube.apimachinery.meta import Object, metadata_of
from refkube.apimachinery.quantity import parse as quantity

Errors = Iterator[FieldError]
NOTHING: Mapping[str, Any] = {}
PROTOCOLS = ("SCTP", "TCP", "UDP")


def rules(
    check: Callable[[Object], Errors] | None = None,
    update: Callable[[Object, Object], Errors] | None = None,
    status: Callable[[Object, Object], Errors] | None = None,
    *,
    namespaced: bool = True,
    name: NameFn = name_is_dns_subdomain,
    recheck: bool = True,
) -> Rules:
    """A kind's rules: `check` on create and again on update (unless `recheck` is off), `update` and `status` on top."""

    def on_create(obj: Object) -> list[FieldError]:
        errors = validate_object_meta(metadata_of(obj), namespaced, name)
        return errors + list(check(obj)) if check else errors

    def on_update(new: Object, old: Object) -> list[FieldError]:
        errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
        if update:
            errors += update(new, old)
        return errors + list(check(new)) if check and recheck else errors

    def on_status(new: Object, old: Object) -> list[FieldError]:
        errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
        return errors + list(status(new, old)) if status else errors

    return Rules(on_create, on_update, on_status)


def spec_of(obj: Object) -> Object:
    return obj.get("spec") or {}


def status_of(obj: Object) -> Object:
    return obj.get("status") or {}


def each(value: Any, path: str, *checks: Callable[[Any], Collection[str]]) -> Errors:
    """One error for every message of every check."""
    for check in checks:
        for message in check(value):
            yield invalid(path, value, message)


def one_of(owner: Mapping[str, Any], key: str, path: str, allowed: Collection[str], must: bool = False) -> Errors:
    value = owner.get(key)
    if not value:
        if must:
            yield required(f"{path}{key}")
    elif value not in allowed:
        yield not_supported(f"{path}{key}", value, allowed)


def non_negatives(owner: Mapping[str, Any], path: str, *keys: str) -> Errors:
    for key in keys:
        if (owner.get(key) or 0) < 0:
            yield invalid(f"{path}.{key}", owner[key], NOT_NEGATIVE)


def must_have(owner: Mapping[str, Any], path: str, *keys: str) -> Errors:
    for key in keys:
        if not owner.get(key):
            yield required(f"{path}{key}")


def same(a: Any, b: Any) -> bool:
    """Equal, where absent, null and empty are one: upstream's semantic equality."""
    if a is b or a == b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return all(same(a.get(key), b.get(key)) for key in a.keys() | b.keys())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a in (None, {}, []) and b in (None, {}, [])


def unchanged(new: Object, old: Object, path: str, *keys: str) -> Errors:
    for key in keys:
        if not same(new.get(key), old.get(key)):
            yield invalid(f"{path}{key}", new.get(key), IMMUTABLE)


@lru_cache(maxsize=16384)
def is_ip(value: str) -> tuple[str, ...]:
    """As `names.is_ip`, for fields that need not be canonical: all that Services, Endpoints and policies have."""
    return tuple(names.is_ip(value, canonical=False))


@lru_cache(maxsize=4096)
def is_cidr(value: str) -> tuple[str, ...]:
    return tuple(names.is_cidr(value, canonical=False))


def port_number_or_name(value: int | str, path: str) -> Errors:
    yield from each(value, path, names.is_valid_port_num if isinstance(value, int) else names.is_valid_port_name)


def domain_prefixed_path(value: str, path: str) -> Errors:
    """As "example.com/name" (apimachinery/pkg/util/validation, IsDomainPrefixedPath)."""
    domain, slash, rest = value.partition("/")
    if not value:
        yield required(path)
    elif not slash or not domain or not rest:
        yield invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        yield from (invalid(path, domain, text) for text in names.is_dns1123_subdomain(domain))
        if not re.fullmatch(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", rest):
            yield invalid(path, rest, "must be a path of printable URL characters")


def percentage(value: int | str | None) -> int:
    """The number of an int-or-percent, 0 where it is neither."""
    if isinstance(value, str):
        return int(value[:-1]) if not names.is_percent(value) else 0
    return value or 0


def int_or_percent(owner: Mapping[str, Any], key: str, path: str, at_most_100: bool = True) -> Errors:
    value = owner.get(key)
    if isinstance(value, str):
        yield from each(value, f"{path}.{key}", names.is_percent)
        if at_most_100 and percentage(value) > 100:
            yield invalid(f"{path}.{key}", value, "must not be greater than 100%")
    else:
        yield from non_negatives(owner, path, key)


def special_ip_faults(value: str) -> list[str]:
    """Why an address that is valid is none of an endpoint's or of an external IP's."""
    address = ip_address(value)
    packed = address.packed
    link_multicast = packed[:3] == b"\xe0\0\0" if address.version == 4 else packed[0] == 0xFF and packed[1] & 15 == 2
    rules = (
        (address.is_unspecified, f"may not be unspecified ({value})"),
        (address.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (address.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (link_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    )
    return [message for special, message in rules if special]


# Names of resources (apis/core/helper/helpers.go).
_COMPUTE = {"cpu", "memory", "ephemeral-storage"}
_OBJECTS = {
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
}  # fmt: skip
_QUOTA = _COMPUTE | _OBJECTS | {f"{kind}.{name}" for kind in ("requests", "limits") for name in _COMPUTE}
_QUOTA |= {"requests.storage"}


def is_native_resource(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended_resource(name: str) -> bool:
    if is_native_resource(name) or name.startswith("requests."):
        return False
    return not names.is_qualified_name(f"requests.{name}")


def overcommit_allowed(name: str) -> bool:
    return is_native_resource(name) and not name.startswith("hugepages-")


def is_quota_resource(name: str) -> bool:
    return name in _QUOTA or name.startswith(("hugepages-", "requests.hugepages-"))


def resource_name(name: str, path: str) -> Errors:
    messages = names.is_qualified_name(name)
    if messages:
        yield from each(name, path, lambda _: messages)
    elif "/" not in name and name != "storage" and not is_quota_resource(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")


def container_resource_name(name: str, path: str) -> Errors:
    yield from resource_name(name, path)
    if "/" not in name:
        if name not in _COMPUTE and not name.startswith("hugepages-"):
            yield invalid(path, name, "must be a standard resource for containers")
    elif not is_native_resource(name) and not is_extended_resource(name):
        yield invalid(path, name, "doesn't follow extended resource name standard")


def resource_quantity(name: str, value: str | int | float, path: str) -> Errors:
    """Not negative, and whole where the resource is counted in whole things."""
    amount = quantity(value)
    if amount.sign < 0:
        yield invalid(path, str(amount), NOT_NEGATIVE)
    if (name in _OBJECTS or is_extended_resource(name)) and amount.milli_value() % 1000:
        yield invalid(path, value, "must be an integer")


def resource_list(resources: Mapping[str, Any] | None, path: str) -> Errors:
    for name, value in (resources or NOTHING).items():
        yield from resource_quantity(name, value, f"{path}[{name}]")
