module go.opentelemetry.io/collector/client

go 1.26.0
