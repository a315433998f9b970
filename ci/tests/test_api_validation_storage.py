"""Every rule of volumes, claims and storage.k8s.io: the change that breaks it, the path and the cause that are told."""

import pytest
from api_rows import (
    DUPLICATE,
    FORBIDDEN,
    GONE,
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    TOO_LONG,
    manifest,
    merged,
    on_create,
    on_status,
    on_update,
    told,
)

VOLUME = manifest("""
apiVersion: v1
kind: PersistentVolume
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  nfs: {server: 10.0.0.1, path: /data}
""")
CSI = {"spec.nfs": GONE, "spec.csi": {"driver": "csi.example.com", "volumeHandle": "v"}}
LOCAL = {"spec.nfs": GONE, "spec.local": {"path": "/mnt"}}
TERM = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
AFFINITY = {"spec.nodeAffinity": {"required": {"nodeSelectorTerms": [TERM]}}}


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({"metadata.namespace": "default"}, "metadata.namespace", FORBIDDEN),
        ({"spec.accessModes": GONE}, "spec.accessModes", REQUIRED),
        ({"spec.accessModes": ["Sometimes"]}, "spec.accessModes", NOT_SUPPORTED),
        ({"spec.accessModes[1]": "ReadWriteOncePod"}, "spec.accessModes", FORBIDDEN),
        ({"spec.capacity": {"storage": "1Gi", "cpu": "1"}}, "spec.capacity", NOT_SUPPORTED),
        ({"spec.capacity.storage": "0"}, "spec.capacity[storage]", INVALID),
        ({"spec.persistentVolumeReclaimPolicy": "Keep"}, "spec.persistentVolumeReclaimPolicy", NOT_SUPPORTED),
        ({"spec.nodeAffinity": {}}, "spec.nodeAffinity.required", REQUIRED),
        ({"spec.nodeAffinity.required": {}}, "spec.nodeAffinity.required.nodeSelectorTerms", REQUIRED),
        ({"spec.nfs": GONE}, "spec", REQUIRED),
        ({"spec.nfs.path": "data"}, "spec.nfs.path", INVALID),
        ({"spec.nfs.server": GONE}, "spec.nfs.server", REQUIRED),
        ({"spec.local": {"path": "/mnt"}}, "spec.local", FORBIDDEN),
        (LOCAL, "spec.nodeAffinity", REQUIRED),
        ({**LOCAL, **AFFINITY, "spec.local.path": ""}, "spec.local.path", REQUIRED),
        ({**LOCAL, **AFFINITY, "spec.local.path": "/a/../b"}, "spec.local.path", INVALID),
        ({**CSI, "spec.csi.driver": "a_b"}, "spec.csi.driver", INVALID),
        ({**CSI, "spec.csi.volumeHandle": GONE}, "spec.csi.volumeHandle", REQUIRED),
        (
            {**CSI, "spec.csi.nodePublishSecretRef": {"name": "a"}},
            "spec.csi.nodePublishSecretRef.namespace",
            REQUIRED,
        ),
        (
            {"spec.nfs": GONE, "spec.hostPath": {"path": "/"}, "spec.persistentVolumeReclaimPolicy": "Recycle"},
            "spec.persistentVolumeReclaimPolicy",
            FORBIDDEN,
        ),
        ({"spec.storageClassName": "A"}, "spec.storageClassName", INVALID),
        ({"spec.volumeMode": "Tape"}, "spec.volumeMode", NOT_SUPPORTED),
        ({**CSI, "spec.volumeAttributesClassName": ""}, "spec.volumeAttributesClassName", REQUIRED),
        ({**CSI, "spec.volumeAttributesClassName": "A"}, "spec.volumeAttributesClassName", INVALID),
        ({"spec.volumeAttributesClassName": "a"}, "spec.csi", REQUIRED),
    ],
)
def test_a_volume(changes, path, cause):
    assert told(on_create(VOLUME, changes)) == {(path, cause)}


def test_valid_volumes():
    assert on_create(VOLUME) == []
    assert on_create(VOLUME, CSI) == []
    assert on_create(VOLUME, {**LOCAL, **AFFINITY}) == []
    without = on_create(VOLUME, {"spec.capacity": GONE})
    assert told(without) == {("spec.capacity", REQUIRED), ("spec.capacity", NOT_SUPPORTED)}


