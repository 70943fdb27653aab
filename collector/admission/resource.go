// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
)

// Attributes that name a service.
const (
	serviceName        = "service.name"
	serviceNamespace   = "service.namespace"
	serviceEnvironment = "deployment.environment.name"
	originalService    = "admission.service.name"
)

// identityOf takes what was sent, as it is: the bound on services must not depend on how a signal
// repairs names.
func identityOf(m pcommon.Map) identity {
	text := func(key string) string {
		v, present := m.Get(key)
		if !present {
			return ""
		}
		s := v.Str()
		if v.Type() != pcommon.ValueTypeStr {
			s = v.AsString()
		}
		if len(s) > identityBytes {
			s = s[:identityBytes-16] + digest(s)
		}
		return s
	}
	return identity{text(serviceName), text(serviceNamespace), text(serviceEnvironment)}
}

// identityBytes bounds what is remembered of one text of an identity.
const identityBytes = 256

// indexing is what a backend files by, and what names a service. These stand once, are short texts,
// and stay when others are gathered.
type indexing struct {
	keys  []string
	bytes int
}

func newIndexing(filedBy []string, bytes int) indexing {
	keys := []string{serviceName, serviceNamespace, serviceEnvironment} // at most mostIndex
	for _, key := range filedBy {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return indexing{keys, bytes}
}

// single gives each but the first of attributes that must stand once another name. Of two
// with one name each backend takes another, and the bound on services reads one.
func (w *walk) single(m pcommon.Map, keys []string) {
	var met [mostIndex]int
	twice := false
	for key := range m.All() {
		if at := slices.Index(keys, key); at >= 0 {
			met[at]++
			twice = twice || met[at] > 1
		}
	}
	if !twice || !w.hit(name) {
		return
	}
	met = [mostIndex]int{}
	var renamed xpdata.MapBuilder
	renamed.EnsureCapacity(m.Len())
	for key, v := range m.All() {
		if at := slices.Index(keys, key); at >= 0 {
			if met[at]++; met[at] > 1 {
				key += "_" + strconv.Itoa(met[at])
			}
		}
		v.MoveTo(renamed.AppendEmpty(key))
	}
	renamed.UnsafeIntoMap(m)
}

// indexed makes short texts of them.
func (w *walk) indexed(m pcommon.Map, by indexing) {
	for key, v := range m.All() {
		if !slices.Contains(by.keys, key) {
			continue
		}
		if v.Type() == pcommon.ValueTypeStr && len(v.Str()) <= by.bytes &&
			!strings.Contains(v.Str(), replacement) {
			continue
		}
		if !w.hit(index) {
			continue
		}
		// Loki takes U+FFFD in a label for a sign of text that is no UTF-8, and refuses it.
		text := strings.ReplaceAll(v.AsString(), replacement, "?")
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

// resource repairs what all records of a resource share. nameless reports that its service is
// one of those that are not distinguished.
func (v *visit) resource(r resource, by indexing, nameless bool) {
	m := r.Resource().Attributes()
	v.text(r.SchemaUrl(), r.SetSchemaUrl)
	v.attributes(m, 0, false)
	v.single(m, by.keys)
	v.indexed(m, by)
	if nameless {
		v.bounded(m)
	}
	v.shared = v.bound(m, v.bounds.resource(), by.keys)
}

// scope repairs what all records of a scope share. It returns the size of what each record has of it
// and of the resource.
func (v *visit) scope(s interface {
	schemed
	Scope() pcommon.InstrumentationScope
},
) size {
	scope := s.Scope()
	v.text(s.SchemaUrl(), s.SetSchemaUrl)
	named := v.short(scope.Name(), scope.SetName) + v.short(scope.Version(), scope.SetVersion)
	v.attributes(scope.Attributes(), 0, false)
	is := v.bound(scope.Attributes(), v.bounds.scope(), nil)
	return size{v.shared.count + is.count, v.shared.bytes + is.bytes + named}
}
