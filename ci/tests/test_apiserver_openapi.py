"""refkube.apiserver.openapi: the API as OpenAPI tells it."""

import dataclasses

import pytest
from refkube.api import schema
from refkube.api.kinds import KINDS, by_api_version
from refkube.apiserver.openapi import PROTOBUF, OpenAPI

OPENAPI = OpenAPI()
PLACES = sorted({f"apis/{kind.api_version}" if kind.group else "api/v1" for kind in KINDS})
METHODS = {"get", "put", "post", "delete", "patch"}


def got(path):
    return OPENAPI.document(path).object


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def described(document):
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item, item[method]


def test_the_index_names_every_group_version_with_its_hash():
    paths = got("/openapi/v3")["paths"]
    assert sorted(paths) == PLACES
    for place, told in paths.items():
        document = OPENAPI.document(f"/openapi/v3/{place}")
        assert told["serverRelativeURL"] == f"/openapi/v3/{place}?hash={document.etag[1:-1]}"
        assert document is OPENAPI.document(f"/openapi/v3/{place}")


@pytest.mark.parametrize("place", PLACES)
def test_a_group_version_is_whole(place):
    document = got(f"/openapi/v3/{place}")
    schemas = document["components"]["schemas"]
    assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} <= set(schemas)
    served = [kind for kind in KINDS if place in (f"apis/{kind.api_version}", f"api/{kind.api_version}")]
    assert {kind.definition for kind in served} <= set(schemas)
    names = [operation["operationId"] for *_, operation in described(document)]
    assert len(names) == len(set(names))
    for path, _, item, operation in described(document):
        inside = {parameter["name"] for parameter in item.get("parameters", ())}
        assert inside == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert all("schema" in parameter for parameter in operation["parameters"])
        assert "401" in operation["responses"]


def test_version_3_and_2_describe_the_same_operations():
    version_2 = {(path, method): operation for path, method, _, operation in described(got("/openapi/v2"))}
    version_3 = {}
    for place in PLACES:
        version_3 |= {(path, method): told for path, method, _, told in described(got(f"/openapi/v3/{place}"))}
    assert {key: told["operationId"] for key, told in version_2.items()} == {
        key: told["operationId"] for key, told in version_3.items()
    }
    names = {told["operationId"] for told in version_2.values()}
    assert len(names) == len(version_2)
    assert {
        "listCoreV1NamespacedPod", "listCoreV1PodForAllNamespaces", "readCoreV1Namespace",
        "createCoreV1NamespacedPodEviction",
        "patchAppsV1NamespacedDeploymentScale", "deleteRbacAuthorizationV1CollectionClusterRole",
        "replaceCoreV1NamespaceFinalize", "createAuthorizationV1NamespacedLocalSubjectAccessReview",
    } <= names  # fmt: skip


def test_every_verb_of_every_kind_has_its_path():
    version_2 = got("/openapi/v2")["paths"]
    methods = {"create": "post", "update": "put", "patch": "patch", "get": "get", "list": "get", "delete": "delete"}
    for kind in KINDS:
        base = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
        collection = f"{base}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"
        for verb in set(kind.verbs) & set(methods):
            path = collection if verb in ("create", "list") else f"{collection}/{{name}}"
            assert methods[verb] in version_2[path], (kind.resource, verb)
        for name in kind.subresources:
            assert f"{collection}/{{name}}/{name}" in version_2


def test_a_patch_tells_what_kubectl_looks_for():
    patch = got("/openapi/v3/apis/apps/v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {parameter["name"] for parameter in patch["parameters"]} == {
        "pretty", "dryRun", "fieldManager", "fieldValidation", "force",
    }  # fmt: skip
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]
    scale = got("/openapi/v3/apis/apps/v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]
    assert scale["get"]["x-kubernetes-group-version-kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


def test_schemas_are_as_published():
    """Nothing is left of what the definitions' package made stricter."""
    schemas = got("/openapi/v3/api/v1")["components"]["schemas"]

    def strict(node):
        if isinstance(node, dict):
            yield from (
                [node] if isinstance(node.get("type"), list) or node.get("additionalProperties") is False else []
            )
            for name, value in node.items():
                yield from strict(list(value.values()) if name == "properties" else value)
        elif isinstance(node, list):
            for value in node:
                yield from strict(value)

    assert not list(strict(schemas))
    pod = schemas["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert "enum" not in pod["properties"]["kind"]
    assert pod["properties"]["spec"]["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]
    assert pod["properties"]["spec"]["description"].startswith("Specification of the desired behavior")
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert (containers["type"], containers["x-kubernetes-patch-merge-key"]) == ("array", "name")
    quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity"
    assert schemas[quantity]["oneOf"] == [{"type": "string"}, {"type": "number"}]
    version_2 = got("/openapi/v2")["definitions"]
    assert version_2[quantity] == {"type": "string"}
    assert set(version_2) == set(schema.schema().definitions)
    assert {reference.removeprefix("#/definitions/") for reference in references(got("/openapi/v2"))} <= set(version_2)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/openapi/v3/apis/none/v1", ""),
        ("/openapi", ""),
        ("/openapi/v3", PROTOBUF),
    ],
)
def test_what_is_not_served(path, accept):
    assert OPENAPI.document(path, accept) is None


def test_who_takes_but_protobuf_finds_a_version_2_without_types():
    document = OPENAPI.document("/openapi/v2", PROTOBUF)
    assert document.body == b"\x0a\x032.0"  # field 1, swagger
    assert document.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


@pytest.mark.parametrize("accept", ["", "application/json", "application/json, */*", "text/html, */*;q=0.1"])
def test_json_is_served_to_who_takes_it(accept):
    assert OPENAPI.document("/openapi/v3", accept).content_type == "application/json"


def test_streams_are_described_where_they_are_served():
    pod = by_api_version("v1", "Pod")
    openapi = OpenAPI([dataclasses.replace(pod, subresources=("exec", "log", "proxy"))])
    paths = openapi.document("/openapi/v3/api/v1").object["paths"]
    item = "/api/v1/namespaces/{namespace}/pods/{name}"
    assert paths[f"{item}/exec"]["get"]["operationId"] == "connectCoreV1GetNamespacedPodExec"
    assert paths[f"{item}/log"]["get"]["x-kubernetes-action"] == "get"
    assert set(paths[f"{item}/proxy"]) == METHODS | {"parameters"}
