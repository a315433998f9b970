"""Formats of names, labels, ports and addresses: what is right, what is wrong, and upstream's words for it."""

from __future__ import annotations

import pytest
from refkube.apimachinery import names

LABEL_SAYS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
KEY_SAYS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (names.is_dns1123_label, ["a", "0", "a-b", "a" * 63]),
        (names.is_dns1123_subdomain, ["a", "a.b-c.d", "0.1", "a" * 253]),
        (names.is_wildcard_dns1123_subdomain, ["*.example.com"]),
        (names.is_qualified_name, ["a", "A.b_c-D", "example.com/Name", "x/" + "a" * 63]),
        (names.is_label_value, ["", "a", "1_2.3-4", "a" * 63]),
        (names.is_config_map_key, ["a", ".a", "A_b-c.d", "a..b"]),
        (names.is_env_var_name, ["A", "_a", "-a.b", "a1"]),
        (names.is_relaxed_env_var_name, ["1", "a b", "~!"]),
        (names.is_http_header_name, ["X-Header", "a1"]),
        (names.is_c_identifier, ["_", "a1_"]),
        (names.is_percent, ["0%", "100%", "250%"]),
        (names.is_valid_port_name, ["a", "http-2", "0a"]),
        (names.is_path_segment_name, ["a", "...", "a:b"]),
        (names.is_ip, ["10.0.0.1", "2001:db8::1", "::1"]),
        (names.is_cidr, ["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "10.1.2.3/32"]),
        (names.is_condition_reason, ["A", "A_b,C:d"]),
    ],
)
def test_right_names_have_no_messages(check: names.Validator, right: list[str]) -> None:
    assert {value: check(value) for value in right} == {value: [] for value in right}


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (names.is_dns1123_label, ["", "-a", "a-", "A", "a_b", "ä", "a\n"]),
        (names.is_dns1123_subdomain, ["", ".a", "a.", "a..b", "A.b", "a" * 254]),
        (names.is_wildcard_dns1123_subdomain, ["*", "example.com", "*.*.com"]),
        (names.is_qualified_name, ["", "/", "a/", "/a", "a/b/c", "-a", "A.B/c/", "EXAMPLE.com/a", "a" * 64]),
        (names.is_label_value, ["-", "a b", "a/b", "a" * 64]),
        (names.is_config_map_key, ["", ".", "..", "..a", "a/b", "a" * 254]),
        (names.is_env_var_name, ["", "1a", "a b", "..", "..a", "a=b"]),
        (names.is_relaxed_env_var_name, ["", "a=b", "ä", "\t"]),
        (names.is_http_header_name, ["", "a_b"]),
        (names.is_c_identifier, ["", "1a", "a-b"]),
        (names.is_percent, ["", "%", "1", "1.5%", "-1%"]),
        (names.is_valid_port_name, ["", "A", "1", "a--b", "-a", "a-", "a" * 16]),
        (names.is_path_segment_name, [".", "..", "a/b", "a%b"]),
        (names.is_ip, ["", "1.2.3", "1.2.3.04", "1.2.3.256", "::FFFF", "::ffff:1.2.3.4", "fe80::1%eth0", "a"]),
        (names.is_cidr, ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/08", "2001:DB8::/32", "x/8", "1::/-1"]),
        (names.is_condition_reason, ["", "1a", "a-b"]),
    ],
)
def test_wrong_names_have_messages(check: names.Validator, wrong: list[str]) -> None:
    assert [value for value in wrong if not check(value)] == []


@pytest.mark.parametrize(
    ("found", "messages"),
    [
        (names.is_dns1123_label("A"), [LABEL_SAYS]),
        (names.is_dns1123_label("a.b"), ["must not contain dots"]),
        (names.is_dns1123_label("a" * 64), ["must be no more than 63 characters"]),
        (names.is_qualified_name(""), ["name part must be non-empty", f"name part {KEY_SAYS}"]),
        (names.is_qualified_name("/a"), ["prefix part must be non-empty"]),
        (names.is_qualified_name("a" * 64), ["name part must be no more than 63 bytes"]),
        (
            names.is_qualified_name("a/b/c"),
            [f"a valid label key {KEY_SAYS} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"],
        ),
        (names.is_label_value("a" * 64), ["must be no more than 63 bytes"]),
        (names.is_config_map_key(".."), ["must not be '..'"]),
        (names.is_config_map_key("..a"), ["must not start with '..'"]),
        (names.is_valid_port_num(0), ["must be between 1 and 65535, inclusive"]),
        (names.is_valid_port_num(65535), []),
        (names.is_valid_user_id(-1), ["must be between 0 and 2147483647, inclusive"]),
        (names.is_valid_port_name("-A--"), [
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
            "must contain at least one letter (a-z)",
            "must not contain consecutive hyphens",
            "must not begin or end with a hyphen",
        ]),
        (names.is_ip("010.0.0.1"), ["must not have leading 0s"]),
        (names.is_ip("2001:DB8::1"), ['must be in canonical form ("2001:db8::1")']),
        (names.is_ip("2001:DB8::1", canonical=False), []),
        (names.is_ip("::ffff:1.2.3.4"), ["must not be an IPv4-mapped IPv6 address"]),
        (names.is_cidr("10.0.0.1/8"), ["must not have bits set beyond the prefix length"]),
        (names.is_cidr("10.0.0.0/08"), ["must not have leading 0s in IP or prefix length"]),
    ],
)  # fmt: skip
def test_messages_are_upstreams(found: list[str], messages: list[str]) -> None:
    assert found == messages
