// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlpbisect

import (
	"net/http"
	"strconv"
	"time"
)

// verdict is what an answer means for what was sent.
type verdict int

const (
	// taken: stored, but for what a partial success rejects.
	taken verdict = iota
	// refused: something in it is not acceptable and never will be.
	refused
	// throttled: later; over a rate, or larger than any rate allows.
	throttled
	// broken: the backend fails, or gives no answer at all. It may pass, or a record breaks it.
	broken
	// unavailable: nothing was said that could concern a record. All of it waits.
	unavailable
	// tooLarge: not sent, because max_request_bytes says so.
	tooLarge
)

// verdictOf returns what a status means.
func verdictOf(status int) verdict {
	switch status {
	case http.StatusTooManyRequests:
		return throttled
	case http.StatusInternalServerError, http.StatusNotImplemented:
		// Some backends answer so to a record that breaks them, which would hold up its
		// neighbours indefinitely, and some when they are not ready, which passes.
		return broken
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusGone,
		http.StatusLengthRequired, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType,
		http.StatusExpectationFailed, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusUpgradeRequired,
		http.StatusPreconditionRequired, http.StatusRequestHeaderFieldsTooLarge,
		http.StatusUnavailableForLegalReasons:
		// They concern the address, the credentials or the connection, and so of every record
		// alike. Halving would set them all aside, one by one. Held in the queue they raise the
		// alert on the exporter, and arrive once that is fixed.
		return unavailable
	}
	switch {
	case status >= 200 && status <= 299:
		return taken
	case status >= 400 && status <= 499:
		return refused
	default:
		return unavailable
	}
}

// retryAfter reads the header of that name: seconds or a date. 0 when it says nothing.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
