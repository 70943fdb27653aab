// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/client"
)

func TestNamesThatBackendsTake(t *testing.T) {
	for name, valid := range map[string]bool{
		"team-a": true, "A.b_c!(1)*'": true, strings.Repeat("x", 150): true,
		"": false, ".": false, "..": false, "a/b": false, "a|b": false, "ü": false, "a b": false, "a\n": false,
		strings.Repeat("x", 151): false,
	} {
		if err := ValidName(name); (err == nil) != valid {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

func TestNothingThatAClientSentStandsBesideTheTenant(t *testing.T) {
	sent := client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(map[string][]string{
		Metadata: {"of-another"}, "x-scope-orgid": {"of-another"},
	})})
	if tenant, known := From(sent); !known || tenant != "of-another" {
		t.Fatalf("the control: %q, %v", tenant, known)
	}
	ctx := Into(sent, "team-a")
	if tenant, known := From(ctx); !known || tenant != "team-a" {
		t.Errorf("%q, %v", tenant, known)
	}
	if left := client.FromContext(ctx).Metadata.Get("x-scope-orgid"); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
}

func TestTwoTenantsAreNone(t *testing.T) {
	ctx := client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(map[string][]string{
		Metadata: {"team-a", "team-b"},
	})})
	if tenant, known := From(ctx); known {
		t.Errorf("%q", tenant)
	}
}
