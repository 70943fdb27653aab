// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Attributes that name a service.
const (
	serviceName        = "service.name"
	serviceNamespace   = "service.namespace"
	serviceEnvironment = "deployment.environment.name"
	originalService    = "admission.service.name"
)

func identityOf(m pcommon.Map) identity {
	text := func(key string) string {
		if v, present := m.Get(key); present && v.Type() == pcommon.ValueTypeStr {
			return v.Str()
		}
		return ""
	}
	return identity{text(serviceName), text(serviceNamespace), text(serviceEnvironment)}
}

// indexing is what a backend files by.
type indexing struct {
	keys  []string
	bytes int
}

// indexed mends the attributes by which a backend files: they must be texts, and short.
func (w *walk) indexed(m pcommon.Map, by indexing) {
	if len(by.keys) == 0 {
		return
	}
	for key, v := range m.All() {
		if !slices.Contains(by.keys, key) {
			continue
		}
		if v.Type() == pcommon.ValueTypeStr && len(v.Str()) <= by.bytes {
			continue
		}
		if !w.hit(index) {
			continue
		}
		text := v.AsString()
		if len(text) > by.bytes {
			text = cutUnique(text, by.bytes)
		}
		v.SetStr(text)
	}
}

// bounded gives a service that is one too many the name of all such.
func (w *walk) bounded(m pcommon.Map) {
	if !w.hit(services) {
		return
	}
	original := ""
	if v, present := m.Get(serviceName); present {
		original = v.AsString()
	}
	m.PutStr(serviceName, otherService)
	m.PutStr(originalService, original)
	m.Remove(serviceNamespace)
	m.Remove(serviceEnvironment)
}

// schemed has the address of a schema, as resources and scopes have.
type schemed interface {
	SchemaUrl() string
	SetSchemaUrl(string)
}

// resource mends what all records of a resource share, and finds its service.
func (v *visit) resource(r resource, by indexing, among *table, now time.Time) *service {
	m := r.Resource().Attributes()
	v.text(r.SchemaUrl(), r.SetSchemaUrl)
	v.attributes(m, 0, false)
	v.indexed(m, by)
	sender := among.of(identityOf(m), now)
	if sender.others {
		v.bounded(m)
	}
	v.shared = v.bound(m, v.bounds.resource(), by.keys)
	return sender
}

// scope mends what all records of a scope share. It returns the size of what each record has of it
// and of the resource.
func (v *visit) scope(s interface {
	schemed
	Scope() pcommon.InstrumentationScope
},
) size {
	scope := s.Scope()
	v.text(s.SchemaUrl(), s.SetSchemaUrl)
	named := v.text(scope.Name(), scope.SetName) + v.text(scope.Version(), scope.SetVersion)
	v.attributes(scope.Attributes(), 0, false)
	is := v.bound(scope.Attributes(), v.bounds.scope(), nil)
	return size{v.shared.count + is.count, v.shared.bytes + is.bytes + named}
}
