// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package kafkabisect

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ofRecords are the errors that say that a record cannot be taken, ever. All others are of the brokers, of
// what is set there, or of the way to them, and end when somebody mends it.
var ofRecords = []*kerr.Error{
	kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp,
}

// refused returns the error of a record in what the stock exporter returned: it joins those of all messages.
func refused(err error) *kerr.Error {
	for _, one := range answers(err) {
		if slices.Contains(ofRecords, one) {
			return one
		}
	}
	return nil
}

// onlyRefused reports whether each message that was not taken cannot be taken, ever.
func onlyRefused(err error) bool {
	for _, one := range answers(err) {
		if !slices.Contains(ofRecords, one) {
			return false
		}
	}
	return true
}

// answers are the brokers' errors in one that is joined of others, and nil for what is no answer of theirs.
func answers(err error) []*kerr.Error {
	if answer, is := err.(*kerr.Error); is {
		return []*kerr.Error{answer}
	}
	switch wrapped := err.(type) {
	case interface{ Unwrap() []error }:
		var all []*kerr.Error
		for _, one := range wrapped.Unwrap() {
			all = append(all, answers(one)...)
		}
		return all
	case interface{ Unwrap() error }:
		if below := wrapped.Unwrap(); below != nil {
			return answers(below)
		}
	}
	return []*kerr.Error{nil}
}

// causes are the words of what can be done about an error, by the answer.
var causes = map[*kerr.Error]string{
	kerr.TopicAuthorizationFailed: "the name in its certificate may not write to the topic: allow it (deploy/kafka/topics.sh), " +
		"or set the topic of this edge's own tenant",
	kerr.ClusterAuthorizationFailed: "the name in its certificate may not write: allow it (deploy/kafka/topics.sh)",
	kerr.UnknownTopicOrPartition:    "the topic is missing: make it (deploy/kafka/topics.sh)",
	kerr.InvalidTopicException:      "the topic has no valid name: set it",
	kerr.NotEnoughReplicas:          "too few brokers are there: start them",
}

// remedy says what to do about an error.
func remedy(err error) string {
	for _, one := range answers(err) {
		if words, known := causes[one]; known {
			return words
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no broker answered in time: are they there (brokers), and do they and this Collector trust each other's " +
			"certificates (tls)?"
	}
	return "the brokers' logs say more"
}
