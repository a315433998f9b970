"""The objects that coredns runs as, as kubeadm makes them: a Deployment behind the Service kube-dns.

Called by `cluster`. Left out: what only another process would read: its roles, its service account's token.
"""

from __future__ import annotations

from refkube.apimachinery.meta import Object

ADDRESS = "10.96.0.10"
REPOSITORY = "registry.k8s.io/coredns/coredns"
_LABELS = {"k8s-app": "kube-dns"}
_COREFILE = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loadbalance
}
"""


def objects(replicas: int = 2) -> list[tuple[str, Object]]:
    """(resource, object), in the order in which they are made."""
    meta = {"name": "coredns", "namespace": "kube-system"}
    return [
        ("serviceaccounts", {"metadata": meta}),
        ("configmaps", {"metadata": meta, "data": {"Corefile": _COREFILE}}),
        ("deployments.apps", {"metadata": {**meta, "labels": _LABELS}, "spec": _deployment(replicas)}),
        ("services", {"metadata": {**meta, "name": "kube-dns", "labels": _LABELS}, "spec": _service()}),
    ]


def _service() -> Object:
    ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")]
    listed = [{"name": name, "port": port, "targetPort": port, "protocol": protocol} for name, port, protocol in ports]
    return {"clusterIP": ADDRESS, "selector": _LABELS, "ports": listed}


def _deployment(replicas: int) -> Object:
    container = {
        "name": "coredns",
        "image": f"{REPOSITORY}:v1.14.0",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53},
            {"name": "metrics", "containerPort": 9153},
        ],
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "initialDelaySeconds": 60, "timeoutSeconds": 5},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}},
    }
    config = {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]}
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "containers": [container],
        "volumes": [{"name": "config-volume", "configMap": config}],
    }
    return {
        "replicas": replicas,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
