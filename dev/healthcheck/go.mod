module glasshouse.example/dev/healthcheck

go 1.26.0
