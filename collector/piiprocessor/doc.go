// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package piiprocessor is a processor that takes personal data and secrets out of every string of
// traces, logs and metrics, by the policy in redaction/rules.yaml. It fails closed: a record that
// cannot be checked is dropped or emptied, and counted.
package piiprocessor
