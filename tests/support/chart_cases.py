"""The ways in which the chart is rendered in tests: as committed, and odd ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support import chart
from support.chart import Changes, Document

_BROKERS: Final = {
    "brokers": "kafka-1.kafka.svc:9092,kafka-2.kafka.svc:9092,kafka-3.kafka.svc:9092",
    "peers": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kafka"}}}],
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way. apis: what the API server serves besides its own."""

    values: Sequence[Path]
    changes: Changes = field(default_factory=dict[str, object])
    apis: Sequence[str] = ()

    def rendered(self) -> list[Document]:
        return chart.rendered(*self.values, changes=self.changes, apis=self.apis)


CASES: Final = {
    "staging": Case(values=[chart.STAGING]),
    "production": Case(values=[chart.PRODUCTION]),
    "production, with the operator": Case(
        values=[chart.PRODUCTION], apis=(*chart.OPERATOR, *chart.CUSTOM_METRICS)
    ),
    "as sidecars, gateways elsewhere": Case(
        values=[chart.PRODUCTION],
        changes={
            "edge": {
                "kind": "Sidecar",
                "gateway": "https://gateway.example:4318",
                "gatewayPeers": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
                "queue": {"size": "1Gi", "sidecarLimit": "2Gi"},
            },
            "gateway": {"enabled": False},
        },
    ),
    "edges alone": Case(
        values=[chart.PRODUCTION],
        changes={
            "edge": {
                "gateway": "https://gateway.example:4318",
                "gatewayPeers": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            },
            "gateway": {"enabled": False},
        },
    ),
    "gateways alone": Case(
        values=[chart.PRODUCTION],
        changes={
            "edge": {"kind": "None"},
            "gateway": {"senders": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
        },
    ),
    "every value that is empty": Case(
        values=[chart.STAGING],
        changes={
            "imagePullSecrets": ["registry"],
            "image": {"tag": "1.2.3-rc1", "digest": f"sha256:{'ab' * 32}"},
            "edge": {
                "own": {"connectors": {"event_metrics": {"services": [{"name": "shop"}]}}},
                "priorityClassName": "high",
                "nodeSelector": {"kubernetes.io/os": "linux"},
                "tolerations": [{"operator": "Exists"}],
                "annotations": {"example.org/note": 'of "edges": {{ none }}'},
                "queue": {"storageClass": "fast"},
            },
            "gateway": {
                "tenants": {"edge-1": "team-a", "edge-2": "team-b"},
                "hosts": ["gateway.example"],
                "senders": [{"podSelector": {"matchLabels": {"a": "b"}}}],
                "priorityClassName": "high",
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
                "annotations": {"example.org/note": "of gateways"},
                "queue": {"storageClass": "fast"},
                "autoscaling": {"enabled": True, "minReplicas": 1, "maxReplicas": 2},
            },
            "backends": {
                "compression": "gzip",
                "prometheus": {
                    "alertmanagers": ["alertmanager.example:9093"],
                    "alertmanagerPeers": [{"ipBlock": {"cidr": "192.0.2.7/32"}}],
                    "disk": {"storageClass": "slow"},
                },
            },
            "monitoring": {"labels": {"team": "a"}, "sampleBackend": True},
            "dashboards": {"annotations": {}},
        },
    ),
    "over Kafka": Case(
        values=[chart.PRODUCTION],
        changes={
            "edge": {"to": "kafka", "kafka": {**_BROKERS, "tenant": "team-a"}},
            "gateway": {"from": "kafka", "kafka": {**_BROKERS, "tailSampling": True}},
        },
        apis=chart.CUSTOM_METRICS,
    ),
    "as little as may be": Case(
        values=[chart.PRODUCTION],
        changes={
            "networkPolicy": {"enabled": False},
            "dashboards": {"enabled": False},
            "monitoring": {
                "as": "configmaps",
                "labels": {},
                "grafana": "",
                "runbooks": "",
                "leaveOut": ["Watchdog", "TargetDown"],
            },
            "backends": {"peers": []},
        },
    ),
}
