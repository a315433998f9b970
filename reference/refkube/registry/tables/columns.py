"""Columns of Tables, their compact notation, and ages.

`registry.tables` and its printers use it. In the table below a line is "definition: Title[*][:type] | text; ...": the
star marks a column of `kubectl get -o wide`, the type is string unless told otherwise. A description
"@core.v1.PodSpec.nodeName" stands for that field's published description; among the columns of core.v1.Pod
"@Spec.nodeName" is the same. Names, types and texts are those of kubernetes/pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from refkube.api import schema
from refkube.apimachinery.meta import Object, metadata_of, name_of
from refkube.engine.clock import parse_rfc3339

Cells = list[Any]
UNKNOWN = "<unknown>"


class Column(NamedTuple):
    """`about` is the description, or what it stands for."""

    name: str
    type: str
    about: str
    priority: int = 0
    format: str = ""


class Printer(NamedTuple):
    """`cells(object, now)` gives what the columns other than NAME and AGE hold, in order; `name` what NAME has."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, float], Cells]
    name: Callable[[Object], str] = name_of


NAME = Column("Name", "string", "@meta.v1.ObjectMeta.name", format="name")
AGE = Column("Age", "string", "@meta.v1.ObjectMeta.creationTimestamp")
_COMMON = {
    "Name": NAME,
    "Age": AGE,
    "Containers*": Column("Containers", "string", "Names of each container in the template.", 1),
    "Images*": Column("Images", "string", "Images referenced by each container in the template.", 1),
}