@pytest.mark.parametrize(
    ("before", "changes", "path", "cause"),
    [
        ({}, {"spec.nfs.server": "10.0.0.2"}, "spec.persistentvolumesource", FORBIDDEN),
        ({}, {"spec.volumeMode": "Block"}, "volumeMode", INVALID),
        (AFFINITY, {"spec.nodeAffinity.required.nodeSelectorTerms[1]": TERM}, "nodeAffinity", INVALID),
        (
            {**CSI, "spec.volumeAttributesClassName": "a"},
            {"spec.volumeAttributesClassName": GONE},
            "spec.volumeAttributesClassName",
            FORBIDDEN,
        ),
    ],
)
def test_what_a_volume_may_not_change(before, changes, path, cause):
    assert told(on_update(merged(VOLUME, before), changes)) == {(path, cause)}


def test_what_a_volume_may_change():
    assert on_update(VOLUME, {"spec.capacity.storage": "2Gi", **AFFINITY}) == []
    secret = {"name": "a", "namespace": "b"}
    assert on_update(merged(VOLUME, CSI), {"spec.csi.controllerExpandSecretRef": secret}) == []


CLAIM = manifest("""
apiVersion: v1
kind: PersistentVolumeClaim
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
  storageClassName: fast
""")
STORAGE = "spec.resources.requests.storage"
BOUND = {"status.phase": "Bound", "status.capacity": {"storage": "1Gi"}, "spec.volumeName": "v"}


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({"spec.accessModes": []}, "spec.accessModes", REQUIRED),
        ({"spec.accessModes": ["X"]}, "spec.accessModes", NOT_SUPPORTED),
        ({"spec.accessModes[1]": "ReadWriteOncePod"}, "spec.accessModes", FORBIDDEN),
        ({"spec.selector": {"matchLabels": {"a b": ""}}}, "spec.selector.matchLabels", INVALID),
        ({STORAGE: GONE}, "spec.resources[storage]", REQUIRED),
        ({STORAGE: "0"}, "spec.resources[storage]", INVALID),
        ({"spec.storageClassName": "A"}, "spec.storageClassName", INVALID),
        ({"spec.volumeMode": "Tape"}, "spec.volumeMode", NOT_SUPPORTED),
        ({"spec.dataSource": {"kind": "PersistentVolumeClaim"}}, "spec.dataSource.name", REQUIRED),
        ({"spec.dataSource": {"apiGroup": "a.b", "name": "x"}}, "spec.dataSource.kind", REQUIRED),
        ({"spec.dataSource": {"kind": "Pod", "name": "x"}}, "spec.dataSource", INVALID),
        ({"spec.dataSourceRef": {"apiGroup": "A", "kind": "Pod", "name": "x"}}, "spec.dataSourceRef.apiGroup", INVALID),
        (
            {
                "spec.dataSource": {"kind": "PersistentVolumeClaim", "name": "x"},
                "spec.dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "y"},
            },
            "spec",
            INVALID,
        ),
    ],
)
def test_a_claim(changes, path, cause):
    assert on_create(CLAIM) == []
    assert told(on_create(CLAIM, changes)) == {(path, cause)}


