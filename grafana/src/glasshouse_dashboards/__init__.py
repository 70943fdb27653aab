"""Grafana dashboards as code: one module a dashboard, shared looks in `looks`."""