_TABLE = """
admissionregistration.v1.MutatingAdmissionPolicy: Name;
  Mutations:integer | Mutation indicates the number of mutations rules defined in this configuration;
  ParamKind | ParamKind specifies the kind of resources used to parameterize this policy; Age
admissionregistration.v1.MutatingWebhookConfiguration admissionregistration.v1.ValidatingWebhookConfiguration: Name;
  Webhooks:integer | Webhooks indicates the number of webhooks registered in this configuration; Age
admissionregistration.v1.ValidatingAdmissionPolicy: Name;
  Validations:integer | Validations indicates the number of validation rules defined in this configuration;
  ParamKind | ParamKind specifies the kind of resources used to parameterize this policy; Age
admissionregistration.v1.ValidatingAdmissionPolicyBinding admissionregistration.v1.MutatingAdmissionPolicyBinding:
  Name; PolicyName | PolicyName indicates the policy definition which the policy binding binded to;
  ParamRef | ParamRef indicates the param resource which sets the configration param; Age
apiregistration.v1.APIService: Name; Service | The reference to the service that hosts this API endpoint.;
  Available | Whether this service is available.; Age
apps.v1.ControllerRevision: Name; Controller | Controller of the object; Revision | @.revision; Age
apps.v1.DaemonSet: Name; Desired:integer | @Status.desiredNumberScheduled;
  Current:integer | @Status.currentNumberScheduled; Ready:integer | @Status.numberReady;
  Up-to-date:integer | @Status.updatedNumberScheduled; Available:integer | @Status.numberAvailable;
  Node Selector | @core.v1.PodSpec.nodeSelector; Age; Containers*; Images*; Selector* | @Spec.selector
apps.v1.Deployment: Name; Ready | Number of the pod with ready state; Up-to-date | @Status.updatedReplicas;
  Available | @Status.availableReplicas; Age; Containers*; Images*; Selector* | @Spec.selector
apps.v1.ReplicaSet: Name; Desired:integer | @Spec.replicas; Current:integer | @Status.replicas;
  Ready:integer | @Status.readyReplicas; Age; Containers*; Images*; Selector* | @Spec.selector
apps.v1.StatefulSet: Name; Ready | Number of the pod with ready state; Age; Containers*; Images*
autoscaling.v1.Scale: Name; Desired:integer | @Spec.replicas; Available:integer | @Status.replicas; Age
autoscaling.v2.HorizontalPodAutoscaler autoscaling.v1.HorizontalPodAutoscaler: Name;
  Reference | @Spec.scaleTargetRef; Targets | @Spec.metrics; MinPods | @Spec.minReplicas;
  MaxPods | @Spec.maxReplicas; Replicas | @Status.currentReplicas; Age
batch.v1.CronJob: Name; Schedule | @Spec.schedule; Timezone | @Spec.timeZone; Suspend:boolean | @Spec.suspend;
  Active:integer | @Status.active; Last Schedule | @Status.lastScheduleTime; Age; Containers*; Images*;
  Selector* | @batch.v1.JobSpec.selector
batch.v1.Job: Name; Status | Status of the job.; Completions | @Status.succeeded;
  Duration | Time required to complete the job.; Age; Containers*; Images*; Selector* | @Spec.selector
certificates.v1.CertificateSigningRequest: Name; Age; SignerName | @Spec.signerName; Requestor | @Spec.request;
  RequestedDuration | @Spec.expirationSeconds; Condition | @Status.conditions
coordination.v1.Lease: Name; Holder | @Spec.holderIdentity; Age
core.v1.ComponentStatus: Name; Status | Status of the component conditions;
  Message | Message of the component conditions; Error | Error of the component conditions
core.v1.ConfigMap: Name; Data | @.data; Age
core.v1.Endpoints: Name; Endpoints | @.subsets; Age
core.v1.Event events.v1.Event: Last Seen | @.lastTimestamp; Type | @.type; Reason | @.reason;
  Object | @.involvedObject; Subobject* | @core.v1.ObjectReference.fieldPath; Source* | @.source;
  Message | @.message; First Seen* | @.firstTimestamp; Count* | @.count; Name* | @meta.v1.ObjectMeta.name
core.v1.Namespace: Name; Status | The status of the namespace; Age
core.v1.Node: Name; Status | The status of the node; Roles | The roles of the node; Age;
  Version | @SystemInfo.kubeletVersion; Internal-IP* | @Status.addresses; External-IP* | @Status.addresses;
  OS-Image* | @SystemInfo.osImage; Kernel-Version* | @SystemInfo.kernelVersion;
  Container-Runtime* | @SystemInfo.containerRuntimeVersion
core.v1.PersistentVolume: Name; Capacity | @Spec.capacity; Access Modes | @Spec.accessModes;
  Reclaim Policy | @Spec.persistentVolumeReclaimPolicy; Status | @Status.phase; Claim | @Spec.claimRef;
  StorageClass | StorageClass of the pv; VolumeAttributesClass | VolumeAttributesClass of the pv;
  Reason | @Status.reason; Age; VolumeMode* | @Spec.volumeMode
core.v1.PersistentVolumeClaim: Name; Status | @Status.phase; Volume | @Spec.volumeName; Capacity | @Status.capacity;
  Access Modes | @Status.accessModes; StorageClass | StorageClass of the pvc;
  VolumeAttributesClass | VolumeAttributesClass of the pvc; Age; VolumeMode* | @Spec.volumeMode
core.v1.Pod: Name; Ready | The aggregate readiness state of this pod for accepting traffic.;
  Status | The aggregate status of the containers in this pod.; Restarts | The number of times the containers in
  this pod have been restarted and when the last container in this pod has restarted.; Age; IP* | @Status.podIP;
  Node* | @Spec.nodeName; Nominated Node* | @Status.nominatedNodeName; Readiness Gates* | @Spec.readinessGates
core.v1.PodTemplate: Name; Containers | Names of each container in the template.;
  Images | Images referenced by each container in the template.; Pod Labels | The labels for the pod template.
core.v1.ReplicationController: Name; Desired:integer | @Spec.replicas; Current:integer | @Status.replicas;
  Ready:integer | @Status.readyReplicas; Age; Containers*; Images*; Selector* | @Spec.selector
core.v1.ResourceQuota: Name;
  Request | Request represents a minimum amount of cpu/memory that a container may consume.; Limit | Limits control
  the maximum amount of cpu/memory that a container may use independent of contention on the node.; Age
core.v1.Secret: Name; Type | @.type; Data | @.data; Age
core.v1.Service: Name; Type | @Spec.type; Cluster-IP | @Spec.clusterIP; External-IP | @Spec.externalIPs;
  Port(s) | @Spec.ports; Age; Selector* | @Spec.selector
core.v1.ServiceAccount: Name; Age
discovery.v1.EndpointSlice: Name; AddressType | @.addressType; Ports | @.ports; Endpoints | @.endpoints; Age
flowcontrol.v1.FlowSchema: Name; PriorityLevel | @flowcontrol.v1.PriorityLevelConfigurationReference.name;
  MatchingPrecedence | @Spec.matchingPrecedence; DistinguisherMethod | @Spec.distinguisherMethod; Age;
  MissingPL | references a broken or non-existent PriorityLevelConfiguration
flowcontrol.v1.PriorityLevelConfiguration: Name; Type | @Spec.type;
  NominalConcurrencyShares | @flowcontrol.v1.LimitedPriorityLevelConfiguration.nominalConcurrencyShares;
  Queues | @flowcontrol.v1.QueuingConfiguration.queues; HandSize | @flowcontrol.v1.QueuingConfiguration.handSize;
  QueueLengthLimit | @flowcontrol.v1.QueuingConfiguration.queueLengthLimit; Age
networking.v1.IPAddress: Name; ParentRef | @Spec.parentRef
networking.v1.Ingress: Name;
  Class | The name of the IngressClass resource that should be used for additional configuration;
  Hosts | Hosts that incoming requests are matched against before the ingress rule;
  Address | Address is a list containing ingress points for the load-balancer;
  Ports | Ports of TLS configurations that open; Age
networking.v1.IngressClass: Name; Controller | Controller that is responsible for handling this class;
  Parameters | A reference to a resource with additional parameters; Age
networking.v1.NetworkPolicy: Name; Pod-Selector | @Spec.podSelector; Age
networking.v1.ServiceCIDR: Name; CIDRs | @Spec.cidrs; Age
node.v1.RuntimeClass: Name; Handler; Age
policy.v1.PodDisruptionBudget: Name; Min Available | The minimum number of pods that must be available.;
  Max Unavailable | The maximum number of pods that may be unavailable.;
  Allowed Disruptions:integer | Calculated number of pods that may be disrupted at this time.; Age
rbac.v1.ClusterRoleBinding: Name; Role | @.roleRef; Age; Users* | Users in the clusterRoleBinding;
  Groups* | Groups in the clusterRoleBinding; ServiceAccounts* | ServiceAccounts in the clusterRoleBinding
rbac.v1.RoleBinding: Name; Role | @.roleRef; Age; Users* | Users in the roleBinding;
  Groups* | Groups in the roleBinding; ServiceAccounts* | ServiceAccounts in the roleBinding
resource.v1.DeviceClass: Name; Age
resource.v1.ResourceClaim: Name; State | A summary of the current state (allocated, pending, reserved, etc.).; Age
resource.v1.ResourceClaimTemplate: Name; Age
resource.v1.ResourceSlice: Name; Node | @Spec.nodeName; Driver | @Spec.driver;
  Pool | @resource.v1.ResourcePool.name; Age
scheduling.v1.PriorityClass: Name; Value:integer | @.value; Global-Default:boolean | @.globalDefault; Age;
  PreemptionPolicy | @.preemptionPolicy
storage.v1.CSIDriver: Name; AttachRequired:boolean | @Spec.attachRequired;
  PodInfoOnMount:boolean | @Spec.podInfoOnMount; StorageCapacity:boolean | @Spec.storageCapacity;
  TokenRequests | @Spec.tokenRequests; RequiresRepublish:boolean | @Spec.requiresRepublish;
  Modes | @Spec.volumeLifecycleModes; Age
storage.v1.CSINode: Name; Drivers:integer | Drivers indicates the number of CSI drivers registered on the node; Age
storage.v1.StorageClass: Name; Provisioner | @.provisioner; ReclaimPolicy | @.reclaimPolicy;
  VolumeBindingMode | @.volumeBindingMode; AllowVolumeExpansion | @.allowVolumeExpansion; Age
storage.v1.VolumeAttachment: Name; Attacher | @Spec.attacher; PV | @Source.persistentVolumeName;
  Node | @Spec.nodeName; Attached:boolean | @Status.attached; Age
storage.v1.VolumeAttributesClass: Name; DriverName | @.driverName; Age
"""


