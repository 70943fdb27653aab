// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
)

const (
	defaultMaxMiB = 64
	mostMiB       = 1 << 20 // a TiB, far from where bytes overflow
)

// Config of the extension.
type Config struct {
	// Directory holds the files. It is made when it is missing; what it stands in is not.
	Directory string `mapstructure:"directory"`
	// MaxMiB bounds all files together.
	MaxMiB int `mapstructure:"max_mib"`
}

func createDefaultConfig() component.Config { return &Config{MaxMiB: defaultMaxMiB} }

// Validate names the first key that has to be fixed.
func (c *Config) Validate() error {
	if c.Directory == "" {
		return errors.New("directory: set the path where dead letters are kept")
	}
	if c.MaxMiB < 1 || c.MaxMiB > mostMiB {
		return fmt.Errorf("max_mib: is %d, must be 1 to %d", c.MaxMiB, mostMiB)
	}
	return nil
}

func (c *Config) capacity() int64 { return int64(c.MaxMiB) << 20 }
