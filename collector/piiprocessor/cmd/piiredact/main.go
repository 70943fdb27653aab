// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Command piiredact redacts JSON lines by the policy: {"key": …, "value": …} in, {"value": …,
// "hits": {rule: count}} out. Value is any JSON; a string is a text. {"bytes": "<base64>"} instead is a
// byte slice, and {"otlp": {"doubleValue": 1.5}} a value of OTLP, which goes through the whole processor.
//
//	echo '{"value":"jane@example.com"}' | piiredact -policy redaction/rules.yaml -key-file key
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"glasshouse.example/collector/piiprocessor/engine"
)

// longestLine is the longest line of input, in bytes.
const longestLine = 64 << 20

type input struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	Bytes *string         `json:"bytes"`
	OTLP  json.RawMessage `json:"otlp"`
}

type output struct {
	Value any            `json:"value"`
	Hits  map[string]int `json:"hits,omitempty"`
}

func main() {
	policy := flag.String("policy", "redaction/rules.yaml", "the policy")
	keyFile := flag.String("key-file", "", "file with the HMAC key; required")
	disable := flag.String("disable", "", "entities or rules to leave out, separated by commas")
	private := flag.Bool("mask-private-ips", false, "mask private addresses too")
	flag.Parse()
	if err := run(*policy, *keyFile, *disable, *private, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "piiredact:", err)
		os.Exit(1)
	}
}

func run(policy, keyFile, disable string, private bool, in io.Reader, out io.Writer) error {
	if keyFile == "" {
		return fmt.Errorf("name the file with the HMAC key: -key-file")
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	options := engine.Options{MaskPrivateIPs: private}
	if disable != "" {
		options.Disable = strings.Split(disable, ",")
	}
	e, err := engine.Load(policy, engine.CurrentKey(key), options)
	if err != nil {
		return err
	}
	entities := map[string]string{}
	for _, name := range options.Disable {
		entities[name] = "off"
	}
	if private {
		entities["ip"] = "all"
	}
	processor := sync.OnceValues(func() (*attributes, error) { return newAttributes(policy, engine.CurrentKey(key), entities) })
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	buffered := bufio.NewWriter(out)
	writer := json.NewEncoder(buffered)
	writer.SetEscapeHTML(false)
	for number := 1; lines.Scan(); number++ {
		var line input
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		var hits engine.Hits
		result := output{}
		if line.OTLP != nil {
			processed, err := processor()
			if err != nil {
				return err
			}
			if result.Value, err = processed.redact(line.Key, line.OTLP); err != nil {
				return fmt.Errorf("line %d: otlp: %w", number, err)
			}
		} else if line.Bytes != nil {
			raw, err := base64.StdEncoding.DecodeString(*line.Bytes)
			if err != nil {
				return fmt.Errorf("line %d: bytes: %w", number, err)
			}
			redacted, _ := e.Bytes(line.Key, raw, &hits)
			result.Value = base64.StdEncoding.EncodeToString(redacted)
		} else if result.Value, err = e.Value(line.Key, line.Value, &hits); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		hits.Each(func(rule string, n int) {
			if result.Hits == nil {
				result.Hits = map[string]int{}
			}
			result.Hits[rule] = n
		})
		if err := writer.Encode(result); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return buffered.Flush()
}
