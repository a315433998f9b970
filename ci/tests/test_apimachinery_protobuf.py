"""refkube.apimachinery.protobuf and the table api/protobuf.txt: what bodies in protobuf mean."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.api import protobuf, schema
from refkube.api.kinds import KINDS
from refkube.apimachinery import typeschema
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.protobuf import MAGIC, MAX_DEPTH

NUMBERS = protobuf.numbers()
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
CORE, APIEXTENSIONS = "io.k8s.api.core.v1", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
BODIES = (
    *(kind.definition for kind in KINDS), f"{META}.DeleteOptions", "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.autoscaling.v1.Scale", "io.k8s.api.authentication.v1.TokenRequest",
)  # fmt: skip


# An encoder that knows nothing of the table


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def message(*fields: tuple[int, Any]) -> bytes:
    """Fields by number: an integer or a bool is a varint, a float eight bytes, text and bytes are counted."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def body(api_version: str, kind: str, *fields: tuple[int, Any]) -> bytes:
    type_meta = message((1, api_version), (2, kind))
    return MAGIC + message((1, type_meta), (2, message(*fields)), (3, ""), (4, ""))


def meta(name: str, *more: tuple[int, Any]) -> tuple[int, bytes]:
    """As Go writes it: what is no pointer is written also when it is empty."""
    empty = (2, ""), (3, ""), (4, ""), (5, ""), (6, ""), (7, 0), (8, b"")
    return 1, message((1, name), *empty, *more)


def entry(key: str, value: Any) -> bytes:
    return message((1, key), (2, value))


# What objects become


def test_a_config_map():
    labels = [(11, entry("app", "web")), (11, entry("empty", ""))]
    data = [(2, entry("a", "1")), (2, entry("b", "ü")), (3, entry("raw", b"\x00\xff"))]
    assert protobuf.decode(body("v1", "ConfigMap", meta("web", *labels), *data)) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "web", "labels": {"app": "web", "empty": ""}},
        "data": {"a": "1", "b": "ü"},
        "binaryData": {"raw": "AP8="},
    }


def test_an_entry_of_a_map_without_a_value_has_an_empty_one():
    secret = protobuf.decode(body("v1", "Secret", meta("s"), (2, message((1, "password"))), (3, "Opaque")))
    assert secret["data"] == {"password": ""}
    assert secret["type"] == "Opaque"


def test_a_pod():
    port = message((1, ""), (2, 0), (3, 8080), (4, "TCP"), (5, ""))
    resources = message((1, entry("cpu", message((1, "100m")))), (2, entry("memory", message((1, "1Gi")))))
    handler = message((2, message((1, "/healthz"), (2, message((1, 1), (2, 0), (3, "http"))))))
    probe = message((1, handler), (2, 0), (3, 1), (4, 10), (5, 1), (6, 3))
    secret_key = message((1, message((1, "db"))), (2, "password"), (3, False))
    variable = message((1, "PASSWORD"), (2, ""), (3, message((4, secret_key))))
    container = message(
        (1, "web"), (2, "nginx"), (3, "sh"), (3, "-c"), (5, ""), (6, port), (7, variable), (8, resources), (10, probe),
        (16, False), (18, False),
    )  # fmt: skip
    source = message((1, message((1, "/var"), (2, ""))))
    volume = message((1, "var"), (2, source))
    toleration = message((1, "k"), (2, "Exists"), (3, ""), (4, "NoExecute"), (5, -1))
    context = message((3, False), (4, 1000), (4, 2000))
    spec = message((1, volume), (2, container), (4, 0), (11, False), (14, context), (22, toleration))
    status = message((1, ""), (7, message((1, 1_700_000_000), (2, 999))))
    pod = protobuf.decode(body("v1", "Pod", meta("web"), (2, spec), (3, status)))
    assert pod["spec"] == {
        "volumes": [{"name": "var", "hostPath": {"path": "/var", "type": ""}}],
        "containers": [
            {
                "name": "web",
                "image": "nginx",
                "command": ["sh", "-c"],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "env": [
                    {
                        "name": "PASSWORD",
                        "valueFrom": {"secretKeyRef": {"name": "db", "key": "password", "optional": False}},
                    }
                ],
                "resources": {"limits": {"cpu": "100m"}, "requests": {"memory": "1Gi"}},
                "livenessProbe": {
                    "httpGet": {"path": "/healthz", "port": "http"},
                    "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
                },
            }
        ],
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": False, "supplementalGroups": [1000, 2000]},
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": -1}],
    }  # fmt: skip
    assert pod["status"] == {"startTime": "2023-11-14T22:13:20Z"}