@pytest.mark.parametrize(
    ("before", "changes", "expected"),
    [
        ({}, {"spec.volumeName": "v"}, set()),
        ({}, {STORAGE: "1024Mi"}, set()),
        (BOUND, {"spec.volumeName": "w"}, {("spec", FORBIDDEN)}),
        ({}, {"spec.accessModes": ["ReadOnlyMany"]}, {("spec", FORBIDDEN)}),
        ({}, {"spec.storageClassName": "slow"}, {("spec", FORBIDDEN)}),
        ({"spec.storageClassName": GONE}, {"spec.storageClassName": "slow"}, set()),
        ({}, {STORAGE: "2Gi"}, {("spec", FORBIDDEN)}),
        (BOUND, {STORAGE: "2Gi"}, set()),
        ({**BOUND, STORAGE: "3Gi"}, {STORAGE: "2Gi"}, set()),
        ({**BOUND, STORAGE: "3Gi"}, {STORAGE: "1Gi"}, {(STORAGE, FORBIDDEN)}),
        ({}, {"spec.volumeMode": "Block"}, {("spec", FORBIDDEN), ("volumeMode", INVALID)}),
        ({}, {"spec.volumeAttributesClassName": "gold"}, set()),
        (
            {"spec.volumeAttributesClassName": "gold"},
            {"spec.volumeAttributesClassName": GONE},
            {("spec.volumeAttributesClassName", FORBIDDEN)},
        ),
    ],
)
def test_a_claim_is_immutable_but_grows_when_it_is_bound(before, changes, expected):
    assert told(on_update(merged(CLAIM, before), changes)) == expected


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({"status.capacity": {"storage": "-1"}}, "status.capacity[storage]", INVALID),
        ({"status.allocatedResources": {"cpu": "1"}}, "status.allocatedResources", NOT_SUPPORTED),
        ({"status.allocatedResourceStatuses": {"storage": "X"}}, "status.allocatedResourceStatus", NOT_SUPPORTED),
        ({"spec.accessModes": []}, "Spec.accessModes", REQUIRED),
    ],
)
def test_a_claims_status(changes, path, cause):
    assert told(on_status(CLAIM, changes)) == {(path, cause)}


STORAGE_CLASS = manifest("{apiVersion: storage.k8s.io/v1, kind: StorageClass, provisioner: example.com/disk}")
EXPRESSION = "allowedTopologies[0].matchLabelExpressions"


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({"provisioner": ""}, "provisioner", REQUIRED),
        ({"provisioner": "a/b/c"}, "provisioner", INVALID),
        ({"parameters": {"": "x"}}, "parameters", INVALID),
        ({"parameters": {str(n): "" for n in range(513)}}, "parameters", TOO_LONG),
        ({"parameters": {"a": "x" * (256 << 10)}}, "parameters", TOO_LONG),
        ({"reclaimPolicy": "Recycle"}, "reclaimPolicy", NOT_SUPPORTED),
        ({"volumeBindingMode": GONE}, "volumeBindingMode", REQUIRED),
        ({"volumeBindingMode": "Later"}, "volumeBindingMode", NOT_SUPPORTED),
        ({f"{EXPRESSION}[0]": {"key": "zone"}}, f"{EXPRESSION}[0].values", REQUIRED),
        ({f"{EXPRESSION}[0]": {"key": "a b", "values": ["x"]}}, f"{EXPRESSION}[0].key", INVALID),
        ({f"{EXPRESSION}[0]": {"key": "a", "values": ["x", "x"]}}, f"{EXPRESSION}[0].values[1]", DUPLICATE),
        ({EXPRESSION: [{"key": "a", "values": ["x"]}] * 2}, f"{EXPRESSION}[1].key", DUPLICATE),
    ],
)
def test_a_storage_class(changes, path, cause):
    assert on_create(STORAGE_CLASS) == []
    assert told(on_create(STORAGE_CLASS, changes)) == {(path, cause)}


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({"parameters": {"a": "b"}}, "parameters", INVALID),
        ({"provisioner": "other"}, "provisioner", INVALID),
        ({"reclaimPolicy": "Retain"}, "reclaimPolicy", INVALID),
        ({"volumeBindingMode": "WaitForFirstConsumer"}, "volumeBindingMode", INVALID),
    ],
)
def test_a_storage_class_is_immutable(changes, path, cause):
    assert told(on_update(STORAGE_CLASS, changes)) == {(path, cause)}
    assert on_update(STORAGE_CLASS, {"allowVolumeExpansion": True}) == []


ATTACHMENT = manifest("""
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
spec: {attacher: csi.example.com, nodeName: n1, source: {persistentVolumeName: v}}
""")
DRIVER = manifest("{apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {name: csi.example.com}, spec: {}}")
CSI_NODE = manifest("""
apiVersion: storage.k8s.io/v1
kind: CSINode
spec: {drivers: [{name: csi.example.com, nodeID: n1, topologyKeys: [zone]}]}
""")
ATTRIBUTES = manifest("""
{apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, driverName: csi.example.com, parameters: {iops: "1"}}
""")
CAPACITY = manifest("{apiVersion: storage.k8s.io/v1, kind: CSIStorageCapacity, storageClassName: fast, capacity: 1Gi}")


