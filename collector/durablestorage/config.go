// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"errors"

	"go.opentelemetry.io/collector/component"
)

// Config of the extension.
type Config struct {
	// StorageID is the file_storage that keeps the files.
	StorageID component.ID `mapstructure:"storage"`
	// Directory is where that storage keeps them.
	Directory string `mapstructure:"directory"`
}

func createDefaultConfig() component.Config { return &Config{} }

// Validate names the first key that has to be fixed.
func (c *Config) Validate() error {
	if c.StorageID == (component.ID{}) {
		return errors.New("storage: name the file_storage that keeps the files")
	}
	if c.Directory == "" {
		return errors.New("directory: set the path where that storage keeps its files")
	}
	return nil
}
