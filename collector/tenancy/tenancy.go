// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenancy says whose a record is: its tenant is decided where a client's identity is known, and
// goes with the record from there, never by what the client says.
package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/client"
)

const (
	// Metadata is the key of the tenant in the metadata of a request. It is no header of a client.
	Metadata = "glasshouse.tenant"
	// Attribute of a resource holds the tenant where a request's context ends: in a topic, and
	// behind what samples traces.
	Attribute = "glasshouse.tenant"

	// longest name that Loki and Tempo take.
	longest = 150
)

// ValidName returns why a name can be no tenant's. Loki and Tempo take ASCII letters, digits and !-_.*'()
// (https://grafana.com/docs/loki/latest/operations/multi-tenancy/), and use it as the name of a folder.
// A bar would join several tenants to one question, so it is none of these.
func ValidName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case name == "." || name == "..":
		return fmt.Errorf("is %q, a folder", name)
	case len(name) > longest:
		return fmt.Errorf("is %d bytes long, may be %d", len(name), longest)
	}
	for _, one := range name {
		isLetter := one >= 'a' && one <= 'z' || one >= 'A' && one <= 'Z' || one >= '0' && one <= '9'
		if !isLetter && !strings.ContainsRune("!-_.*'()", one) {
			return fmt.Errorf("has %q, may have letters, digits and !-_.*'()", one)
		}
	}
	return nil
}

// Into returns a context whose metadata is the tenant alone: what else a client sent stays behind.
func Into(ctx context.Context, tenant string) context.Context {
	info := client.FromContext(ctx)
	info.Metadata = client.NewMetadata(map[string][]string{Metadata: {tenant}})
	return client.NewContext(ctx, info)
}

// From returns the tenant of a request, and whether it has one.
func From(ctx context.Context) (string, bool) {
	found := client.FromContext(ctx).Metadata.Get(Metadata)
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}
