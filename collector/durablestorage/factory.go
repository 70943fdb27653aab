// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package durablestorage

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

var componentType = component.MustNewType("durable_storage")

// NewFactory returns the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		componentType, createDefaultConfig, create, component.StabilityLevelBeta,
	)
}

func create(
	_ context.Context, set extension.Settings, cfg component.Config,
) (extension.Extension, error) {
	return newExtension(set, cfg.(*Config))
}
