// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlplimits is a Collector extension that checks OTLP requests before they are decoded:
// it cuts what is nested too deep, refuses what would need too much memory, and bounds what is
// read and worked on at a time. The otlp receiver takes it as a middleware, for gRPC and HTTP.
package otlplimits
