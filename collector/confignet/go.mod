module go.opentelemetry.io/collector/config/confignet

go 1.26.0

require (
	github.com/Microsoft/go-winio v0.6.2
	glasshouse.example/collector/connections v0.0.0
)

require golang.org/x/sys v0.48.0 // indirect

replace glasshouse.example/collector/connections => ../connections
