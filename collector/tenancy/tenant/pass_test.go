// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"

	"glasshouse.example/collector/tenancy"
)

// arrived is one call that came through: under which tenant, and which resources by their name/tenant.
type arrived struct {
	tenant    string
	resources []string
}

// through sends logs of resources, each with the attributes given, and returns what came of it.
func through(t *testing.T, from string, ctx context.Context, resources []map[string]any, fail string) ([]arrived, error) {
	t.Helper()
	var all []arrived
	next, err := consumer.NewLogs(func(ctx context.Context, data plog.Logs) error {
		tenant, _ := tenancy.From(ctx)
		one := arrived{tenant: tenant}
		for _, resource := range data.ResourceLogs().All() {
			name, _ := resource.Resource().Attributes().Get("service.name")
			marked, _ := resource.Resource().Attributes().Get(tenancy.Attribute)
			one.resources = append(one.resources, fmt.Sprintf("%s/%s/%d", name.Str(), marked.Str(), resource.ScopeLogs().Len()))
		}
		all = append(all, one)
		if tenant == fail {
			return errors.New("full")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stage, err := NewFactory().CreateLogs(ctx, processor.Settings{ID: component.NewID(componentType)}, &Config{From: from}, next)
	if err != nil {
		t.Fatal(err)
	}
	data := plog.NewLogs()
	for _, attributes := range resources {
		one := data.ResourceLogs().AppendEmpty()
		if err := one.Resource().Attributes().FromRaw(attributes); err != nil {
			t.Fatal(err)
		}
		one.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("x")
	}
	return all, stage.ConsumeLogs(ctx, data)
}

func topic(names ...string) context.Context {
	return client.NewContext(context.Background(), client.Info{
		Metadata: client.NewMetadata(map[string][]string{topicKey: names}),
	})
}

func TestTheClientsTenantReplacesWhatTheRecordsSay(t *testing.T) {
	ctx := tenancy.Into(context.Background(), "team-a")
	all, err := through(t, fromClient, ctx, []map[string]any{
		{"service.name": "shop", tenancy.Attribute: "team-b"}, {"service.name": "mail"},
	}, "")
	want := []arrived{{"team-a", []string{"shop/team-a/1", "mail/team-a/1"}}}
	if err != nil || !equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}
}

func TestTheTopicNamesTheTenantAndAHeaderDoesNot(t *testing.T) {
	all, err := through(t, fromTopic, topic("otlp_logs.team.a", "otlp_logs.team-b"), []map[string]any{{"service.name": "shop"}}, "")
	if want := []arrived{{"team.a", []string{"shop/team.a/1"}}}; err != nil || !equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}
}

func TestWhatHasNoTenantStaysBehindWithALineThatSaysWhatToDo(t *testing.T) {
	nobody := context.Background()
	for _, one := range []struct {
		from string
		ctx  context.Context
		says string
	}{
		{fromClient, nobody, "middlewares"},
		{fromTopic, nobody, "behind the receiver kafka"},
		{fromTopic, topic("otlp_logs"), `topic "otlp_logs": the tenant behind its first dot is empty`},
		{fromTopic, topic("otlp_logs.a/b"), "may have letters"},
		{fromResource, tenancy.Into(nobody, "team-a"), "belongs before it"},
	} {
		all, err := through(t, one.from, one.ctx, []map[string]any{{"service.name": "shop"}}, "")
		if len(all) != 0 || err == nil || !strings.Contains(err.Error(), one.says) {
			t.Errorf("%s: %v, %v", one.from, all, err)
		}
	}
}

func TestTenantsThatCameTogetherPartAndOnesTroubleIsNotTheOthers(t *testing.T) {
	all, err := through(t, fromResource, context.Background(), []map[string]any{
		{"service.name": "1", tenancy.Attribute: "team-b"},
		{"service.name": "2", tenancy.Attribute: "team-a"},
		{"service.name": "3", tenancy.Attribute: "team-b"},
	}, "team-a")
	want := []arrived{{"team-a", []string{"2/team-a/1"}}, {"team-b", []string{"1/team-b/1", "3/team-b/1"}}}
	if !equal(all, want) {
		t.Errorf("%v", all)
	}
	if err == nil || err.Error() != "full" {
		t.Errorf("the failure is lost: %v", err)
	}
}

func TestTracesAndMetricsAreMarkedAsLogsAre(t *testing.T) {
	ctx := tenancy.Into(context.Background(), "team-a")
	spans, points := new(consumertest.TracesSink), new(consumertest.MetricsSink)
	config := &Config{From: fromClient}
	forTraces, _ := NewFactory().CreateTraces(ctx, processor.Settings{ID: component.NewID(componentType)}, config, spans)
	forMetrics, _ := NewFactory().CreateMetrics(ctx, processor.Settings{ID: component.NewID(componentType)}, config, points)
	trace, metric := ptrace.NewTraces(), pmetric.NewMetrics()
	trace.ResourceSpans().AppendEmpty()
	metric.ResourceMetrics().AppendEmpty()
	if err := errors.Join(forTraces.ConsumeTraces(ctx, trace), forMetrics.ConsumeMetrics(ctx, metric)); err != nil {
		t.Fatal(err)
	}
	one, _ := spans.AllTraces()[0].ResourceSpans().At(0).Resource().Attributes().Get(tenancy.Attribute)
	other, _ := points.AllMetrics()[0].ResourceMetrics().At(0).Resource().Attributes().Get(tenancy.Attribute)
	if one.Str() != "team-a" || other.Str() != "team-a" {
		t.Errorf("%q, %q", one.Str(), other.Str())
	}
}

func TestAnUnknownPlaceIsRefused(t *testing.T) {
	if err := (&Config{From: "header"}).Validate(); err == nil || !strings.Contains(err.Error(), "client, topic or resource") {
		t.Errorf("%v", err)
	}
}

func equal(all, want []arrived) bool {
	return slices.EqualFunc(all, want, func(one, other arrived) bool {
		return one.tenant == other.tenant && slices.Equal(one.resources, other.resources)
	})
}
