"""refkube.apiserver.discovery: what clients learn of what is served."""

import dataclasses

import orjson
import pytest
from refkube.api.kinds import KINDS, by_api_version
from refkube.apiserver.discovery import AGGREGATED, JSON, SUBRESOURCES, Discovery, wants_aggregated

DISCOVERY = Discovery(address="10.0.0.1:6443")


def got(path, accept=""):
    return DISCOVERY.document(path, accept).object


def resources(path):
    return {resource["name"]: resource for resource in got(path)["resources"]}


def test_core_versions():
    assert got("/api") == {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}],
    }


def test_groups_stand_by_priority():
    names = [group["name"] for group in got("/apis")["groups"]]
    assert names[:4] == ["apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io"]
    assert names.index("admissionregistration.k8s.io") + 1 == names.index("apiextensions.k8s.io")
    assert names[-1] == "resource.k8s.io"
    assert set(names) == {kind.group for kind in KINDS} - {""}


def test_a_group_prefers_its_newest_version():
    group = got("/apis/autoscaling")
    assert (group["kind"], group["preferredVersion"]["version"]) == ("APIGroup", "v2")
    assert [version["groupVersion"] for version in group["versions"]] == ["autoscaling/v2", "autoscaling/v1"]


def test_resources_and_their_subresources():
    core = got("/api/v1")
    assert core["groupVersion"] == "v1"
    names = [resource["name"] for resource in core["resources"]]
    assert names == sorted(names)
    pods = resources("/api/v1")
    assert pods["pods"] == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    assert pods["pods/eviction"] == {
        "name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy", "version": "v1",
        "kind": "Eviction", "verbs": ["create"],
    }  # fmt: skip
    assert pods["pods/status"]["verbs"] == ["get", "patch", "update"]
    assert "group" not in pods["pods/binding"]
    assert pods["serviceaccounts/token"]["kind"] == "TokenRequest"
    assert "storageVersionHash" not in pods["bindings"]
    scale = resources("/apis/apps/v1")["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


@pytest.mark.parametrize(
    ("path", "resource", "told"),
    [
        ("/apis/autoscaling/v1", "horizontalpodautoscalers", "qwQve8ut294="),  # stored as v2
        ("/apis/autoscaling/v2", "horizontalpodautoscalers", "qwQve8ut294="),
        ("/apis/events.k8s.io/v1", "events", "r2yiGXH7wu8="),  # stored as core/v1
        ("/api/v1", "events", "r2yiGXH7wu8="),
        ("/apis/apps/v1", "deployments", "8aSe+NMegvE="),
    ],
)
def test_hash_of_the_storage_version(path, resource, told):
    assert resources(path)[resource]["storageVersionHash"] == told


def test_every_kind_is_listed_once():
    for kind in KINDS:
        path = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
        assert resources(path)[kind.plural]["kind"] == kind.kind
    every = [
        r for kind in {k.api_version for k in KINDS} for r in resources(f"/apis/{kind}" if "/" in kind else "/api/v1")
    ]
    assert len(every) == sum(1 + len(kind.subresources) for kind in KINDS)


@pytest.mark.parametrize(
    ("accept", "aggregated"),
    [
        ("", False),
        ("application/json", False),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", True),
        ("application/json; as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io", True),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList;profile=nopeer", True),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", False),
        ("application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", False),
    ],
)
def test_choosing_the_aggregated_form(accept, aggregated):
    assert wants_aggregated(accept) is aggregated
    assert DISCOVERY.document("/apis", accept).content_type == (AGGREGATED if aggregated else JSON)


def test_aggregated_discovery_tells_the_same():
    apis, core = got("/apis", AGGREGATED), got("/api", AGGREGATED)
    assert (apis["kind"], apis["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    assert [group["metadata"]["name"] for group in apis["items"]] == [group["name"] for group in got("/apis")["groups"]]
    assert core["items"][0]["metadata"] == {}
    for group in (*apis["items"], *core["items"]):
        for version in group["versions"]:
            name = group["metadata"].get("name", "")
            listed = resources(f"/apis/{name}/{version['version']}" if name else "/api/v1")
            flat = {}
            for resource in version["resources"]:
                flat[resource["resource"]] = resource
                for sub in resource.get("subresources", ()):
                    flat[f"{resource['resource']}/{sub['subresource']}"] = sub
            assert {name: told["verbs"] for name, told in flat.items()} == {
                n: told["verbs"] for n, told in listed.items()
            }
            assert all(flat[name]["responseKind"]["kind"] == told["kind"] for name, told in listed.items())


def test_a_document_is_encoded_once():
    document = DISCOVERY.document("/apis/apps/v1")
    assert document is DISCOVERY.document("/apis/apps/v1/")
    assert orjson.loads(document.body) == document.object
    assert len(document.etag) == 130


@pytest.mark.parametrize("path", ["/healthz", "/apis/none", "/apis/apps/v9", "/apis//v1", "/api/v2", "/api/v1/pods"])
def test_other_paths_are_not_discovery(path):
    assert DISCOVERY.document(path) is None


def test_the_index_leads_to_every_document_of_discovery():
    paths = got("/")["paths"]
    assert paths == sorted(paths)
    assert {"/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/openapi/v2", "/version"} <= set(paths)
    groups = [path for path in paths if path.startswith("/api")]
    assert all(DISCOVERY.document(path) is not None for path in groups)


def test_version():
    version = got("/version")
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "36", "v1.36.0")


def test_kinds_beyond_the_release_and_subresources_that_stream():
    pod = by_api_version("v1", "Pod")
    more = dataclasses.replace(pod, subresources=tuple(SUBRESOURCES), group="e.io", version="v1alpha1", plural="ps")
    discovery = Discovery((*KINDS, more))
    assert discovery.groups()[-1] == "e.io"
    listed = {r["name"]: r for r in discovery.document("/apis/e.io/v1alpha1").object["resources"]}
    assert listed["ps/proxy"]["kind"] == "PodProxyOptions"
    assert listed["ps/exec"]["verbs"] == ["create", "get"]