def parse(definition: str, text: str) -> tuple[Column, ...]:
    """The columns that `text` writes, for objects of `definition` ("core.v1.Pod")."""
    return tuple(_column(definition, part.strip()) for part in text.split(";"))


def _column(definition: str, text: str) -> Column:
    if text in _COMMON:
        return _COMMON[text]
    title, _, about = (part.strip() for part in text.partition("|"))
    title, _, kind = title.partition(":")
    if about.startswith("@") and about.count(".") == 1:
        about = f"@{definition}{about[1:]}"
    name = title.removesuffix("*")
    return Column(
        name, kind or "string", about, int(title.endswith("*")), "name" if name in ("Name", "Attacher") else ""
    )


def _parse_table(text: str) -> dict[str, tuple[Column, ...]]:
    columns = {}
    for line in text.strip().replace("\n  ", " ").split("\n"):
        names, _, written = line.partition(":")
        definitions = names.split()
        columns.update(dict.fromkeys(definitions, parse(definitions[0], written)))
    return columns


COLUMNS = _parse_table(_TABLE)  # by definition: "core.v1.Pod"


@lru_cache
def definitions(columns: tuple[Column, ...]) -> list[Object]:
    """The columns as metav1.TableColumnDefinition."""
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": describe(column.about),
            "priority": column.priority,
        }
        for column in columns
    ]


def describe(about: str) -> str:
    """The published description that "@core.v1.PodSpec.nodeName" stands for; other text as it is. KeyError if the
    field does not exist."""
    if not about.startswith("@"):
        return about
    definition, _, field = about[1:].rpartition(".")
    room = "io.k8s.apimachinery.pkg.apis." if definition.startswith("meta.") else "io.k8s.api."
    text: str = schema.schema().definitions[room + definition]["properties"][field].get("description", "")
    return text


def age_of(obj: Object, now: float) -> str:
    return since(metadata_of(obj).get("creationTimestamp"), now)


def since(stamp: str | None, now: float) -> str:
    """The time from an RFC 3339 stamp to `now` (unix seconds), for people."""
    return human_duration(now - parse_rfc3339(stamp)) if stamp else UNKNOWN


def human_duration(seconds: float) -> str:
    """A duration with two or three significant figures: "119s", "5m3s", "4h30m", "47h", "7d23h", "3y10d"
    (apimachinery/pkg/util/duration.HumanDuration). A second of clock skew counts as nothing."""
    s = int(seconds)
    minutes, hours, days = s // 60, s // 3600, s // 86400
    if s < 0:
        return "0s" if s == -1 else "<invalid>"
    if s < 120:
        return f"{s}s"
    if minutes < 10:
        return _two(minutes, "m", s % 60, "s")
    if minutes < 3 * 60:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
