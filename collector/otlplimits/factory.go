// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

var componentType = component.MustNewType("otlp_limits")

// NewFactory returns the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		componentType, createDefaultConfig, createExtension, component.StabilityLevelBeta)
}

func createExtension(
	_ context.Context, set extension.Settings, cfg component.Config,
) (extension.Extension, error) {
	return newLimits(set, cfg.(*Config))
}
