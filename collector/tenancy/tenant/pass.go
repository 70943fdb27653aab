// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"glasshouse.example/collector/tenancy"
)

// topicKey is where the Kafka receiver puts a record's topic. Headers of the record stand behind it
// under the same key, so only the first value is the receiver's.
const topicKey = "kafka.topic"

var (
	errNoClient = errors.New(
		"no tenant: name the extension tenants under middlewares of the receiver, for each of its protocols")
	errNoTopic = errors.New("no tenant: tenant with `from: topic` belongs behind the receiver kafka")
)

// resourced is one resource with its records, of any signal.
type resourced[E any] interface {
	Resource() pcommon.Resource
	MoveTo(E)
}

// resources is a list of them.
type resources[E any] interface {
	Len() int
	At(int) E
	AppendEmpty() E
}

// pass marks the data and hands it on, once for each tenant.
func pass[T any, S resources[E], E resourced[E]](
	ctx context.Context, from string, data T, all S,
	create func() T, list func(T) S, next func(context.Context, T) error,
) error {
	if from != fromResource {
		tenant, err := ofRequest(ctx, from)
		if err != nil {
			return err
		}
		for i := range all.Len() {
			all.At(i).Resource().Attributes().PutStr(tenancy.Attribute, tenant)
		}
		return next(tenancy.Into(ctx, tenant), data)
	}
	parts := map[string]T{}
	for i := range all.Len() {
		one := all.At(i)
		tenant, err := ofResource(one.Resource())
		if err != nil {
			return err
		}
		if _, begun := parts[tenant]; !begun {
			parts[tenant] = create()
		}
		one.MoveTo(list(parts[tenant]).AppendEmpty())
	}
	var failed []error
	for _, tenant := range slices.Sorted(maps.Keys(parts)) {
		// One tenant's trouble is no other's.
		if err := next(tenancy.Into(ctx, tenant), parts[tenant]); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func ofRequest(ctx context.Context, from string) (string, error) {
	if from == fromClient {
		tenant, known := tenancy.From(ctx)
		if !known {
			return "", errNoClient
		}
		return tenant, nil
	}
	topics := client.FromContext(ctx).Metadata.Get(topicKey)
	if len(topics) == 0 {
		return "", errNoTopic
	}
	_, tenant, _ := strings.Cut(topics[0], ".")
	if err := tenancy.ValidName(tenant); err != nil {
		return "", fmt.Errorf("topic %q: the tenant behind its first dot %w", topics[0], err)
	}
	return tenant, nil
}

func ofResource(resource pcommon.Resource) (string, error) {
	tenant := ""
	if value, found := resource.Attributes().Get(tenancy.Attribute); found {
		tenant = value.AsString()
	}
	if err := tenancy.ValidName(tenant); err != nil {
		return "", fmt.Errorf("resource attribute %s %w: tenant with `from: client` or `from: topic` belongs before it",
			tenancy.Attribute, err)
	}
	return tenant, nil
}
