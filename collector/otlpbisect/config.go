// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"glasshouse.example/collector/tenancy"
)

const (
	defaultTimeout         = 30 * time.Second
	defaultWriteBuffer     = 512 * 1024
	defaultMaxSplits       = 1000
	defaultMaxRequestBytes = 4 << 20
	defaultThrottledFor    = 5 * time.Minute

	mostSplits        = 100_000
	leastRequestBytes = 64 << 10
)

// Config of the exporter: that of the stock exporter otlp_http, less what is not for OTLP in
// protobuf, and five keys.
type Config struct {
	ClientConfig confighttp.ClientConfig                                  `mapstructure:",squash"`
	QueueConfig  configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	RetryConfig  configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`

	// TracesEndpoint, MetricsEndpoint and LogsEndpoint are whole URLs in place of the endpoint
	// with /v1/traces, /v1/metrics and /v1/logs behind it.
	TracesEndpoint  string `mapstructure:"traces_endpoint"`
	MetricsEndpoint string `mapstructure:"metrics_endpoint"`
	LogsEndpoint    string `mapstructure:"logs_endpoint"`

	// DeadLetter names an extension that keeps what the backend refuses. Without it that is lost.
	DeadLetter *component.ID `mapstructure:"dead_letter"`
	// MaxSplits is how often one batch is halved after refusals. Each time costs two requests.
	MaxSplits int `mapstructure:"max_splits"`
	// MaxRequestBytes bounds a request before compression. A larger one is sent in parts, a
	// single record alone whatever its size. 0 is no bound.
	MaxRequestBytes int `mapstructure:"max_request_bytes"`
	// ThrottledFor is how long a record may get 429 alone, or 500 while others get through.
	ThrottledFor time.Duration `mapstructure:"throttled_for"`
	// TenantHeader is the header that names a request's tenant to the backend, such as X-Scope-OrgID.
	// Without it none is sent.
	TenantHeader string `mapstructure:"tenant_header"`
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = defaultTimeout
	client.Compression = configcompression.TypeGzip
	client.WriteBufferSize = defaultWriteBuffer
	return &Config{
		ClientConfig:    client,
		QueueConfig:     configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
		RetryConfig:     configretry.NewDefaultBackOffConfig(),
		MaxSplits:       defaultMaxSplits,
		MaxRequestBytes: defaultMaxRequestBytes,
		ThrottledFor:    defaultThrottledFor,
	}
}

// Validate names the first key that has to be fixed.
func (c *Config) Validate() error {
	if c.ClientConfig.Endpoint == "" && c.TracesEndpoint == "" && c.MetricsEndpoint == "" && c.LogsEndpoint == "" {
		return errors.New("endpoint: set it, or the endpoint of a signal")
	}
	for _, one := range []struct{ key, value string }{
		{"endpoint", c.ClientConfig.Endpoint},
		{"traces_endpoint", c.TracesEndpoint},
		{"metrics_endpoint", c.MetricsEndpoint},
		{"logs_endpoint", c.LogsEndpoint},
	} {
		if one.value == "" {
			continue
		}
		if address, err := url.Parse(one.value); err != nil || address.Host == "" {
			return fmt.Errorf("%s: is no URL, such as http://backend:4318", one.key)
		}
	}
	if c.ClientConfig.Timeout <= 0 {
		return errors.New("timeout: must be over 0, or a silent backend holds a request indefinitely")
	}
	if !c.RetryConfig.Enabled {
		return errors.New("retry_on_failure.enabled: must be true, or a batch is dropped at the first fault")
	}
	if c.MaxSplits < 0 || c.MaxSplits > mostSplits {
		return fmt.Errorf("max_splits: is %d, must be 0 to %d", c.MaxSplits, mostSplits)
	}
	if c.MaxRequestBytes != 0 && c.MaxRequestBytes < leastRequestBytes {
		return fmt.Errorf("max_request_bytes: is %d, must be 0 (no bound) or at least %d",
			c.MaxRequestBytes, leastRequestBytes)
	}
	if c.ThrottledFor <= 0 {
		return errors.New("throttled_for: must be over 0, such as 5m")
	}
	if c.TenantHeader != "" && c.joinsTenants() {
		return fmt.Errorf("sending_queue.batch.partition.metadata_keys: add %s, or tenant_header would name one "+
			"tenant for the records of all", tenancy.Metadata)
	}
	return nil
}

// joinsTenants reports whether requests of several tenants may become one.
func (c *Config) joinsTenants() bool {
	if !c.QueueConfig.HasValue() || !c.QueueConfig.Get().Batch.HasValue() {
		return false
	}
	return !slices.Contains(c.QueueConfig.Get().Batch.Get().Partition.MetadataKeys, tenancy.Metadata)
}
