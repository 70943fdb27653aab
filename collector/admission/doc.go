// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package admission is a processor that makes each record acceptable to the backend that stores
// it: repaired where its meaning stays, set aside or refused alone where it does not. No record
// costs another its place.
package admission
