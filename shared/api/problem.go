package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/store"
)

// Reasons that the front itself gives to a fault.Invalid, for dialects whose status for them is not that of other wrong input.
const (
	ReasonMethodNotAllowed    = "method-not-allowed"   // 405; the front sets Allow
	ReasonUnsupportedEncoding = "unsupported-encoding" // 415
	ReasonBodyTimeout         = "body-timeout"         // 408: the body did not arrive in time
)

// statusClientGone is what the log and the metrics see when the client left before the answer. Nothing is sent.
const statusClientGone = 499

// StatusOf is the usual HTTP status of a fault, for dialects whose vendor has no opinion.
func StatusOf(f *fault.Fault) int {
	switch f.Reason {
	case ReasonMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case ReasonUnsupportedEncoding:
		return http.StatusUnsupportedMediaType
	case ReasonBodyTimeout:
		return http.StatusRequestTimeout
	}
	switch f.Code {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict, fault.Stale:
		return http.StatusConflict
	case fault.Gone:
		return http.StatusGone
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// faultOf turns any error into the fault that the client may see. The cause stays in it, for the log.
func faultOf(err error, requestID string) *fault.Fault {
	if f := fault.As(err); f != nil && f.Code != fault.Internal {
		return f
	}
	switch {
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrNewerSchema), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		f := fault.New(fault.Unavailable, "The service cannot answer right now; please try again.").Because(err)
		f.RetryAfter = time.Second
		return f
	case store.AsConflict(err) != nil:
		return fault.New(fault.Stale, "This was changed by somebody else at the same time; please try again.").Because(err)
	}
	return fault.New(fault.Internal, "Something went wrong on our side. If it happens again, tell us the request id %s.", requestID).Because(err)
}

// visible is the fault without what is for the log alone.
func visible(f *fault.Fault) *fault.Fault {
	if f.Cause == nil {
		return f
	}
	c := *f
	c.Cause = nil
	return &c
}

// problem carries an error through huma, unchanged, to the place that renders it.
type problem struct{ err error }

func (p *problem) Error() string  { return p.err.Error() }
func (p *problem) Unwrap() error  { return p.err }
func (p *problem) GetStatus() int { return http.StatusInternalServerError } // never sent: see exchange

// Schema keeps this type out of the OpenAPI document.
func (p *problem) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeObject} }

func init() {
	// huma has one error constructor for the whole process, and this package is its only user.
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return &problem{err: wrongInput(status, msg, errs)}
	}
}

// wrongInput says in a fault what huma says of a request it cannot bind.
func wrongInput(status int, msg string, errs []error) error {
	for _, err := range errs {
		if fault.As(err) != nil {
			return err
		}
	}
	switch {
	case msg == "request body is required":
		return bodyRequired()
	case status == http.StatusRequestTimeout:
		return fault.Wrong("body", "The request body did not arrive in time.").WithReason(ReasonBodyTimeout)
	case status >= http.StatusInternalServerError || len(errs) == 0:
		return fmt.Errorf("%s: %w", msg, errors.Join(errs...))
	}
	f := fault.Wrong("", "%s", msg)
	for _, err := range errs {
		f.Details = append(f.Details, detailOf(err))
	}
	first := f.Details[0]
	f.Field, f.Message = first.Field, first.Message
	if first.Field != "" && first.Message != bodyRequired().Message {
		f.Message = first.Field + ": " + first.Message
	}
	return f
}

func bodyRequired() *fault.Fault { return fault.Wrong("body", "a request body is required") }

// detailOf names the field itself where huma names what holds it. Values are left out: they may be secret.
func detailOf(err error) fault.Detail {
	var d huma.ErrorDetailer
	if !errors.As(err, &d) {
		return fault.Detail{Message: err.Error()}
	}
	e := d.ErrorDetail()
	out := fault.Detail{Field: e.Location, Message: e.Message}
	if e.Message == bodyRequired().Message {
		return out
	}
	if name, ok := strings.CutPrefix(e.Message, "expected required property "); ok {
		if name, ok = strings.CutSuffix(name, " to be present"); ok {
			return fault.Detail{Field: e.Location + "." + name, Message: "a value is required"}
		}
	}
	if rest, ok := strings.CutPrefix(e.Message, "required "); ok && strings.HasSuffix(rest, " parameter is missing") {
		out.Message = "a value is required"
	}
	// What the JSON decoder finds names its own place below the body.
	if place, message, ok := strings.Cut(e.Message, ": "); ok && (place == e.Location || strings.HasPrefix(place, e.Location+".")) {
		return fault.Detail{Field: place, Message: message}
	}
	return out
}
