// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenants is the extension `tenants`: it knows a client by its certificate, and whose it is.
package tenants

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

var componentType = component.MustNewType("tenants")

// NewFactory returns the factory of the extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		componentType, createDefaultConfig, createExtension, component.StabilityLevelAlpha)
}

func createExtension(
	_ context.Context, set extension.Settings, cfg component.Config,
) (extension.Extension, error) {
	return newDoor(set, cfg.(*Config))
}
