// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

// HoldsName reports whether a member of a map may hold the name of what another member of it holds,
// as in {"name": "DB_PASSWORD", "value": "…"}.
func HoldsName(member string) bool {
	switch member {
	case "name", "Name", "key", "Key", "field", "Field", "fieldName", "field_name", "param", "Param", "parameter", "Parameter",
		"parameterName", "parameter_name", "ParameterKey", "ParameterName", "property", "propertyName", "attribute", "attributeName",
		"header", "headerName", "variable", "path", "loc", "k", "option", "setting":
		return true
	}
	return false
}

// HoldsValue reports whether a member of a map may hold the value to a name in another.
func HoldsValue(member string) bool {
	return strings.HasSuffix(member, "alue") || strings.HasSuffix(member, "alues") ||
		member == "input" || member == "val" || member == "v"
}

// HoldsKind reports whether a member says of which kind an object of Kubernetes is.
func HoldsKind(member string) bool { return member == "kind" }

// MayBeSecret reports whether a member holds secrets in an object of some kind of Kubernetes.
func MayBeSecret(member string) bool {
	return member == "data" || member == "stringData" || member == "items"
}

// SecretMember reports whether a member of an object of that kind holds secrets as a whole.
func SecretMember(kind, member string) bool {
	switch kind {
	case "Secret":
		return member == "data" || member == "stringData"
	case "SecretList":
		return member == "items"
	}
	return false
}

// SecretName is the name under which the members of such an object stand.
const SecretName = "secret"

// Names reports whether what stands under that name is replaced for its name alone.
func (e *Engine) Names(name string) bool {
	k := e.lookup(name)
	return k.secret != nil || k.user
}

// NamesPair reports whether the first of two items in a list of pairs is the name of the second.
// Two words are columns or fields.
func (e *Engine) NamesPair(name, value string) bool {
	return name != "" && e.Names(name) && isNotWords(value)
}
