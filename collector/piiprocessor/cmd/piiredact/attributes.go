// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap"

	"glasshouse.example/collector/piiprocessor"
)

// attributes puts values through the processor itself, each as the attribute of a log record.
type attributes struct {
	processor processor.Logs
	last      plog.Logs // what the processor passed on
}

// request is a log record with one attribute, in OTLP's JSON.
type request struct {
	ResourceLogs []resourceLogs `json:"resourceLogs"`
}
type resourceLogs struct {
	ScopeLogs []scopeLogs `json:"scopeLogs"`
}
type scopeLogs struct {
	LogRecords []logRecord `json:"logRecords"`
}
type logRecord struct {
	Attributes []attribute `json:"attributes"`
}
type attribute struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

func newAttributes(policy string, key []byte, entities map[string]string) (*attributes, error) {
	factory := piiprocessor.NewFactory()
	config := factory.CreateDefaultConfig().(*piiprocessor.Config)
	config.Policy, config.HMACKey, config.Entities = policy, configopaque.String(key), entities
	a := &attributes{}
	keep, err := consumer.NewLogs(func(_ context.Context, data plog.Logs) error {
		a.last = data
		return nil
	})
	if err != nil {
		return nil, err
	}
	settings := processor.Settings{
		ID: component.NewID(factory.Type()),
		TelemetrySettings: component.TelemetrySettings{
			Logger: zap.NewNop(), MeterProvider: otel.GetMeterProvider(), TracerProvider: otel.GetTracerProvider(),
		},
	}
	a.processor, err = factory.CreateLogs(context.Background(), settings, config, keep)
	return a, err
}

// redact returns the value of an attribute in OTLP's JSON, as it was given.
func (a *attributes) redact(key string, value json.RawMessage) (json.RawMessage, error) {
	record := logRecord{Attributes: []attribute{{Key: key, Value: value}}}
	raw, err := json.Marshal(request{[]resourceLogs{{[]scopeLogs{{[]logRecord{record}}}}}})
	if err != nil {
		return nil, err
	}
	data, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(raw)
	if err != nil {
		return nil, err
	}
	a.last = plog.NewLogs()
	if err := a.processor.ConsumeLogs(context.Background(), data); err != nil {
		return nil, err
	}
	if a.last.LogRecordCount() != 1 {
		return nil, fmt.Errorf("the record was dropped")
	}
	if raw, err = (&plog.JSONMarshaler{}).MarshalLogs(a.last); err != nil {
		return nil, err
	}
	var out request
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, err
	}
	return out.ResourceLogs[0].ScopeLogs[0].LogRecords[0].Attributes[0].Value, nil
}