def test_a_zero_survives_where_go_has_a_pointer_or_must_show_the_field():
    spec = message((1, 0), (2, message()), (3, message((1, message()))), (5, 0), (6, 0), (7, False), (9, 0))
    deployment = protobuf.decode(body("apps/v1", "Deployment", meta("web"), (2, spec), (3, message((1, 0), (2, 0)))))
    assert deployment["spec"] == {
        "replicas": 0,
        "selector": {},
        "template": {"metadata": {}},
        "revisionHistoryLimit": 0,
        "progressDeadlineSeconds": 0,
    }
    assert deployment["status"] == {}
    pdb = protobuf.decode(body("policy/v1", "PodDisruptionBudget", (3, message((1, 0), (3, 0), (4, 0)))))
    assert pdb["status"] == {"disruptionsAllowed": 0, "currentHealthy": 0}
    reference = message((1, ""), (2, ""), (3, ""), (4, ""))  # required, with omitempty: ParentReference
    address = protobuf.decode(body("networking.k8s.io/v1", "IPAddress", (2, message((1, reference)))))
    assert address["spec"] == {"parentRef": {}}
    port = message((1, ""), (2, "TCP"), (3, 0), (4, message((1, 0), (2, 0), (3, ""))), (5, 0))
    service = protobuf.decode(body("v1", "Service", (2, message((1, port)))))
    assert service["spec"]["ports"] == [{"protocol": "TCP", "port": 0, "targetPort": 0}]


def test_options_and_subresources():
    preconditions = message((1, "u"))
    options = body("apps/v1", "DeleteOptions", (1, 0), (2, preconditions), (4, "Background"), (5, "All"))
    assert protobuf.decode(options) == {
        "kind": "DeleteOptions",
        "apiVersion": "apps/v1",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
        "propagationPolicy": "Background",
        "dryRun": ["All"],
    }
    token = body("authentication.k8s.io/v1", "TokenRequest", (2, message((1, "api"), (4, 600))))
    assert protobuf.decode(token)["spec"] == {"audiences": ["api"], "expirationSeconds": 600}


def test_a_list_as_value_of_a_map():
    extra = entry("scopes", message((1, "a"), (1, "b")))
    review = body("authorization.k8s.io/v1", "SubjectAccessReview", (2, message((3, "jane"), (5, extra))))
    assert protobuf.decode(review)["spec"] == {"user": "jane", "extra": {"scopes": ["a", "b"]}}


def test_unions_and_json_of_custom_resource_definitions():
    text = message((1, ""), (5, "string"), (37, False))
    properties = [
        (29, entry("a", text)),
        (29, entry("b", message((5, "array"), (24, message((1, text)))))),
        (29, entry("c", message((30, message((1, True))), (8, message((1, b'{"x":1}')))))),
        (29, entry("d", message((30, message((1, False), (2, text)))))),
        (29, entry("e", message((9, 0.5), (10, False), (20, message((1, b"1"))), (20, message((1, b"null")))))),
        (32, entry("f", message((2, "a"), (2, "b")))),
    ]
    decoded = NUMBERS.decode(message((5, "object"), *properties), f"{APIEXTENSIONS}.JSONSchemaProps")
    assert decoded == {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"type": "array", "items": {"type": "string"}},
            "c": {"additionalProperties": True, "default": {"x": 1}},
            "d": {"additionalProperties": {"type": "string"}},
            "e": {"maximum": 0.5, "enum": [1, None]},
        },
        "dependencies": {"f": ["a", "b"]},
    }


