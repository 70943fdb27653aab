"""Objectives, as prometheus/slos.yaml makes them, by the variable `slo`."""

from typing import Final

_CHOSEN: Final = 'slo=~"$slo"'
NAMES: Final = "label_values(slo:objective:ratio, slo)"


def _burn(window: str) -> str:
    return f"slo:error:ratio_rate{window}{{{_CHOSEN}}} / on (slo) slo:error_budget:ratio"


BUDGET: Final = f"slo:budget_remaining:ratio{{{_CHOSEN}}}"
OBJECTIVE: Final = f"slo:objective:ratio{{{_CHOSEN}}}"
BURNING: Final = 'count(ALERTS{alertstate="firing",alertname=~".*BudgetBurn"}) or vector(0)'
BUDGET_OVER_TIME: Final = {"{{slo}}": BUDGET}
FAST: Final = {
    "{{slo}} 1 h": _burn("1h"),
    "{{slo}} 5 min": _burn("5m"),
}
SLOW: Final = {
    "{{slo}} 6 h": _burn("6h"),
    "{{slo}} 3 d": _burn("3d"),
}
GOOD: Final = {"{{slo}}": f"1 - slo:error:ratio_rate1h{{{_CHOSEN}}}"}
EVENTS: Final = {"{{slo}}": f"slo:total:rate5m{{{_CHOSEN}}}"}
BAD: Final = {"{{slo}}": f"slo:bad:rate5m{{{_CHOSEN}}}"}
ALERTS: Final = 'ALERTS{alertname=~".*BudgetBurn"}'
