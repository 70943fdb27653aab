// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package tenants

// refusal is why a client is not let in.
type refusal struct {
	reason string // in the metric
	text   string // for the client, without any value of its own
}

// A client keeps what it is refused, and tries again: nothing is lost until it is let in.
var (
	withoutCertificate = &refusal{
		"no_certificate", "it shows no certificate of the authority in client_ca_file",
	}
	unknownClient = &refusal{
		"unknown_client", "the name in its certificate has no tenant: add it to clients of the extension tenants",
	}
)