def test_times_and_intervals():
    times = [(3, message((1, 0), (2, 1_500))), (4, message((1, -1), (2, 999_999_999)))]
    lease = protobuf.decode(body("coordination.k8s.io/v1", "Lease", (2, message((1, "me"), (2, 0), *times))))
    assert lease["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 0,
        "acquireTime": "1970-01-01T00:00:00.000001Z",
        "renewTime": "1969-12-31T23:59:59.999999Z",
    }


def test_managed_fields_and_raw_extensions_hold_json():
    managed = message((1, "me"), (2, "Update"), (6, "FieldsV1"), (7, message((1, b'{"f:data":{}}'))), (8, ""))
    revision = body("apps/v1", "ControllerRevision", meta("r", (17, managed)), (2, message((1, b'{"a":[1]}'))), (3, 1))
    decoded = protobuf.decode(revision)
    assert decoded["metadata"]["managedFields"] == [
        {"manager": "me", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}
    ]
    assert (decoded["data"], decoded["revision"]) == ({"a": [1]}, 1)


def test_a_message_written_in_parts_is_merged_and_a_value_written_twice_is_the_last():
    halves = (2, message((1, 3), (5, 1))), (2, message((1, 4)))
    assert protobuf.decode(body("apps/v1", "Deployment", *halves))["spec"] == {"replicas": 4, "minReadySeconds": 1}


def test_numbers_may_be_packed():
    spec = message((14, message((4, varint(7) + varint(300)))))
    assert NUMBERS.decode(spec, f"{CORE}.PodSpec")["securityContext"]["supplementalGroups"] == [7, 300]


def test_unknown_fields_are_skipped():
    unknown = [(900, 1), (901, 1.0), (902, "text")]
    data = message(*unknown, (1, "a")) + varint(903 << 3 | 5) + b"1234"
    assert NUMBERS.decode(data, f"{CORE}.EnvVar") == {"name": "a"}


def test_integers_are_of_their_size():
    assert NUMBERS.decode(message((3, 2**32 + 5)), f"{CORE}.ContainerPort") == {"containerPort": 5}
    assert NUMBERS.decode(message((4, -(2**63))), f"{CORE}.PodSpec") == {"terminationGracePeriodSeconds": -(2**63)}


# What is refused


def within(*numbers: int, value: Any) -> bytes:
    """A value in a message in a message ..."""
    for number in reversed(numbers):
        value = message((number, value))
    return value


MALFORMED = {
    "ends in a number": b"\x08",
    "ends in a field": b"\x0a\x05ab",
    "a number without end": b"\x08" + b"\xff" * 11,
    "a group": b"\x0b\x0c",
    "a number for a message": message((2, 1)),
    "a message for a number": message((2, message((3, "x")))),
    "text for a message": message((2, "\x07")),
    "JSON that is none": within(1, 17, 7, 1, value="{"),  # metadata.managedFields.fieldsV1.Raw
    "a time out of time": within(1, 8, 1, value=2**62),  # metadata.creationTimestamp.seconds
    "an IntOrString of a third type": within(2, 4, 2, 1, 1, value=2),  # spec.strategy.rollingUpdate.maxUnavailable.type
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_bytes_are_a_bad_request(data):
    with pytest.raises(StatusError) as refused:
        protobuf.decode(MAGIC + message((1, message((1, "apps/v1"), (2, "Deployment"))), (2, data)))
    assert refused.value.code == 400
    assert refused.value.message.startswith('Deployment in version "v1" cannot be handled as a Deployment: proto: ')


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{}", "expected prefix [107 56 115 0]"),
        (MAGIC + b"\x0a", "unexpected EOF"),
        (MAGIC, "Object 'Kind' is missing"),
        (body("", "Pod"), "Object 'apiVersion' is missing"),
        (body("example.org/v1", "Toy"), 'no kind "Toy" is registered for version "example.org/v1"'),
    ],
)
def test_an_envelope_that_does_not_say_what_it_holds(data, why):
    with pytest.raises(StatusError) as refused:
        protobuf.decode(data)
    assert refused.value.code == 400
    assert why in refused.value.message


