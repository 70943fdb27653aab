// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package otlplimits

import (
	"net/http"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retryDelay is when a sender that found too little memory should come back.
const retryDelay = time.Second

// refusal is an answer to a request that is not handed on.
type refusal struct {
	reason string // in the metric, none if it is not counted
	http   int
	code   codes.Code
	text   string
	later  bool // the sender should try again
}

// challenge is what HTTP has to answer with 401.
const challenge = `Bearer realm="OTLP"`

// What a sender is answered. None of it holds a value.
var (
	outOfMemory = &refusal{forInFlight, http.StatusServiceUnavailable, codes.Unavailable,
		"not enough memory for another request at present", true}
	tooMany = &refusal{forConcurrency, http.StatusServiceUnavailable, codes.Unavailable,
		"too many calls are open at present", true}
	tooBig = &refusal{forSize, http.StatusRequestEntityTooLarge, codes.ResourceExhausted,
		"the request is larger than the receiver takes", false}
	tooBigDecoded = &refusal{forDecodedSize, http.StatusRequestEntityTooLarge, codes.ResourceExhausted,
		"the request needs more memory than one may have: send fewer records at a time", false}
	tooSlow = &refusal{forSlowness, http.StatusRequestTimeout, codes.DeadlineExceeded,
		"the request took too long to arrive", false}
	unreadable = &refusal{forForm, http.StatusBadRequest, codes.InvalidArgument,
		"the request's body cannot be read", false}
	unknownCoding = &refusal{forForm, http.StatusUnsupportedMediaType, codes.InvalidArgument,
		"the request's Content-Encoding is not known", false}
	unfinished = &refusal{"", http.StatusBadRequest, codes.InvalidArgument,
		"the request ends in its middle", false} // most often its sender has gone
	notOTLP = &refusal{forForm, http.StatusBadRequest, codes.InvalidArgument,
		"the request is not OTLP", false}
	noToken = &refusal{forToken, http.StatusUnauthorized, codes.Unauthenticated,
		"no token that is accepted: send the header Authorization: Bearer, a space, " +
			"and a line of the Collector's secret otlp_token", false}
	foreignHost = &refusal{forHost, http.StatusMisdirectedRequest, codes.PermissionDenied,
		"the host name of the request is not this Collector's: add it to GLASSHOUSE_HOSTS, " +
			"or ask for a token (OTLP_AUTH=token)", false}
	notKnown = &refusal{"", http.StatusNotFound, codes.Unimplemented,
		"otlp_limits takes traces, metrics and logs", false}
)

// refusalOf returns how to answer after a scan, nil if the request goes on.
func refusalOf(o outcome) *refusal {
	switch o {
	case passed:
		return nil
	case tooLarge:
		return tooBigDecoded
	}
	return notOTLP
}

func (r *refusal) status() *status.Status {
	s := status.New(r.code, r.text)
	if !r.later {
		return s
	}
	if detailed, err := s.WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay)}); err == nil {
		return detailed
	}
	return s
}

// write answers in the encoding of the request, as OTLP asks for.
func (r *refusal) write(w http.ResponseWriter, contentType string) {
	var body []byte
	var err error
	switch contentType {
	case jsonType:
		body, err = protojson.Marshal(r.status().Proto())
	case protobufType:
		body, err = proto.Marshal(r.status().Proto())
	default:
		contentType, body = "text/plain; charset=utf-8", []byte(r.text+"\n")
	}
	if err != nil {
		body = nil // the code says it all
	}
	w.Header().Set("Content-Type", contentType)
	if r.http == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if r.later {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryDelay/time.Second)))
	}
	w.WriteHeader(r.http)
	_, _ = w.Write(body) // nobody is left to answer
}
