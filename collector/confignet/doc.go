// Copyright The OpenTelemetry Authors
// SPDX-License-Identifier: Apache-2.0

// Package confignet implements the configuration settings for protocols to
// connect and transport data information.
package confignet // import "go.opentelemetry.io/collector/config/confignet"

//go:generate mdatagen metadata.yaml
