// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package piiprocessor

import (
	"errors"
	"fmt"
	"regexp"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.uber.org/zap"

	"glasshouse.example/collector/piiprocessor/engine"
)

const (
	onErrorDrop = "drop"
	onErrorMask = "mask"

	defaultOnError  = onErrorDrop
	defaultMaxDepth = 32
	mostDepth       = 256
	leastKeyBytes   = 16
)

// ownKey is the name of an id as the policy writes it. A card under such a name is stored, so other
// names, such as card_number, are refused.
var ownKey = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*_id$`)

// Config of the processor.
type Config struct {
	// Policy is the path of rules.yaml, the list of what is sensitive.
	Policy string `mapstructure:"policy"`
	// HMACKey is the key of pseudonyms, 16 bytes or more: ${env:…} or ${file:…}. Of several lines
	// the first is used; the others are keys of before. White space around it does not count.
	HMACKey configopaque.String `mapstructure:"hmac_key"`
	// OnError says what becomes of a record that cannot be checked: drop, or mask, which leaves
	// its times and ids. Metrics are always dropped.
	OnError string `mapstructure:"on_error"`
	// MaxDepth is how deep maps and lists may be nested. Deeper ones cannot be checked.
	MaxDepth int `mapstructure:"max_depth"`
	// Entities switches single entities of the policy: on or off; ip: public, all or off.
	Entities map[string]string `mapstructure:"entities"`
	// OwnKeys are added to own_keys of the policy: names of ids in events of one's own services,
	// which are no card and no number of a person, whatever they look like.
	OwnKeys []string `mapstructure:"own_keys"`

	loading *loading
}

// loading keeps the policy once it is read: a configuration is validated and then used by three
// signals.
type loading struct {
	once     sync.Once
	redactor redactor
	err      error
	reported sync.Once
}

func createDefaultConfig() component.Config {
	return &Config{OnError: defaultOnError, MaxDepth: defaultMaxDepth, loading: &loading{}}
}

// Validate names the first key that has to be fixed. It reads the policy.
func (c *Config) Validate() error {
	if c.Policy == "" {
		return errors.New("policy: set the path of rules.yaml")
	}
	switch key := c.key(); {
	case len(key) == 0:
		return errors.New("hmac_key: set it, as ${env:NAME} or ${file:PATH}")
	case len(key) < leastKeyBytes:
		return fmt.Errorf("hmac_key: needs at least %d bytes, has %d", leastKeyBytes, len(key))
	}
	if c.OnError != onErrorDrop && c.OnError != onErrorMask {
		return fmt.Errorf("on_error: is %q, must be drop or mask", c.OnError)
	}
	if c.MaxDepth < 1 || c.MaxDepth > mostDepth {
		return fmt.Errorf("max_depth: is %d, must be 1 to %d", c.MaxDepth, mostDepth)
	}
	for i, name := range c.OwnKeys {
		if !ownKey.MatchString(name) {
			return fmt.Errorf("own_keys[%d]: is %q, must be the name of an id as the policy writes it, such as booking_id of booking.id", i, name)
		}
	}
	_, err := c.load()
	return err
}

func (c *Config) key() []byte { return engine.CurrentKey([]byte(c.HMACKey)) }

// load reads the policy, at the first call.
func (c *Config) load() (redactor, error) {
	if c.loading == nil {
		c.loading = &loading{}
	}
	c.loading.once.Do(func() {
		c.loading.redactor, c.loading.err = newRedactor(c.Policy, c.key(), c.Entities, c.OwnKeys)
	})
	return c.loading.redactor, c.loading.err
}

// reportUnfiltered logs one line, at the first call, that names the rules of an edited policy which
// have lost their prefilters.
func (c *Config) reportUnfiltered(logger *zap.Logger) {
	edited, isEngine := c.loading.redactor.(*engine.Engine)
	if !isEngine {
		return
	}
	c.loading.reported.Do(func() {
		if rules := edited.Unfiltered(); len(rules) > 0 {
			logger.Info("Rules of the policy were edited: they are tried wherever their patterns could match, "+
				"which is correct and slower", zap.String("policy", c.Policy), zap.Strings("rules", rules))
		}
		if rules := edited.TriedOnAll(); len(rules) > 0 {
			logger.Info("Rules of the policy say nothing of what a text must hold: they are tried on every text, "+
				"which is slow", zap.String("policy", c.Policy), zap.Strings("rules", rules))
		}
	})
}
