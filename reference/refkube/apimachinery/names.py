"""The formats of names, labels, ports and addresses. Validators return messages in upstream's words, none if right.

Called by validation everywhere. Facts: apimachinery/pkg/util/validation and pkg/api/validate/content.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

Validator = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_UNDERSCORED = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_ENDS = "must start and end with an alphanumeric character"
_KEY_SAYS = f"must consist of alphanumeric characters, '-', '_' or '.', and {_ENDS}"


def max_length(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def in_range(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def _says(text: str, pattern: str, *examples: str) -> str:
    shown = "(" + "".join(f"{' or ' if i else 'e.g. '}'{example}', " for i, example in enumerate(examples))
    return f"{text} {shown}regex used for validation is '{pattern}')"


def _format(text: str, pattern: str, *examples: str, limit: int = 0, unit: str = "characters") -> Validator:
    """A validator of one pattern and one length (bytes, as Go counts)."""
    matches, said, long = re.compile(pattern).fullmatch, _says(text, pattern, *examples), max_length(limit, unit)

    def check(value: str) -> list[str]:
        wrong = [long] if limit and len(value.encode()) > limit else []
        return wrong if matches(value) else [*wrong, said]

    return check


is_dns1123_subdomain = _format(
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and {_ENDS}",
    rf"{_LABEL}(\.{_LABEL})*", "example.com", limit=253,
)  # fmt: skip
is_dns1123_subdomain_with_underscore = _format(
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and {_ENDS}",
    rf"{_UNDERSCORED}(\.{_UNDERSCORED})*", "example.com", limit=253,
)  # fmt: skip
is_wildcard_dns1123_subdomain = _format(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    rf"\*\.{_LABEL}(\.{_LABEL})*", "*.example.com", limit=253,
)  # fmt: skip
is_label_value = _format(
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and {_ENDS}",
    f"({_KEY})?", "MyValue", "my_value", "12345", limit=63, unit="bytes",
)  # fmt: skip
is_c_identifier = _format(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_'",
    "[A-Za-z_][A-Za-z0-9_]*", "my_name", "MY_NAME", "MyName",
)  # fmt: skip
is_percent = _format(
    "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%"
)
is_http_header_name = _format(
    "a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", "X-Header-Name"
)
is_condition_reason = _format(
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'",
    "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", "my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB",
)  # fmt: skip
_label = _format(
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and {_ENDS}",
    _LABEL, "my-name", "123-abc", limit=63,
)  # fmt: skip
_key_name = _format(f"name part {_KEY_SAYS}", _KEY, "MyName", "my.name", "123-abc")
_config_key = _format(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "[-._a-zA-Z0-9]+", "key.name", "KEY_NAME", "key-name", limit=253,
)  # fmt: skip
_env_name = _format(
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not "
    "start with a digit",
    "[-._a-zA-Z][-._a-zA-Z0-9]*", "my.env-name", "MY_ENV.NAME", "MyEnvName1",
)  # fmt: skip


def is_dns1123_label(value: str) -> list[str]:
    wrong = _label(value)
    if "." in value and re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", value):
        wrong[-1] = "must not contain dots"
    return wrong


def is_qualified_name(value: str) -> list[str]:
    """A label or annotation key, a taint key, a resource name: "name" or "prefix/name"."""
    parts = value.split("/")
    if len(parts) > 2:
        said = _says(_KEY_SAYS, _KEY, "MyName", "my.name", "123-abc")
        return [f"a valid label key {said} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    wrong = []
    if len(parts) == 2:
        messages = is_dns1123_subdomain(parts[0]) if parts[0] else ["must be non-empty"]
        wrong = [f"prefix part {message}" for message in messages]
    if not parts[-1]:
        wrong.append("name part must be non-empty")
    elif len(parts[-1].encode()) > 63:
        wrong.append(f"name part {max_length(63, 'bytes')}")
    return wrong + _key_name(parts[-1])


def is_config_map_key(value: str) -> list[str]:
    return _config_key(value) + _leads_upwards(value)


def is_env_var_name(value: str) -> list[str]:
    return _env_name(value) + _leads_upwards(value)


def is_relaxed_env_var_name(value: str) -> list[str]:
    if not value:
        return ["environment variable name must be non-empty"]
    if all(" " <= c <= "~" and c != "=" for c in value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def is_path_segment_name(value: str) -> list[str]:
    """A name that can stand in a URL's path."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{c}'" for c in "/%" if c in value]


def is_valid_port_num(port: int) -> list[str]:
    return [] if 1 <= port <= 65535 else [in_range(1, 65535)]


def is_in_range(value: int, low: int, high: int) -> list[str]:
    return [] if low <= value <= high else [in_range(low, high)]


def is_valid_user_id(value: int) -> list[str]:
    return is_in_range(value, 0, 2**31 - 1)


is_valid_group_id = is_valid_user_id


def is_valid_port_name(value: str) -> list[str]:
    rules = (
        (len(value.encode()) <= 15, max_length(15)),
        (re.fullmatch("[-a-z0-9]+", value), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"),
        (re.search("[a-z]", value), "must contain at least one letter (a-z)"),
        ("--" not in value, "must not contain consecutive hyphens"),
        (not value.startswith("-") and not value.endswith("-"), "must not begin or end with a hyphen"),
    )
    return [message for right, message in rules if not right]


_NO_IP = ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
_NO_CIDR = ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


def is_ip(value: str, canonical: bool = True) -> list[str]:
    """An IPv4 or IPv6 address. Fields older than the rule need not be in canonical form."""
    sloppy = re.sub(r"\b0+(?=[0-9])", "", value) if value.count(".") == 3 else value
    try:
        address = ipaddress.ip_address(sloppy)
    except ValueError:
        return _NO_IP
    if sloppy != value:
        return ["must not have leading 0s"]
    if "%" in value or (address.version == 6 and address.ipv4_mapped):
        return ["must not be an IPv4-mapped IPv6 address"] if "%" not in value else _NO_IP
    return [] if not canonical or str(address) == value else [f'must be in canonical form ("{address}")']


def is_cidr(value: str, canonical: bool = True) -> list[str]:
    """A network, "10.0.0.0/8": no bit set beyond the prefix length."""
    address, _, length = value.partition("/")
    wrong = is_ip(address, canonical=False)
    if wrong == _NO_IP or not re.fullmatch("[0-9]{1,9}", length) or int(length) > (128 if ":" in address else 32):
        return _NO_CIDR
    if "0s" in "".join(wrong) or length != str(int(length)):
        return ["must not have leading 0s in IP or prefix length"]
    if wrong:
        return ["must not have an IPv4-mapped IPv6 address"]
    network = ipaddress.ip_network(value, strict=False)
    if network.network_address != ipaddress.ip_address(address):
        return ["must not have bits set beyond the prefix length"]
    return [] if not canonical or str(network) == value else [f'must be in canonical form ("{network}")']


def _leads_upwards(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []
