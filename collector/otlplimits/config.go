// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
)

const (
	defaultMaxDepth      = 32
	defaultMaxAttributes = 4096
	defaultMaxRequest    = 20
	defaultMaxDecoded    = 128
	defaultMaxInFlight   = 128
	defaultMaxConcurrent = 64
	defaultReadTimeout   = 30 * time.Second
	defaultHandshake     = 10 * time.Second

	mostDepth = 256
	mostMiB   = 1 << 20
	mib       = 1 << 20
)

// Config of the extension.
type Config struct {
	// MaxDepth is how deep maps and lists may be nested in a value: the pii processor's max_depth.
	// What is deeper is cut out of its record.
	MaxDepth int `mapstructure:"max_depth"`
	// MaxAttributes is how many pairs one list of attributes, or one map, may have. More are cut.
	MaxAttributes int `mapstructure:"max_attributes"`
	// MaxRequestMiB is how large an HTTP body may be once decompressed. gRPC has the receiver's
	// max_recv_msg_size_mib for that: give both the same.
	MaxRequestMiB int `mapstructure:"max_request_mib"`
	// MaxDecodedMiB is how much memory one request may need once decoded. Above, it is refused for
	// good.
	MaxDecodedMiB int `mapstructure:"max_decoded_mib"`
	// MaxInFlightMiB is how much memory all requests may need that are read, decoded and worked on.
	// One that finds too little is refused for now. One alone always gets what it needs. Logs, traces
	// and metrics have an eighth each to themselves.
	MaxInFlightMiB int `mapstructure:"max_in_flight_mib"`
	// MaxConcurrent is how many gRPC calls may be open, over all connections. Logs, traces and metrics
	// have an eighth each to themselves.
	MaxConcurrent int `mapstructure:"max_concurrent"`
	// LeastGarbageMiB is how much garbage may pile up before it is collected, where less than that is
	// alive. 0 is as Go does it: as much as is alive.
	LeastGarbageMiB int `mapstructure:"least_garbage_mib"`
	// ReadTimeout is how long a gRPC message may take to arrive. HTTP has the receiver's own.
	ReadTimeout time.Duration `mapstructure:"read_timeout"`
	// HandshakeTimeout is how long a gRPC connection may take to begin: TLS and HTTP/2's first
	// frames. HTTP has the receiver's read_header_timeout.
	HandshakeTimeout time.Duration `mapstructure:"handshake_timeout"`
	// Access says who may send.
	Access Access `mapstructure:"access"`

	// The receiver's paths, where it has others than the usual ones.
	TracesURLPath  string `mapstructure:"traces_url_path"`
	MetricsURLPath string `mapstructure:"metrics_url_path"`
	LogsURLPath    string `mapstructure:"logs_url_path"`
}

func createDefaultConfig() component.Config {
	return &Config{
		MaxDepth:         defaultMaxDepth,
		MaxAttributes:    defaultMaxAttributes,
		MaxRequestMiB:    defaultMaxRequest,
		MaxDecodedMiB:    defaultMaxDecoded,
		MaxInFlightMiB:   defaultMaxInFlight,
		MaxConcurrent:    defaultMaxConcurrent,
		ReadTimeout:      defaultReadTimeout,
		HandshakeTimeout: defaultHandshake,
		Access:           Access{AskFor: askForNone},
		TracesURLPath:    "/v1/traces",
		MetricsURLPath:   "/v1/metrics",
		LogsURLPath:      "/v1/logs",
	}
}

// Validate names the first key that has to be fixed.
func (c *Config) Validate() error {
	for _, key := range []struct {
		name        string
		value, most int
	}{
		{"max_depth", c.MaxDepth, mostDepth},
		{"max_attributes", c.MaxAttributes, mostMiB},
		{"max_request_mib", c.MaxRequestMiB, mostMiB},
		{"max_decoded_mib", c.MaxDecodedMiB, mostMiB},
		{"max_in_flight_mib", c.MaxInFlightMiB, mostMiB},
		{"max_concurrent", c.MaxConcurrent, mostMiB},
	} {
		if key.value < 1 || key.value > key.most {
			return fmt.Errorf("%s: is %d, must be 1 to %d", key.name, key.value, key.most)
		}
	}
	if c.LeastGarbageMiB < 0 || c.LeastGarbageMiB > mostMiB {
		return fmt.Errorf("least_garbage_mib: is %d, must be 0 (as Go does it) to %d", c.LeastGarbageMiB, mostMiB)
	}
	if c.MaxDecodedMiB < c.MaxRequestMiB {
		return fmt.Errorf("max_decoded_mib: is %d, must not be less than max_request_mib, %d",
			c.MaxDecodedMiB, c.MaxRequestMiB)
	}
	if c.MaxInFlightMiB < c.MaxDecodedMiB {
		return fmt.Errorf("max_in_flight_mib: is %d, must not be less than max_decoded_mib, %d",
			c.MaxInFlightMiB, c.MaxDecodedMiB)
	}
	if c.ReadTimeout <= 0 {
		return errors.New("read_timeout: must be more than 0, such as 30s")
	}
	if c.HandshakeTimeout <= 0 {
		return errors.New("handshake_timeout: must be more than 0, such as 10s")
	}
	if err := c.Access.validate(); err != nil {
		return err
	}
	return c.validatePaths()
}

func (c *Config) validatePaths() error {
	names := map[string]string{}
	for _, path := range []struct{ name, value string }{
		{"traces_url_path", c.TracesURLPath},
		{"metrics_url_path", c.MetricsURLPath},
		{"logs_url_path", c.LogsURLPath},
	} {
		if path.value == "" || path.value[0] != '/' {
			return fmt.Errorf("%s: is %q, must begin with /", path.name, path.value)
		}
		if other, taken := names[path.value]; taken {
			return fmt.Errorf("%s: is that of %s", path.name, other)
		}
		names[path.value] = path.name
	}
	return nil
}

func (c *Config) bounds() bounds {
	return bounds{
		depth:      c.MaxDepth,
		attributes: c.MaxAttributes,
		decoded:    int64(c.MaxDecodedMiB) * mib,
	}
}

// paths returns what is sent where.
func (c *Config) paths() map[string]messageID {
	return map[string]messageID{
		c.TracesURLPath:  traceRequest,
		c.MetricsURLPath: metricsRequest,
		c.LogsURLPath:    logsRequest,
	}
}
