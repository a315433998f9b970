"""The formats of single values, which the tables of all kinds name, and the names of resources.

Facts: kubernetes/pkg/apis/core/validation, apis/core/helper, apimachinery/pkg/util/validation.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from refkube.api.validation.objectmeta import name_is_dns_subdomain
from refkube.api.validation.rules import NOT_NEGATIVE, tables, text, told
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, invalid, required, too_long
from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import parse as quantity
from refkube.apimachinery.selectors import validate_label_selector

PROTOCOLS = ("SCTP", "TCP", "UDP")


def is_ip(value: str) -> list[str]:
    """As `names.is_ip`, for fields that need not be canonical: all that Services, Endpoints and policies have."""
    return names.is_ip(value, canonical=False)


def special_ip(value: str) -> list[str]:
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


LABEL = text(names.is_dns1123_label)
LABEL_VALUE = text(names.is_label_value)
SUBDOMAIN = text(name_is_dns_subdomain)
PREFIX = text(lambda name: name_is_dns_subdomain(name, True))
QUALIFIED = text(names.is_qualified_name)
QUALIFIED_IN_LOWER = text(lambda name: names.is_qualified_name(name.lower()))
PATH_SEGMENT = text(names.is_path_segment_name)
CONFIG_KEY = text(names.is_config_map_key)
ENV_NAME = text(names.is_relaxed_env_var_name)
HEADER = text(names.is_http_header_name)
IP = text(is_ip)
CIDR = text(lambda cidr: names.is_cidr(cidr, canonical=False))
ENDPOINT_IP = text(lambda ip: is_ip(ip) or special_ip(ip))
NO_IP = text(lambda host: ["must be a DNS name, not an IP address"] if not is_ip(host) else [])
HOST = text(lambda host: (names.is_wildcard_dns1123_subdomain if "*" in host else names.is_dns1123_subdomain)(host))
PORT_NUMBER = text(names.is_valid_port_num)
PORT_NAME = text(names.is_valid_port_name)
PORT = text(lambda port: names.is_valid_port_num(port) if isinstance(port, int) else names.is_valid_port_name(port))
USER_ID = text(names.is_valid_user_id)


def SELECTOR(selector: Object | None, *_: Any) -> list[FieldError]:
    return validate_label_selector(selector, "")


def domain_prefixed_path(value: str, *_: Any) -> list[FieldError]:
    """As "example.com/name" (apimachinery/pkg/util/validation, IsDomainPrefixedPath)."""
    domain, slash, rest = value.partition("/")
    if not value:
        return [required("")]
    if not slash or not domain or not rest:
        return [invalid("", value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = [invalid("", domain, message) for message in names.is_dns1123_subdomain(domain)]
    unprintable = not re.fullmatch(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", rest)
    return errors + told((unprintable, invalid, "", rest, "must be a path of printable URL characters"))


def driver_name(name: str, *_: Any) -> list[FieldError]:
    """The name of a CSI driver, where there must be one."""
    errors = told((not name, required, ""), (len(name) > 63, too_long, "", 63))
    return errors + [invalid("", name, message) for message in names.is_dns1123_subdomain(name.lower())]


def percentage(value: int | str | None) -> int:
    """The number of an int-or-percent, 0 where it is neither."""
    if isinstance(value, str):
        return int(value[:-1]) if not names.is_percent(value) else 0
    return value or 0


def _int_or_percent(value: int | str) -> list[str]:
    if isinstance(value, str):
        return names.is_percent(value)
    return [NOT_NEGATIVE] if value < 0 else []


INT_OR_ANY_PERCENT = text(_int_or_percent)
INT_OR_PERCENT = text(
    lambda value: [
        *_int_or_percent(value),
        *(["must not be greater than 100%"] if isinstance(value, str) and percentage(value) > 100 else []),
    ]
)

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


def _resource(name: str) -> list[str]:
    standard = "/" in name or name == "storage" or is_quota_resource(name)
    return names.is_qualified_name(name) or (
        [] if standard else ["must be a standard resource type or fully qualified"]
    )


def _container_resource(name: str) -> list[str]:
    if "/" not in name:
        known = name in _COMPUTE or name.startswith("hugepages-")
        return _resource(name) + ([] if known else ["must be a standard resource for containers"])
    known = is_native_resource(name) or is_extended_resource(name)
    return _resource(name) + ([] if known else ["doesn't follow extended resource name standard"])


def _quota_resource(name: str) -> list[str]:
    known = "/" in name or is_quota_resource(name)
    return _resource(name) + ([] if known else ["must be a standard resource for quota"])


RESOURCE = text(_resource)
CONTAINER_RESOURCE = text(_container_resource)
QUOTA_RESOURCE = text(_quota_resource)


@lru_cache(maxsize=8192)
def quantity_faults(value: str | int | float, name: str) -> list[FieldError]:
    """Of the resource `name`: not negative, and whole where it is counted in whole things."""
    amount, counted = quantity(value), name in _OBJECTS or is_extended_resource(name)
    return told(
        (amount.sign < 0, invalid, "", str(amount), NOT_NEGATIVE),
        (counted and amount.milli_value() % 1000, invalid, "", value, "must be an integer"),
    )


def resource_quantity(value: str | int | float, name: str, *_: Any) -> list[FieldError]:
    """As a table calls it for an entry of a map."""
    return quantity_faults(value, name)


def quantity_sign(value: Any) -> int:
    return quantity(value).sign


TABLES = tables("""
Reference
  kind, name            required PATH_SEGMENT

IngressPoint
  ip                    IP
  ipMode                forbidden if not ip -- may not be specified when `ip` is not set
  else ipMode           in Proxy VIP
  hostname              SUBDOMAIN
  hostname              NO_IP

ReasonedReference
  kind                  required PATH_SEGMENT -- kind is required
  name                  required PATH_SEGMENT -- name is required
""", globals())  # fmt: skip
