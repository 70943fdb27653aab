// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package eventmetrics

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Stages at which a family can fail.
const (
	stageRestore = "restore"
	stageEncode  = "encode"
	stageStore   = "store"
	stageExpose  = "expose"
)

// telemetry counts what could not be counted as sent, and what keeps counts from being exposed.
// Labels are names from the configuration, never a value from a record.
type telemetry struct {
	meter         metric.Meter
	invalidValues metric.Int64Counter
	outOfRanges   metric.Int64Counter
	overflows     metric.Int64Counter
	repeats       metric.Int64Counter
	forgets       metric.Int64Counter
	unbelieved    metric.Int64Counter
	failures      metric.Int64Counter
	behind        metric.Float64ObservableGauge

	families []familyTelemetry
}

// familyTelemetry are the labels of one family.
type familyTelemetry struct {
	family metric.MeasurementOption
	labels []metric.MeasurementOption
	stages map[string]metric.MeasurementOption
}

func newTelemetry(provider metric.MeterProvider, families []FamilyConfig) (*telemetry, error) {
	t := &telemetry{meter: provider.Meter(scopeName)}
	for _, one := range []struct {
		counter                 *metric.Int64Counter
		name, description, unit string
	}{
		{&t.invalidValues, "invalid_values", "Events whose value to measure is no valid number", "{event}"},
		{&t.outOfRanges, "out_of_range", "Events whose number is too large, or would make the sum infinite", "{event}"},
		{&t.overflows, "overflow", "Label values counted as other: over max_dynamic_values, or no valid name", "{value}"},
		{&t.repeats, "repeated", "Events that were sent again and not counted again", "{event}"},
		{&t.forgets, "forgotten", "Ids of events that were forgotten before their window was over", "{event}"},
		{&t.unbelieved, "not_believed", "Events of services whose events are not counted", "{event}"},
		{&t.failures, "failed", "Times that counts of a family could not be restored, encoded, stored or exposed", "{failure}"},
	} {
		var err error
		*one.counter, err = t.meter.Int64Counter("otelcol_connector_event_metrics_"+one.name,
			metric.WithDescription(one.description), metric.WithUnit(one.unit))
		if err != nil {
			return nil, err
		}
	}
	var err error
	t.behind, err = t.meter.Float64ObservableGauge("otelcol_connector_event_metrics_behind",
		metric.WithDescription("For how long the oldest change has waited to be stored and exposed"),
		metric.WithUnit("s"))
	if err != nil {
		return nil, err
	}
	for i := range families {
		t.families = append(t.families, t.family(&families[i]))
	}
	ctx := context.Background()
	t.repeats.Add(ctx, 0)
	t.forgets.Add(ctx, 0)
	t.unbelieved.Add(ctx, 0)
	return t, nil
}

// family makes the labels of one family, and exposes its counters from the start, so that
// increase() sees the first event.
func (t *telemetry) family(config *FamilyConfig) familyTelemetry {
	ctx, name := context.Background(), attribute.String("family", config.Name)
	made := familyTelemetry{family: with(name), stages: map[string]metric.MeasurementOption{}}
	t.invalidValues.Add(ctx, 0, made.family)
	t.outOfRanges.Add(ctx, 0, made.family)
	for _, l := range config.Labels {
		option := with(name, attribute.String("label", l.Name))
		made.labels = append(made.labels, option)
		t.overflows.Add(ctx, 0, option)
	}
	for _, stage := range []string{stageRestore, stageEncode, stageStore, stageExpose} {
		made.stages[stage] = with(name, attribute.String("stage", stage))
		t.failures.Add(ctx, 0, made.stages[stage])
	}
	return made
}

func with(labels ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(labels...))
}

// report adds what one request had that was not counted as sent.
func (t *telemetry) report(ctx context.Context, r *request) {
	for i := range r.measurements {
		m := &r.measurements[i]
		switch m.outcome {
		case invalidValue:
			t.invalidValues.Add(ctx, 1, t.families[m.family.place].family)
		case outOfRange:
			t.outOfRanges.Add(ctx, 1, t.families[m.family.place].family)
		case counted, repeated:
		}
	}
	for _, one := range r.overflows {
		t.overflows.Add(ctx, 1, t.families[one.family.place].labels[one.label])
	}
	if r.repeated > 0 {
		t.repeats.Add(ctx, r.repeated)
	}
	if r.unbelieved > 0 {
		t.unbelieved.Add(ctx, r.unbelieved)
	}
	if r.forgotten > 0 {
		t.forgets.Add(ctx, r.forgotten)
	}
}

func (t *telemetry) failed(ctx context.Context, f *family, stage string, n int) {
	t.failures.Add(ctx, int64(n), t.families[f.place].stages[stage])
}

// watch exposes how far behind the counts are, until the registration ends.
func (t *telemetry) watch(seconds func() float64) (metric.Registration, error) {
	return t.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		to.ObserveFloat64(t.behind, seconds())
		return nil
	}, t.behind)
}