def test_depth_is_bounded():
    def nested(levels: int) -> bytes:
        data = message((5, "object"))
        for _ in range(levels):
            data = message((28, data))
        return data

    definition = f"{APIEXTENSIONS}.JSONSchemaProps"
    assert NUMBERS.decode(nested(MAX_DEPTH), definition)
    with pytest.raises(StatusError, match="nested too deeply"):
        NUMBERS.decode(nested(MAX_DEPTH + 1), definition)


DEFINITIONS = st.sampled_from(sorted(name for name in NUMBERS.lines if name in schema.schema().definitions))
LEAVES = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.binary(max_size=12),
    st.sampled_from([b'{"a":1}', "", "12", "1Gi"]),
)
FIELDS = st.recursive(
    LEAVES,
    lambda inner: st.lists(st.tuples(st.integers(1, 45), inner), max_size=6).map(lambda fields: message(*fields)),
    max_leaves=40,
)
MESSAGES = st.lists(st.tuples(st.integers(1, 45), FIELDS), max_size=10).map(lambda fields: message(*fields))


@given(definition=DEFINITIONS, data=st.one_of(MESSAGES, st.binary(max_size=80)))
def test_any_bytes_are_an_object_or_refused(definition, data):
    code = 400
    try:
        obj = NUMBERS.decode(data, definition)
        typeschema.decode(obj, schema.named(definition))
    except StatusError as refused:
        code = refused.code
    assert code == 400


@given(st.binary(max_size=60))
def test_any_body_is_an_object_or_refused(data):
    for given_body in (data, MAGIC + data):
        with pytest.raises(StatusError) as refused:
            protobuf.decode(given_body)
        assert refused.value.code == 400


# The table

# Structs that JSON shows flattened into others, and which therefore have no definition of their own.
EMBEDDED = {
    "io.k8s.api.admissionregistration.v1.Rule", f"{CORE}.EphemeralContainerCommon", f"{CORE}.PersistentVolumeSource",
    f"{CORE}.ProbeHandler", f"{CORE}.VolumeSource", "io.k8s.api.networking.v1.IngressRuleValue",
    "io.k8s.api.resource.v1.DeviceConfiguration",
}  # fmt: skip
# Go keeps the kind and apiVersion of these in the envelope, not in the object.
TYPE_META = {"apiVersion", "kind"}


def reached() -> set[str]:
    """Every definition that a body can contain."""
    found: set[str] = set()
    todo = [schema.named(definition) for definition in BODIES]
    while todo:
        node = todo.pop()
        while node.kind in (typeschema.LIST, typeschema.MAP):
            node = node.items
        if node.definition and node.definition not in found:
            found.add(node.definition)
            todo += node.fields.values()
    return found


def names(struct: str) -> list[str]:
    """The fields of a struct as JSON shows them."""
    shown = []
    for _, written in NUMBERS.lines[struct]:
        if written.startswith("@"):
            shown += names(f"{struct.rpartition('.')[0]}.{written[1:]}")
        else:
            shown.append(written.lstrip("*-"))
    return shown


def test_every_line_is_of_a_definition_that_a_body_can_contain():
    assert set(NUMBERS.lines) - reached() == EMBEDDED


def test_every_field_has_one_number():
    for definition in reached():
        node = schema.named(definition)
        if node.kind != typeschema.OBJECT:
            continue
        shown = names(definition)
        assert len(shown) == len(set(shown)), definition
        assert set(shown) == set(node.fields) - (TYPE_META if node.gvks else set()), definition
        numbers = [number for number, _ in NUMBERS.lines[definition]]
        assert numbers == sorted(set(numbers)), definition


def test_marks_say_what_the_definitions_do_not():
    for definition in set(NUMBERS.lines) - EMBEDDED:
        required = schema.named(definition).required
        for _, written in NUMBERS.lines[definition]:
            assert not (written[0] == "-" and written[1:] not in required), (definition, written)


def test_what_is_no_struct_has_its_own_form():
    others = {schema.named(definition).name for definition in reached() if definition not in NUMBERS.lines}
    assert others == {"FieldsV1", "IntOrString", "JSON", "MicroTime", "Quantity", "RawExtension", "Time"}
