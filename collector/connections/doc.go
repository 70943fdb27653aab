// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package connections bounds how many connections a listener holds open at the same time.
//
// A connection over the bound is taken in, and another closed for it: one that has sent nothing, else
// one that was never answered, else the one that has been silent longest. So whoever opens
// connections without end closes their own, and somebody new always gets a place.
package connections
