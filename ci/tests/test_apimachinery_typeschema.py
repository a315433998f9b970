"""Decoding by the published definitions: what stays, what goes, what is refused and in which words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.api import defaults, schema
from refkube.api.kinds import KINDS, by_api_version
from refkube.apimachinery import typeschema
from refkube.apimachinery.errors import StatusError


def kind(api_version: str, name: str) -> Any:
    found = by_api_version(api_version, name)
    assert found
    return found


POD = kind("v1", "Pod")
MANIFESTS = Path(__file__).parents[2] / "features" / "manifests"
WHOLE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "creationTimestamp": "2026-01-31T00:00:00Z",
        "labels": {"app": "web"},
        "managedFields": [{"fieldsV1": {"f:x": {".": {}, "null": None}}}],
    },
    "spec": {
        "containers": [{"name": "c", "resources": {"limits": {"cpu": "500m", "memory": "1Gi", "x": "3"}},
                        "livenessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 10}}],
        "priority": -5,
        "tolerations": [{"tolerationSeconds": 2**40}],
    },
}  # fmt: skip


def test_every_served_kind_has_a_type_and_a_validator() -> None:
    for each in KINDS:
        node = schema.schema_of(each)
        assert (each.group, each.version, each.kind) in node.gvks
        assert (
            schema.decode({"apiVersion": each.api_version, "kind": each.kind, "metadata": {"name": "a"}}, each).unknown
            == []
        )


def test_what_needs_no_change_is_returned_as_it_is_by_validator_and_walker() -> None:
    assert schema.decode(WHOLE, POD).object is WHOLE
    assert schema.validator(POD.definition)(WHOLE)
    assert typeschema.decode(WHOLE, schema.schema_of(POD)).object is WHOLE


@pytest.mark.parametrize(
    ("given_", "decoded", "unknown"),
    [
        ({"metadata": {"creationTimestamp": None, "name": "a"}, "status": None}, {"metadata": {"name": "a"}}, []),
        ({"spec": {"containers": None}}, {"spec": {}}, []),
        ({"metadata": {"labels": {"a": None}}}, {"metadata": {"labels": {"a": ""}}}, []),
        ({"spec": {"containers": [None]}}, {"spec": {"containers": [{}]}}, []),
        ({"foo": 1, "metadata": {"bar": None}}, {"metadata": {}}, ["foo", "metadata.bar"]),
        (
            {"spec": {"containers": [{"name": "a"}, {"env": [{"nme": 1}], "Name": "b"}]}},
            {"spec": {"containers": [{"name": "a"}, {"env": [{}]}]}},
            ["spec.containers[1].env[0].nme", "spec.containers[1].Name"],
        ),
        ({"spec": {"overhead": {"cpu": 1, "memory": 0.5, "x": "1000m"}}},
         {"spec": {"overhead": {"cpu": "1", "memory": "500m", "x": "1"}}}, []),
        ({"metadata": {"creationTimestamp": "2026-02-28T23:00:00.5-02:30"}},
         {"metadata": {"creationTimestamp": "2026-03-01T01:30:00Z"}}, []),
        ({"metadata": {"creationTimestamp": "0001-01-01T00:00:00Z"}}, {"metadata": {}}, []),
    ],
)  # fmt: skip
def test_nulls_and_unknown_fields_go_and_values_become_canonical(given_: Any, decoded: Any, unknown: list[str]) -> None:
    before = copy.deepcopy(given_)
    assert schema.decode(given_, POD) == (decoded, [f'unknown field "{path}"' for path in unknown])
    assert given_ == before


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ([], "json: cannot unmarshal array into Go value of type v1.Pod"),
        ({"kind": 1}, "json: cannot unmarshal number into Go struct field Pod.kind of type string"),
        ({"spec": "x"}, "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"),
        ({"spec": {"containers": {}}},
         "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"),
        ({"spec": {"containers": [{"env": [{"name": "a", "value": 1}]}]}},
         "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string"),
        ({"metadata": {"labels": {"a": True}}},
         "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string"),
        ({"metadata": {"labels": []}},
         "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string"),
        ({"spec": {"priority": "1"}},
         "json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32"),
        ({"spec": {"priority": 1.0}},
         "json: cannot unmarshal number 1.0 into Go struct field PodSpec.spec.priority of type int32"),
        ({"spec": {"priority": 2**31}},
         "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32"),
        ({"spec": {"hostNetwork": "true"}},
         "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"),
        ({"spec": {"overhead": {"cpu": "1x"}}}, "quantities must match the regular expression "
         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ({"spec": {"overhead": {"cpu": True}}}, "quantities must match the regular expression "
         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ({"spec": {"overhead": {"cpu": "1Kim"}}}, "unable to parse quantity's suffix"),
        ({"spec": {"containers": [{"livenessProbe": {"tcpSocket": {"port": 1.5}}}]}},
         "json: cannot unmarshal number 1.5 into Go value of type int32"),
        ({"spec": {"containers": [{"livenessProbe": {"tcpSocket": {"port": {}}}}]}},
         "json: cannot unmarshal object into Go value of type int32"),
        ({"metadata": {"creationTimestamp": 1}}, "json: cannot unmarshal number into Go value of type string"),
        ({"metadata": {"creationTimestamp": "2026-1-01T00:00:00Z"}},
         'parsing time "2026-1-01T00:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse "1-01T00:00:00Z" as "01"'),
        ({"metadata": {"creationTimestamp": "2026-01-01"}},
         'parsing time "2026-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'),
        ({"metadata": {"creationTimestamp": "2026-02-29T00:00:00Z"}},
         'parsing time "2026-02-29T00:00:00Z": day out of range'),
        ({"metadata": {"creationTimestamp": "2026-13-29T00:00:00Z"}},
         'parsing time "2026-13-29T00:00:00Z": month out of range'),
        ({"metadata": {"creationTimestamp": "2026-01-01T00:00:00"}},
         'parsing time "2026-01-01T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"'),
    ],
)  # fmt: skip
def test_a_wrong_type_is_a_bad_request_in_upstreams_words(body: Any, detail: str) -> None:
    with pytest.raises(StatusError) as caught:
        schema.decode(body, POD)
    assert caught.value.code == 400
    assert caught.value.message == f'Pod in version "v1" cannot be handled as a Pod: {detail}'


def test_micro_times_have_six_digits() -> None:
    lease = kind("coordination.k8s.io/v1", "Lease")
    body = {"spec": {"renewTime": "2026-01-01T01:00:00.250000+01:00"}}
    assert schema.decode(body, lease).object == {"spec": {"renewTime": "2026-01-01T00:00:00.250000Z"}}
    with pytest.raises(StatusError, match=r'cannot parse "Z" as ".000000"'):
        schema.decode({"spec": {"renewTime": "2026-01-01T00:00:00Z"}}, lease)


def test_bytes_are_base64() -> None:
    secret = kind("v1", "Secret")
    assert schema.decode({"data": {"a": "YQ=="}}, secret).object == {"data": {"a": "YQ=="}}
    assert schema.decode({"data": {"a": "YW\nJj"}}, secret).object == {"data": {"a": "YWJj"}}
    for text, at in (("a", 0), ("YWJjYQ", 4), ("Y!Jj", 1), ("YWJj=", 4)):
        with pytest.raises(StatusError, match=f"illegal base64 data at input byte {at}"):
            schema.decode({"data": {"a": text}}, secret)


@pytest.mark.parametrize(
    ("api_version", "name", "given_", "kept"),
    [
        ("v1", "Pod", {"metadata": {"labels": {}, "annotations": {}, "finalizers": [], "name": ""}}, {"metadata": {}}),
        ("v1", "Pod", {"metadata": {"deletionGracePeriodSeconds": 0, "managedFields": []}}, None),  # to be reset
        ("v1", "Pod", {"spec": {"hostNetwork": False, "nodeName": "", "nodeSelector": {}, "containers": [
            {"name": "", "args": [], "stdin": False, "ports": [{"containerPort": 0, "hostPort": 0}]}]}},
         {"spec": {"containers": [{"name": "", "ports": [{"containerPort": 0}]}]}}),
        ("v1", "Pod", {"spec": {"priority": 0, "enableServiceLinks": False, "securityContext": {}, "containers": []}},
         None),
        ("v1", "Pod", {"spec": {"volumes": [{"name": "a", "emptyDir": {"medium": ""}}], "overhead": {}}},
         {"spec": {"volumes": [{"name": "a", "emptyDir": {}}]}}),
        ("v1", "Pod", {"spec": {"tolerations": [{}], "nodeSelector": {"": ""}}}, None),
        ("v1", "Pod", {"status": {"containerStatuses": [{"ready": False, "restartCount": 0, "started": False}]}}, None),
        ("v1", "ConfigMap", {"data": {}, "binaryData": {}, "immutable": False}, {"immutable": False}),
        ("v1", "Secret", {"data": {"a": ""}, "type": ""}, {"data": {"a": ""}}),
        ("apps/v1", "Deployment", {"spec": {"replicas": 0, "paused": False, "selector": {"matchLabels": {}}}},
         {"spec": {"replicas": 0, "selector": {}}}),
        ("apps/v1", "Deployment", {"status": {"replicas": 0, "terminatingReplicas": 0}},
         {"status": {"terminatingReplicas": 0}}),
        ("networking.k8s.io/v1", "NetworkPolicy", {"spec": {"podSelector": {}, "ingress": []}},
         {"spec": {"podSelector": {}}}),
        ("rbac.authorization.k8s.io/v1", "Role", {"rules": []}, None),  # optional, yet without omitempty
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding",
         {"spec": {"policyName": "", "validationActions": []}}, {"spec": {}}),  # required, yet with it
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
         {"webhooks": [{"name": "", "rules": [{"scope": "", "resources": []}]}]},
         {"webhooks": [{"name": "", "rules": [{"scope": ""}]}]}),  # from a struct within a struct
        ("apps/v1", "ControllerRevision", {"data": {"a": [], "b": 0}, "revision": 0}, None),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"spec": {"versions": [{"served": False, "schema": {
            "openAPIV3Schema": {"default": 0, "nullable": False, "x-kubernetes-preserve-unknown-fields": False}}}]}},
         {"spec": {"versions": [{"served": False, "schema": {
             "openAPIV3Schema": {"default": 0, "x-kubernetes-preserve-unknown-fields": False}}}]}}),
    ],
)  # fmt: skip
def test_what_is_empty_goes_where_go_omits_it(api_version: str, name: str, given_: Any, kept: Any) -> None:
    of = kind(api_version, name)
    before = copy.deepcopy(given_)
    assert schema.decode(given_, of) == (kept or given_, [])
    assert given_ == before
    assert schema.validator(of.definition)(given_) is (kept is None)
    assert schema.decode_applied(given_, of).object is given_


def test_what_is_empty_must_still_be_of_its_type() -> None:
    for body in ({"metadata": {"labels": []}}, {"spec": {"hostNetwork": 0}}, {"spec": {"nodeName": False}}):
        with pytest.raises(StatusError, match="cannot unmarshal"):
            schema.decode(body, POD)


@pytest.mark.parametrize("manifest", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_defaulted_objects_need_no_walk(manifest: Path) -> None:
    for obj in yaml.safe_load_all(manifest.read_text()):
        of = kind(obj["apiVersion"], obj["kind"])
        whole = defaults.default(of.group, of.kind, schema.decode(obj, of).object)
        assert schema.validator(of.definition)(whole)


def test_what_upstream_does_not_look_into_is_kept() -> None:
    revision = kind("apps/v1", "ControllerRevision")
    body = {"data": {"spec": {"x": None, "y": [1.5]}}, "revision": 1}
    assert schema.decode(body, revision).object is body


def test_a_deep_body_is_refused_not_a_crash() -> None:
    crd = kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"not": deep}
    with pytest.raises(StatusError, match="exceeded max depth"):
        typeschema.decode({"spec": {"versions": [{"schema": {"openAPIV3Schema": deep}}]}}, schema.schema_of(crd))


def test_nodes_tell_how_lists_and_maps_merge() -> None:
    spec = schema.schema_of(POD).fields["spec"]
    containers = spec.fields["containers"]
    assert (containers.list_type, containers.list_map_keys, containers.merge_key) == ("map", ("name",), "name")
    assert containers.items.fields["ports"].list_map_keys == ("containerPort", "protocol")
    assert spec.fields["volumes"].patch_strategies == ("merge", "retainKeys")
    assert spec.fields["nodeSelector"].map_type == "atomic"
    strategy = schema.schema_of(kind("apps/v1", "Deployment")).fields["spec"].fields["strategy"]
    assert (strategy.name, strategy.patch_strategies) == ("DeploymentStrategy", ("retainKeys",))
    assert strategy.field("nothing") is None
    assert spec.fields["nodeSelector"].field("any").kind == typeschema.STRING  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b'{"a":1,"b":[{"c":1}]}', []),
        (b'{ "a": 1 }\n', []),
        (b'{"a":1,"a":2}', ["a"]),
        (b'{"spec":{"list":[{},{"x":1,"y":2,"x":3}],"m":{"k":1,"k":1,"k":1}}}', ["spec.list[1].x", "spec.m.k"]),
        (b'{"a":{"b":1,"b":1},"a":{}}', ["a.b", "a"]),
        (b'{"a":"\\u003c"}', []),
    ],
)
def test_duplicate_fields_are_found(raw: bytes, fields: list[str]) -> None:
    assert typeschema.find_duplicate_fields(raw, orjson.loads(raw)) == [f'duplicate field "{path}"' for path in fields]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
SCALARS |= st.sampled_from(["1Gi", "0.5", "2026-01-01T00:00:00Z", "YQ==", "", 80, 2**31])


def trees(node: typeschema.Node, depth: int) -> st.SearchStrategy[Any]:
    """Objects that mostly fit a type, and sometimes do not."""
    if node.kind == typeschema.OBJECT and depth:
        fields = st.sampled_from(sorted(node.fields)) | st.just("bogus")
        return st.lists(fields, max_size=4, unique=True).flatmap(
            lambda keys: st.fixed_dictionaries(
                {key: trees(node.fields[key], depth - 1) if key in node.fields else SCALARS for key in keys}
            )
        ) | SCALARS  # fmt: skip
    if node.kind == typeschema.LIST and depth:
        return st.lists(trees(node.items, depth - 1), max_size=2) | SCALARS
    if node.kind == typeschema.MAP and depth:
        return st.dictionaries(st.text(max_size=3), trees(node.items, depth - 1), max_size=2) | SCALARS
    return SCALARS


@settings(max_examples=150)
@given(trees(schema.schema_of(POD), 5))
def test_the_validator_says_yes_only_to_what_the_walker_keeps_and_decoding_twice_changes_nothing(
    body: Any,
) -> None:
    node, before = schema.schema_of(POD), json.dumps(body)
    try:
        decoded = typeschema.decode(body, node)
    except StatusError:
        assert not schema.validator(POD.definition)(body)
        return
    assert json.dumps(body) == before
    assert typeschema.decode(decoded.object, node) == (decoded.object, [])
    if schema.validator(POD.definition)(body):
        assert decoded.object is body
        assert decoded.unknown == []
