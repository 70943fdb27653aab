// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestValidateNamesTheKeyToFix(t *testing.T) {
	folder := t.TempDir()
	policy, err := os.ReadFile(policyPath)
	fatal(t, err)
	bad := filepath.Join(folder, "bad.yaml")
	fatal(t, os.WriteFile(bad, []byte(strings.Replace(string(policy), "validate: jwt", "validate: jvt", 1)), 0o600))
	empty := filepath.Join(folder, "empty.yaml")
	fatal(t, os.WriteFile(empty, nil, 0o600))

	for name, one := range map[string]struct {
		change map[string]any
		want   []string // parts of the one line
	}{
		"no policy":      {map[string]any{"policy": ""}, []string{"policy: set"}},
		"policy missing": {map[string]any{"policy": "/nowhere/rules.yaml"}, []string{"policy", "/nowhere/rules.yaml", "no such file"}},
		"policy empty":   {map[string]any{"policy": empty}, []string{"policy", empty}},
		"bad rule":       {map[string]any{"policy": bad}, []string{bad + ":", `"jwt"`, `"jvt"`}},
		"no key":         {map[string]any{"hmac_key": " \n"}, []string{"hmac_key: set it"}},
		"short key":      {map[string]any{"hmac_key": "short\n"}, []string{"hmac_key: needs at least 16 bytes, has 5"}},
		"on_error":       {map[string]any{"on_error": "pass"}, []string{`on_error: is "pass", must be drop or mask`}},
		"max_depth":      {map[string]any{"max_depth": 0}, []string{"max_depth: is 0, must be 1 to 256"}},
		"ip":             {map[string]any{"entities": map[string]any{"ip": "on"}}, []string{`entities.ip: is "on", must be public, all or off`}},
		"switch":         {map[string]any{"entities": map[string]any{"card": "all"}}, []string{`entities.card: is "all", must be on or off`}},
		"own key":        {map[string]any{"own_keys": []any{"booking_id", "card_number"}}, []string{`own_keys[1]: is "card_number", must be the name of an id`}},
		"card's own key": {map[string]any{"own_keys": []any{"card_id"}}, []string{"own_keys[0]: card_id has the word card"}},
		"entity":         {map[string]any{"entities": map[string]any{"crad": "off"}}, []string{"crad"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			fatal(t, confmap.NewFromStringMap(one.change).Unmarshal(cfg))
			err := cfg.Validate()
			if err == nil {
				t.Fatal("is taken")
			}
			for _, part := range one.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than one line", err)
			}
			if strings.Contains(err.Error(), testKey) {
				t.Errorf("%q holds the key", err)
			}
		})
	}
	fatal(t, testConfig().Validate())
}

// TestItDoesNotStartOpen makes each processor from a configuration that was not validated.
func TestItDoesNotStartOpen(t *testing.T) {
	factory := NewFactory()
	set := testSettings(componenttest.NewTelemetry())
	ctx, next := t.Context(), consumertest.NewNop()
	cfg := factory.CreateDefaultConfig()
	if _, err := factory.CreateTraces(ctx, set, cfg, next); err == nil {
		t.Error("traces: starts without a policy")
	}
	if _, err := factory.CreateLogs(ctx, set, cfg, next); err == nil {
		t.Error("logs: starts without a policy")
	}
	if _, err := factory.CreateMetrics(ctx, set, cfg, next); err == nil {
		t.Error("metrics: starts without a policy")
	}
	if one, err := factory.CreateLogs(ctx, set, testConfig(), next); err != nil {
		t.Error(err)
	} else if err := one.Shutdown(ctx); err != nil { // before any start
		t.Error(err)
	}
}

// TestEditedRulesAreLogged: one line for the three signals, and none for the policy as shipped.
func TestEditedRulesAreLogged(t *testing.T) {
	shipped, err := os.ReadFile(policyPath)
	fatal(t, err)
	edited := strings.Replace(string(shipped), "0[xX][0-9a-fA-F]{40}", "0[xX][0-9a-fA-F]{39,40}", 1)
	edited = strings.Replace(edited, `'(?:[STFGM][0-9]{7}[A-Z]`, `'(?:[STFGMX][0-9]{7}[A-Z]`, 1)
	path := filepath.Join(t.TempDir(), "rules.yaml")
	fatal(t, os.WriteFile(path, []byte(edited), 0o600))
	for policy, want := range map[string][]any{policyPath: nil, path: {"wallet_evm", "nric"}} {
		cfg := testConfig()
		cfg.Policy = policy
		core, logged := observer.New(zap.InfoLevel)
		set := testSettings(componenttest.NewTelemetry())
		set.Logger = zap.New(core)
		pipelines(t, set, cfg, "")
		lines := logged.All()
		if want == nil {
			if len(lines) > 0 {
				t.Errorf("the shipped policy is logged: %v", lines)
			}
			continue
		}
		if len(lines) != 1 || !reflect.DeepEqual(lines[0].ContextMap()["rules"], want) {
			t.Errorf("logged %v, want one line with %v", lines, want)
		}
	}
}

// TestTheSchemaIsThatOfTheConfig holds config.schema.json to the struct: keys, types, defaults.
func TestTheSchemaIsThatOfTheConfig(t *testing.T) {
	fatal(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	text, err := os.ReadFile("config.schema.json")
	fatal(t, err)
	var schema struct {
		Properties map[string]struct {
			Type        string `json:"type"`
			Description string `json:"description"`
			Default     any    `json:"default"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	fatal(t, json.Unmarshal(text, &schema))
	cfg := reflect.ValueOf(createDefaultConfig()).Elem()
	types := map[reflect.Kind]string{reflect.String: "string", reflect.Int: "integer", reflect.Map: "object", reflect.Slice: "array"}
	keys := 0
	for i := range cfg.NumField() {
		key := cfg.Type().Field(i).Tag.Get("mapstructure")
		if key == "" {
			continue
		}
		keys++
		property, known := schema.Properties[key]
		if !known || property.Description == "" {
			t.Errorf("%s is not described", key)
			continue
		}
		field := cfg.Field(i)
		if want := types[field.Kind()]; property.Type != want {
			t.Errorf("%s is of type %s, not %s", key, want, property.Type)
		}
		var standard any
		switch {
		case field.Kind() == reflect.Int:
			standard = float64(field.Int())
		case field.Kind() == reflect.String && field.String() != "":
			standard = field.String()
		}
		if !reflect.DeepEqual(property.Default, standard) {
			t.Errorf("%s has the default %v, not %v", key, standard, property.Default)
		}
	}
	if keys != len(schema.Properties) {
		t.Errorf("the schema has %d keys, the configuration %d", len(schema.Properties), keys)
	}
	if !reflect.DeepEqual(schema.Required, []string{"policy", "hmac_key"}) {
		t.Errorf("required are %v", schema.Required)
	}
}

func TestTheFirstLineIsTheKey(t *testing.T) {
	for text, want := range map[string]string{
		testKey:                                 testKey,
		"\n " + testKey + " \r\nan older key\n": testKey,
		testKey + "\nshort":                     testKey,
		" \n":                                   "",
	} {
		if got := (&Config{HMACKey: configopaque.String(text)}).key(); string(got) != want {
			t.Errorf("%q: the key is %q, not %q", text, got, want)
		}
	}
}