@pytest.mark.parametrize(
    ("obj", "changes", "path", "cause"),
    [
        (ATTACHMENT, {"spec.attacher": ""}, "spec.attacher", REQUIRED),
        (ATTACHMENT, {"spec.source": {}}, "spec.source", REQUIRED),
        (ATTACHMENT, {"spec.source.inlineVolumeSpec": {}}, "spec.source", FORBIDDEN),
        (ATTACHMENT, {"spec.source.persistentVolumeName": ""}, "spec.source.persistentVolumeName", REQUIRED),
        (ATTACHMENT, {"spec.source.persistentVolumeName": "A"}, "spec.source.persistentVolumeName", INVALID),
        (ATTACHMENT, {"spec.nodeName": "N"}, "spec.nodeName", INVALID),
        (DRIVER, {"spec.attachRequired": GONE}, "spec.attachedRequired", REQUIRED),
        (DRIVER, {"spec.podInfoOnMount": GONE}, "spec.podInfoOnMount", REQUIRED),
        (DRIVER, {"spec.fsGroupPolicy": "X"}, "spec.fsGroupPolicy", NOT_SUPPORTED),
        (DRIVER, {"spec.volumeLifecycleModes[0]": "X"}, "spec.volumeLifecycleModes", NOT_SUPPORTED),
        (CSI_NODE, {"spec.drivers[0].nodeID": ""}, "spec.drivers[0].nodeID", REQUIRED),
        (CSI_NODE, {"spec.drivers[1]": {"name": "csi.example.com", "nodeID": "x"}}, "spec.drivers[1].name", DUPLICATE),
        (CSI_NODE, {"spec.drivers[0].allocatable.count": -1}, "spec.drivers[0].allocatable.count", INVALID),
        (CSI_NODE, {"spec.drivers[0].topologyKeys[1]": "zone"}, "spec.drivers[0].topologyKeys", DUPLICATE),
        (ATTRIBUTES, {"driverName": ""}, "driverName", REQUIRED),
        (ATTRIBUTES, {"parameters": {}}, "parameters", REQUIRED),
        (CAPACITY, {"storageClassName": "A"}, "storageClassName", INVALID),
        (CAPACITY, {"capacity": "-1"}, "capacity", INVALID),
    ],
)
def test_the_rest_of_storage(obj, changes, path, cause):
    assert on_create(obj) == []
    assert (path, cause) in told(on_create(obj, changes))


@pytest.mark.parametrize(
    ("obj", "changes", "path", "cause"),
    [
        (ATTACHMENT, {"spec.nodeName": "n2"}, "spec", INVALID),
        (DRIVER, {"spec.attachRequired": False}, "spec.attachRequired", INVALID),
        (ATTRIBUTES, {"parameters": {"iops": "2"}}, "parameters", FORBIDDEN),
        (CAPACITY, {"storageClassName": "slow"}, "storageClassName", INVALID),
    ],
)
def test_what_the_rest_may_not_change(obj, changes, path, cause):
    assert told(on_update(obj, changes)) == {(path, cause)}


def test_volumes_and_claims_are_defaulted():
    assert VOLUME["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert VOLUME["spec"]["volumeMode"] == CLAIM["spec"]["volumeMode"] == "Filesystem"
    assert VOLUME["status"] == CLAIM["status"] == {"phase": "Pending"}
    host = manifest(
        "{apiVersion: v1, kind: PersistentVolume, spec: {hostPath: {path: /a}, capacity: {storage: 1000Ki}}}"
    )
    assert host["spec"]["hostPath"] == {"path": "/a", "type": ""}
    assert (STORAGE_CLASS["reclaimPolicy"], STORAGE_CLASS["volumeBindingMode"]) == ("Delete", "Immediate")
    assert DRIVER["spec"]["volumeLifecycleModes"] == ["Persistent"]
