// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

func from(name, namespace any) plog.Logs {
	logs := batch(paid(1))
	resource := logs.ResourceLogs().At(0).Resource().Attributes()
	resource.Clear()
	for key, value := range map[string]any{"service.name": name, "service.namespace": namespace} {
		if value != nil {
			if err := resource.PutEmpty(key).FromRaw(value); err != nil {
				panic(err)
			}
		}
	}
	return logs
}

func TestOnlyNamedServicesAreBelieved(t *testing.T) {
	config := watchful()
	config.Services = []ServiceConfig{{Name: "shop"}, {Name: "till", Namespace: "north"}}
	r := start(t, config, nil)
	defer r.shutdown(t)
	const key = "payments{state=created,currency=EUR}"
	for i, believed := range []plog.Logs{from("shop", nil), from("shop", "any"), from("till", "north")} {
		r.post(t, believed)
		if got := r.after(t, time.Second)[key]; got != []string{"1", "2", "3"}[i] {
			t.Errorf("%s are counted after %d", got, i+1)
		}
	}
	for _, other := range []plog.Logs{
		from("stranger", "north"), from("till", nil), from("till", "south"), from("Shop", nil), from("shop ", nil),
		from(nil, nil), from("", nil), from([]any{"shop"}, nil), from("other", nil),
	} {
		r.post(t, other)
	}
	if got := r.after(t, time.Second); got != nil {
		t.Errorf("events of strangers changed %v", got)
	}
	r.expectCounts(t, "not_believed", map[string]int64{"": 9})
	// A stranger who brings the id of an event first does not keep it from being counted.
	sold := from("shop", "new")
	sold.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr(uidKey, "1")
	stolen := plog.NewLogs()
	sold.CopyTo(stolen)
	stolen.ResourceLogs().At(0).Resource().Attributes().PutStr("service.name", "stranger")
	r.post(t, stolen)
	r.post(t, sold)
	if got := r.after(t, time.Second)[key]; got != "4" {
		t.Errorf("%s are counted", got)
	}
}

func TestWhatNoFamilyCountsNeedsNoBelief(t *testing.T) {
	config := atOnce()
	config.Services = []ServiceConfig{{Name: "shop"}}
	r := start(t, config, nil)
	defer r.shutdown(t)
	logs := from("stranger", nil)
	logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetEventName("something.else")
	r.post(t, logs)
	r.expectCounts(t, "not_believed", nil)
}
