// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"glasshouse.example/collector/casetest"
)

// gauges is one request of a service: a metric with a series for each value.
func gauges(service string, now time.Time, values ...string) pmetric.Metrics {
	data := pmetric.NewMetrics()
	r := data.ResourceMetrics().AppendEmpty()
	r.Resource().Attributes().PutStr(serviceName, service)
	m := r.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("m")
	points := m.SetEmptyGauge().DataPoints()
	for _, value := range values {
		p := points.AppendEmpty()
		p.SetIntValue(1)
		p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		p.Attributes().PutStr("a", value)
	}
	return data
}

func numbered(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

// bounded returns a function that sends series and returns how many passed.
func bounded(t *testing.T, change func(*Config)) (func(service string, values ...string) int, *time.Time, *componenttest.Telemetry) {
	t.Helper()
	config, telemetry := testConfig(), componenttest.NewTelemetry()
	change(config)
	must(t, config.Validate())
	p := newMetrics(t, config, testSettings(telemetry), &recorder{})
	t.Cleanup(func() { must(t, p.shutdown(t.Context())) })
	now := casetest.Now
	p.clock = func() time.Time { return now }
	return func(service string, values ...string) int {
		data := gauges(service, now, values...)
		_, _ = p.process(t.Context(), data) // nothing left is no error
		return data.DataPointCount()
	}, &now, telemetry
}

func TestAServiceThatMakesUpSeriesTakesNoPlaceOfOthers(t *testing.T) {
	send, _, telemetry := bounded(t, func(config *Config) {
		config.Metrics.Series = SeriesConfig{PerMetric: 50, PerService: 40, Total: 100, Idle: time.Hour}
	})
	if got := send("loud", numbered(0, 1000)...); got != 39 { // and target_info
		t.Errorf("%d series of a service find a place", got)
	}
	if got := send("calm", numbered(0, 10)...); got != 10 {
		t.Errorf("%d of 10 series of another service find a place", got)
	}
	if got := send("loud", numbered(0, 39)...); got != 39 {
		t.Errorf("%d of 39 series go on", got)
	}
	counted := casetest.Counted(t, telemetry, counters["refused"])
	if got := counted["reason=series,service=loud,signal=metrics"]; got != 961 {
		t.Errorf("%d are counted as refused: %v", got, counted)
	}
	metric, err := telemetry.GetMetric("otelcol_processor_admission_series")
	must(t, err)
	series := map[string]int64{}
	for _, point := range metric.Data.(metricdata.Gauge[int64]).DataPoints {
		label, _ := point.Attributes.Value(attribute.Key("service"))
		series[label.AsString()] = point.Value
	}
	if fmt.Sprint(series) != "map[calm:11 loud:40]" {
		t.Errorf("the gauge says %v", series)
	}
}

func TestAllServicesShareABoundBeyondWhichReservedOnesFindAPlace(t *testing.T) {
	send, _, _ := bounded(t, func(config *Config) {
		config.Metrics.Series = SeriesConfig{PerMetric: 0, PerService: 60, Total: 100, Idle: time.Hour}
		config.Services.Reserved = []string{"ours"}
	})
	for _, one := range []struct {
		service string
		passes  int
	}{{"a", 59}, {"b", 39}, {"c", 0}, {"ours", 59}, {"a", 59}} {
		if got := send(one.service, numbered(0, 100)...); got != one.passes {
			t.Errorf("%d series of %s find a place, not %d", got, one.service, one.passes)
		}
	}
}

func TestIdleSeriesGiveUpTheirPlaces(t *testing.T) {
	send, now, _ := bounded(t, func(config *Config) {
		config.Metrics.Series = SeriesConfig{PerMetric: 10, PerService: 0, Total: 25, Idle: time.Hour}
	})
	send("a", numbered(0, 10)...)
	send("b", numbered(0, 10)...)
	if got := send("c", numbered(0, 5)...); got != 2 {
		t.Errorf("%d series find a place in 3", got)
	}
	*now = now.Add(50 * time.Minute)
	send("a", numbered(0, 4)...)
	*now = now.Add(20 * time.Minute)
	if got := send("a", numbered(0, 20)...); got != 10 {
		t.Errorf("%d series of a metric find a place", got)
	}
	// Neither b nor what is idle of a, though nobody asks for a place there.
	if got := send("c", numbered(0, 20)...); got != 10 {
		t.Errorf("%d series find the place that idle ones had", got)
	}
}

// TestWhatIsNoLabelOfASeriesMakesNoOther sends the same series from a resource that changes in what is
// a label of target_info alone, and from other instances.
func TestWhatIsNoLabelOfASeriesMakesNoOther(t *testing.T) {
	config, telemetry := testConfig(), componenttest.NewTelemetry()
	p := newMetrics(t, config, testSettings(telemetry), &recorder{})
	for i := range 3 {
		for instance := range 2 {
			data := gauges("shop", casetest.Now, "x")
			m := data.ResourceMetrics().At(0).Resource().Attributes()
			m.PutInt("process.pid", int64(i))
			m.PutInt(serviceInstance, int64(instance))
			_, err := p.process(t.Context(), data)
			must(t, err)
		}
	}
	if got := p.services.series.Load(); got != 6+2 {
		t.Errorf("%d series, not one of each instance and six of target_info", got)
	}
}
