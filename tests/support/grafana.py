"""Asking the backends what a panel asks them through Grafana."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from glasshouse_dashboards.expand import TimeRange
from support.stack import Stack

_LINES = 100


def ask(
    http: httpx.Client,
    stack: Stack,
    source: str,
    target: Mapping[str, Any],
    query: str,
    time_range: TimeRange,
) -> list[Any]:
    """Return the series, log streams or traces that have at least one value; fail on an error."""
    if source == "tempo":
        return _ask_tempo(http, stack, target, query, time_range)
    window: dict[str, str | int | float] = {
        "query": query,
        "start": time_range.start,
        "end": time_range.end,
    }
    window["step"] = time_range.step
    if source == "loki":
        path = f"{stack.url('loki')}/loki/api/v1/query_range"
        nanoseconds = {"start": int(time_range.start * 10**9), "end": int(time_range.end * 10**9)}
        answer = http.get(path, params=window | nanoseconds | {"limit": _LINES})
    elif target.get("range"):
        # As a form, as Grafana does: the longest query is more than an address may hold.
        answer = http.post(f"{stack.url('prometheus')}/api/v1/query_range", data=window)
    else:
        moment: dict[str, str | float] = {"query": query, "time": time_range.end}
        answer = http.post(f"{stack.url('prometheus')}/api/v1/query", data=moment)
    assert answer.status_code == httpx.codes.OK, f"{query}: {answer.text}"
    return [series for series in answer.json()["data"]["result"] if _numbers(series)]


def _ask_tempo(
    http: httpx.Client,
    stack: Stack,
    target: Mapping[str, Any],
    query: str,
    time_range: TimeRange,
) -> list[Any]:
    """Return series in the form of Prometheus, or what a search found."""
    window: dict[str, str | int] = {
        "q": query,
        "start": int(time_range.start),
        "end": int(time_range.end),
    }
    if "metricsQueryType" not in target:
        answer = http.get(
            f"{stack.url('tempo')}/api/search", params={**window, "limit": target["limit"]}
        )
        assert answer.status_code == httpx.codes.OK, f"{query}: {answer.text}"
        return answer.json().get("traces", [])
    window["step"] = f"{time_range.step}s"
    answer = http.get(f"{stack.url('tempo')}/api/metrics/query_range", params=window)
    assert answer.status_code == httpx.codes.OK, f"{query}: {answer.text}"
    return [
        {
            "metric": {
                item["key"]: str(next(iter(item["value"].values()))) for item in one["labels"]
            },
            "values": [
                [int(sample["timestampMs"]) / 1000, str(sample.get("value", 0))]
                for sample in one.get("samples", [])
            ],
        }
        for one in answer.json().get("series", [])
    ]


def _numbers(series: Mapping[str, Any]) -> list[str]:
    values = series.get("values") or [series["value"]]
    return [value for _, value in values if value != "NaN"]


def provisioned(root: Path) -> dict[str, dict[str, Any]]:
    """Return the provisioned data sources by uid, with variables as Grafana reads them."""
    text = (root / "grafana/provisioning/datasources/stack.yaml").read_text(encoding="utf-8")
    return {
        source["uid"]: source for source in yaml.safe_load(text.replace("$$", "$"))["datasources"]
    }


def filled(template: str, values: Mapping[str, str]) -> str:
    """Fill in `${name}` and `$name`, as Grafana does in links; fail on what it does not know."""
    for name, value in values.items():
        template = template.replace(f"${{{name}}}", value).replace(f"${name}", value)
    assert "$" not in template, f"a variable is not known: {template}"
    return template


def tags(mapping: Sequence[Mapping[str, str]], attributes: Mapping[str, str]) -> str:
    """Return what Grafana makes of `__tags`: matchers for the attributes that the span has."""
    return ", ".join(
        f'{tag["value"]}="{attributes[tag["key"]]}"' for tag in mapping if tag["key"] in attributes
    )
