"""The one table of kinds: every kind of a GA version in the release, with its names, scope and subresources.

Verbs, discovery, OpenAPI, tables and `explain` derive from it. What a kind *does* is elsewhere: defaults and
validation beside this file, strategies in `refkube.registry`.
"""

from __future__ import annotations

from dataclasses import dataclass

RELEASE = "1.36"
VERSION = "v1.36.0"

READ = ("get", "list", "watch")
NO_COLLECTION = ("create", "delete", "get", "list", "patch", "update", "watch")
ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, eq=False)  # rows of one table: the same or not
class Kind:
    """One served kind. `storage` names the version that shares its storage, where that is another one."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL
    definition: str = ""  # in upstream's published definitions
    storage: str = ""
    deprecated: str = ""  # what each of its requests is warned of

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The group resource as errors and clients name it: "pods", "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        return self.kind.lower()


def _rows(group: str, version: str, package: str, *rows: tuple) -> list[Kind]:
    made = []
    for kind, plural, scope, *rest in rows:
        options = rest[0] if rest else {}
        made.append(
            Kind(
                group,
                version,
                kind,
                plural,
                namespaced=scope == "N",
                short_names=tuple(options.get("short", "").split()),
                categories=tuple(options.get("categories", "").split()),
                subresources=tuple(options.get("sub", "").split()),
                verbs=options.get("verbs", ALL),
                definition=f"{package}.{version}.{kind}",
                storage=options.get("storage", ""),
                deprecated=_deprecation(f"{group}/{version}".lstrip("/"), kind, **options.get("deprecated", {})),
            )
        )
    return made


def _deprecation(api_version: str, kind: str, since: str = "", use: str = "") -> str:
    return f"{api_version} {kind} is deprecated in {since}+{'; use ' if use else ''}{use}" if since else ""


_API = "io.k8s.api."

KINDS: tuple[Kind, ...] = tuple(
    _rows(
        "", "v1", _API + "core",
        ("Binding", "bindings", "N", {"verbs": ("create",)}),
        ("ComponentStatus", "componentstatuses", "C",
         {"short": "cs", "verbs": ("get", "list"), "deprecated": {"since": "v1.19"}}),
        ("ConfigMap", "configmaps", "N", {"short": "cm"}),
        ("Endpoints", "endpoints", "N",
         {"short": "ep", "deprecated": {"since": "v1.33", "use": "discovery.k8s.io/v1 EndpointSlice"}}),
        ("Event", "events", "N", {"short": "ev"}),
        ("LimitRange", "limitranges", "N", {"short": "limits"}),
        ("Namespace", "namespaces", "C",
         {"short": "ns", "sub": "finalize status", "verbs": NO_COLLECTION}),
        ("Node", "nodes", "C", {"short": "no", "sub": "proxy status"}),
        ("PersistentVolumeClaim", "persistentvolumeclaims", "N", {"short": "pvc", "sub": "status"}),
        ("PersistentVolume", "persistentvolumes", "C", {"short": "pv", "sub": "status"}),
        ("Pod", "pods", "N",
         {"short": "po", "categories": "all",
          "sub": "attach binding ephemeralcontainers eviction exec log portforward resize status"}),
        ("PodTemplate", "podtemplates", "N"),
        ("ReplicationController", "replicationcontrollers", "N",
         {"short": "rc", "categories": "all", "sub": "scale status"}),
        ("ResourceQuota", "resourcequotas", "N", {"short": "quota", "sub": "status"}),
        ("Secret", "secrets", "N"),
        ("ServiceAccount", "serviceaccounts", "N", {"short": "sa", "sub": "token"}),
        ("Service", "services", "N", {"short": "svc", "categories": "all", "sub": "status"}),
    )
    + _rows(
        "admissionregistration.k8s.io", "v1", _API + "admissionregistration",
        ("MutatingAdmissionPolicy", "mutatingadmissionpolicies", "C", {"categories": "api-extensions"}),
        ("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", "C", {"categories": "api-extensions"}),
        ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "C", {"categories": "api-extensions"}),
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies", "C",
         {"categories": "api-extensions", "sub": "status"}),
        ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "C",
         {"categories": "api-extensions"}),
        ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "C", {"categories": "api-extensions"}),
    )
    + _rows(
        "apiextensions.k8s.io", "v1", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
        ("CustomResourceDefinition", "customresourcedefinitions", "C",
         {"short": "crd crds", "categories": "api-extensions", "sub": "status"}),
    )
    + _rows(
        "apiregistration.k8s.io", "v1", "io.k8s.kube-aggregator.pkg.apis.apiregistration",
        ("APIService", "apiservices", "C", {"categories": "api-extensions", "sub": "status"}),
    )
    + _rows(
        "apps", "v1", _API + "apps",
        ("ControllerRevision", "controllerrevisions", "N"),
        ("DaemonSet", "daemonsets", "N", {"short": "ds", "categories": "all", "sub": "status"}),
        ("Deployment", "deployments", "N", {"short": "deploy", "categories": "all", "sub": "scale status"}),
        ("ReplicaSet", "replicasets", "N", {"short": "rs", "categories": "all", "sub": "scale status"}),
        ("StatefulSet", "statefulsets", "N", {"short": "sts", "categories": "all", "sub": "scale status"}),
    )
    + _rows(
        "authentication.k8s.io", "v1", _API + "authentication",
        ("SelfSubjectReview", "selfsubjectreviews", "C", {"verbs": ("create",)}),
        ("TokenReview", "tokenreviews", "C", {"verbs": ("create",)}),
    )
    + _rows(
        "authorization.k8s.io", "v1", _API + "authorization",
        ("LocalSubjectAccessReview", "localsubjectaccessreviews", "N", {"verbs": ("create",)}),
        ("SelfSubjectAccessReview", "selfsubjectaccessreviews", "C", {"verbs": ("create",)}),
        ("SelfSubjectRulesReview", "selfsubjectrulesreviews", "C", {"verbs": ("create",)}),
        ("SubjectAccessReview", "subjectaccessreviews", "C", {"verbs": ("create",)}),
    )
    + _rows(
        "autoscaling", "v2", _API + "autoscaling",
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers", "N",
         {"short": "hpa", "categories": "all", "sub": "status"}),
    )
    + _rows(
        "autoscaling", "v1", _API + "autoscaling",
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers", "N",
         {"short": "hpa", "categories": "all", "sub": "status", "storage": "v2"}),
    )
    + _rows(
        "batch", "v1", _API + "batch",
        ("CronJob", "cronjobs", "N", {"short": "cj", "categories": "all", "sub": "status"}),
        ("Job", "jobs", "N", {"categories": "all", "sub": "status"}),
    )
    + _rows(
        "certificates.k8s.io", "v1", _API + "certificates",
        ("CertificateSigningRequest", "certificatesigningrequests", "C", {"short": "csr", "sub": "approval status"}),
    )
    + _rows(
        "coordination.k8s.io", "v1", _API + "coordination",
        ("Lease", "leases", "N"),
    )
    + _rows(
        "discovery.k8s.io", "v1", _API + "discovery",
        ("EndpointSlice", "endpointslices", "N"),
    )
    + _rows(
        "events.k8s.io", "v1", _API + "events",
        ("Event", "events", "N", {"short": "ev", "storage": "v1"}),
    )
    + _rows(
        "flowcontrol.apiserver.k8s.io", "v1", _API + "flowcontrol",
        ("FlowSchema", "flowschemas", "C", {"sub": "status"}),
        ("PriorityLevelConfiguration", "prioritylevelconfigurations", "C", {"sub": "status"}),
    )
    + _rows(
        "networking.k8s.io", "v1", _API + "networking",
        ("IngressClass", "ingressclasses", "C"),
        ("Ingress", "ingresses", "N", {"short": "ing", "sub": "status"}),
        ("IPAddress", "ipaddresses", "C", {"short": "ip"}),
        ("NetworkPolicy", "networkpolicies", "N", {"short": "netpol"}),
        ("ServiceCIDR", "servicecidrs", "C", {"sub": "status"}),
    )
    + _rows(
        "node.k8s.io", "v1", _API + "node",
        ("RuntimeClass", "runtimeclasses", "C"),
    )
    + _rows(
        "policy", "v1", _API + "policy",
        ("PodDisruptionBudget", "poddisruptionbudgets", "N", {"short": "pdb", "sub": "status"}),
    )
    + _rows(
        "rbac.authorization.k8s.io", "v1", _API + "rbac",
        ("ClusterRoleBinding", "clusterrolebindings", "C"),
        ("ClusterRole", "clusterroles", "C"),
        ("RoleBinding", "rolebindings", "N"),
        ("Role", "roles", "N"),
    )
    + _rows(
        "resource.k8s.io", "v1", _API + "resource",
        ("DeviceClass", "deviceclasses", "C"),
        ("ResourceClaim", "resourceclaims", "N", {"sub": "status"}),
        ("ResourceClaimTemplate", "resourceclaimtemplates", "N"),
        ("ResourceSlice", "resourceslices", "C"),
    )
    + _rows(
        "scheduling.k8s.io", "v1", _API + "scheduling",
        ("PriorityClass", "priorityclasses", "C", {"short": "pc"}),
    )
    + _rows(
        "storage.k8s.io", "v1", _API + "storage",
        ("CSIDriver", "csidrivers", "C"),
        ("CSINode", "csinodes", "C"),
        ("CSIStorageCapacity", "csistoragecapacities", "N"),
        ("StorageClass", "storageclasses", "C", {"short": "sc"}),
        ("VolumeAttachment", "volumeattachments", "C", {"sub": "status"}),
        ("VolumeAttributesClass", "volumeattributesclasses", "C", {"short": "vac"}),
    )
)  # fmt: skip

_BY_RESOURCE = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_KIND = {(kind.api_version, kind.kind): kind for kind in KINDS}
_PREFERRED: dict[str, Kind] = {}
for _kind in KINDS:
    _PREFERRED.setdefault(_kind.resource, _kind)


def by_resource(group: str, version: str, plural: str) -> Kind | None:
    return _BY_RESOURCE.get((group, version, plural))


def by_api_version(api_version: str, kind: str) -> Kind | None:
    return _BY_KIND.get((api_version, kind))


def preferred(resource: str) -> Kind:
    """The preferred version of a group resource ("pods", "deployments.apps"). KeyError if there is none."""
    return _PREFERRED[resource]
