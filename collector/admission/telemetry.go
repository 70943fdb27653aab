// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "glasshouse.example/collector/admission"

// What becomes of records of a service that is over its bound.
const (
	waited = "waited" // refused for now; the sender tries again
	shed   = "shed"   // dropped, in a batch with records of other services
)

// telemetry is what the processor reports of itself: reasons, bounded names of services, numbers.
type telemetry struct {
	signal    string
	counters  [actionCount]metric.Int64Counter
	throttled metric.Int64Counter
	meter     metric.Meter

	mutex  sync.Mutex
	labels map[label]metric.MeasurementOption
}

type label struct {
	reason  reason
	service string
}

func newTelemetry(provider metric.MeterProvider, signal string) (*telemetry, error) {
	meter := provider.Meter(scopeName)
	t := &telemetry{signal: signal, meter: meter, labels: map[label]metric.MeasurementOption{}}
	for _, one := range []struct {
		action           action
		name, unit, what string
	}{
		{repair, "repaired", "{repair}", "Repairs, of a record or of what records share"},
		{setAside, "set_aside", "{record}", "Records that went to the dead letters"},
		{refuse, "refused", "{record}", "Records dropped, because no backend could take them"},
	} {
		counter, err := meter.Int64Counter("otelcol_processor_admission_"+one.name,
			metric.WithDescription(one.what), metric.WithUnit(one.unit))
		if err != nil {
			return nil, err
		}
		t.counters[one.action] = counter
	}
	// Exposed from the start, so that increase() sees the first one.
	for _, line := range tables[signal] {
		first := t.label(line.reason, "")
		t.counters[refuse].Add(context.Background(), 0, first)
		t.counters[setAside].Add(context.Background(), 0, first)
		if line.repairable {
			t.counters[repair].Add(context.Background(), 0, first)
		}
	}
	throttled, err := meter.Int64Counter("otelcol_processor_admission_throttled",
		metric.WithDescription("Records of services over their bound"), metric.WithUnit("{record}"))
	if err != nil {
		return nil, err
	}
	t.throttled = throttled
	for _, outcome := range []string{waited, shed} {
		t.throttle(context.Background(), outcome, "", 0)
	}
	return t, nil
}

func (t *telemetry) label(why reason, service string) metric.MeasurementOption {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	key := label{why, service}
	made, known := t.labels[key]
	if !known {
		made = metric.WithAttributeSet(attribute.NewSet(
			attribute.String("signal", t.signal),
			attribute.String("service", service),
			attribute.String("reason", reasonNames[why]),
		))
		t.labels[key] = made
	}
	return made
}

// tally is what one resource of a batch had.
type tally struct {
	counted [actionCount][reasonCount]int64
	any     bool
}

func (c *tally) add(does action, why reason, n int) {
	c.counted[does][why] += int64(n)
	c.any = true
}

// refused returns a reason for which something was.
func (c *tally) refused() (why reason, any bool) {
	if !c.any {
		return 0, false
	}
	for why, n := range c.counted[refuse] {
		if n > 0 {
			return reason(why), true
		}
	}
	return 0, false
}

// report adds a tally to the counters and empties it.
func (t *telemetry) report(ctx context.Context, c *tally, service string) {
	if !c.any {
		return
	}
	for does := range c.counted {
		for why, n := range c.counted[does] {
			if n > 0 {
				t.counters[does].Add(ctx, n, t.label(reason(why), service))
			}
		}
	}
	*c = tally{}
}

func (t *telemetry) count(ctx context.Context, does action, why reason, service string, n int) {
	t.counters[does].Add(ctx, int64(n), t.label(why, service))
}

func (t *telemetry) throttle(ctx context.Context, outcome, service string, records int) {
	t.throttled.Add(ctx, int64(records), metric.WithAttributes(
		attribute.String("signal", t.signal),
		attribute.String("service", service),
		attribute.String("outcome", outcome),
	))
}

// watch exposes how many series the services have, until the registration ends.
func (t *telemetry) watch(services *table) (metric.Registration, error) {
	gauge, err := t.meter.Int64ObservableGauge("otelcol_processor_admission_series",
		metric.WithDescription("Series of a service that have a place"), metric.WithUnit("{series}"))
	if err != nil {
		return nil, err
	}
	return t.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		services.eachSeries(func(label string, series int) {
			to.ObserveInt64(gauge, int64(series), metric.WithAttributes(attribute.String("service", label)))
		})
		return nil
	}, gauge)
}
