"""Grafana dashboards as code: one module a dashboard in `boards`, its queries in `queries`, how
panels are made in `panels`, which may be empty in `empty_states`."""
