"""Grafana dashboards as code: one module a dashboard in `boards`, its queries in `queries`, how
panels look in `looks`, what may be empty in `quiet`."""
