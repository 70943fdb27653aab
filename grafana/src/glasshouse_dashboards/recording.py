"""The rules that record what dashboards read over days: prometheus/rules/history.yaml."""

from pathlib import Path
from typing import Final

from glasshouse_dashboards.queries import history

FILE: Final = Path(__file__).parents[3] / "prometheus" / "rules" / "history.yaml"
_HEAD: Final = f"""\
# Made by `make dashboards` from grafana/src/glasshouse_dashboards/queries/history.py.
#
# By how much each counter rose in {history.EVERY}, each {history.EVERY}, with the labels that
# panels use: in a row they are a counter's whole increase. Dashboards read them over more than
# half a day.
groups:
  - name: history
    interval: {history.EVERY}
    # What is pushed is a moment late, and what is missed here is never read again.
    query_offset: 15s
    rules:
      - record: {history.COVERED}
        expr: vector({history.EVERY_S})
        labels: {{ {history.VARIABLE}: "{history.EVERY}" }}
"""
_RULE: Final = """\
      - record: {record}
        expr: sum by ({labels}) (increase({metric}[{every}]))
        labels: {{ {variable}: "{every}" }}
"""


def render() -> str:
    """Return the text of the rule file."""
    return _HEAD + "".join(
        _RULE.format(
            record=history.recorded(metric),
            labels=", ".join(labels),
            metric=metric,
            every=history.EVERY,
            variable=history.VARIABLE,
        )
        for metric, labels in history.RECORDED.items()
    )
