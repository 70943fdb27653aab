module glasshouse.example/collector/connections

go 1.26.0
