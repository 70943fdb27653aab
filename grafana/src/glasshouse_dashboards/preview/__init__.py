"""Draws the dashboards from their own JSON and live data, for people without Grafana.

One static page, no network: `glasshouse preview`.
"""

from glasshouse_dashboards.preview.page import Backends, write

__all__ = ["Backends", "write"]
