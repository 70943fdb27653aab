// Copyright The OpenTelemetry Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"slices"
	"testing"
)

func TestTheKeyInLowerCaseCountsWhateverOthersStandBesideIt(t *testing.T) {
	for range 200 { // the order of a map's keys is another each time
		metadata := NewMetadata(map[string][]string{
			"kafka.topic": {"otlp_logs.team-a", "otlp_logs.team-b"},
			"Kafka.Topic": {"otlp_logs.team-b"}, "KAFKA.TOPIC": {"otlp_logs.team-c"}, "kafka.TOPIC": {"otlp_logs.team-d"},
		})
		if found := metadata.Get("Kafka.topic"); !slices.Equal(found, []string{"otlp_logs.team-a", "otlp_logs.team-b"}) {
			t.Fatal(found)
		}
		if keys := slices.Collect(metadata.Keys()); !slices.Equal(keys, []string{"kafka.topic"}) {
			t.Fatal(keys)
		}
	}
}

func TestOneKeyIsFoundWhateverItsCase(t *testing.T) {
	metadata := NewMetadata(map[string][]string{"X-Scope-OrgID": {"team-a"}})
	if found := metadata.Get("x-scope-orgid"); !slices.Equal(found, []string{"team-a"}) {
		t.Error(found)
	}
}
