package pulumi

import (
	"net/http"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// errorBody is the vendor's envelope. The CLI compares code, not the HTTP status, so the two are always equal.
type errorBody struct {
	Code    int           `json:"code"`
	Message string        `json:"message"`
	Errors  []errorDetail `json:"errors,omitempty"`
}

type errorDetail struct {
	Resource      string `json:"resource"`
	Attribute     string `json:"attribute,omitempty"`
	ErrorType     string `json:"errorType"`
	CustomMessage string `json:"customMessage,omitempty"`
}

// render writes a fault as the vendor does: the status's reason phrase, a colon, the sentence.
func render(f *fault.Fault, requestID string) api.Rendered {
	status := api.StatusOf(f)
	switch f.Code {
	case fault.Invalid:
		if f.Reason != api.ReasonMethodNotAllowed && f.Reason != api.ReasonUnsupportedEncoding {
			status = http.StatusBadRequest
		}
	case fault.Stale:
		status = http.StatusConflict
	}
	body := errorBody{Code: status, Message: http.StatusText(status) + ": " + sentence(f)}
	if f.Code == fault.Invalid && f.Reason == "" {
		for _, d := range f.Details {
			body.Errors = append(body.Errors, errorDetail{Resource: "Request", Attribute: d.Field, ErrorType: "invalid", CustomMessage: d.Message})
		}
		if len(f.Details) == 0 && f.Field != "" {
			body.Errors = []errorDetail{{Resource: "Request", Attribute: f.Field, ErrorType: "invalid", CustomMessage: f.Message}}
		}
	}
	return api.Rendered{Status: status, Body: body}
}

// sentence is the fault's message, in the words that the CLI looks for where it does.
func sentence(f *fault.Fault) string {
	switch {
	case f.Reason == stack.HasResources:
		return "Stack still contains resources." // compared as a whole by the CLI
	case f.Code == fault.Conflict && f.Holder != nil:
		return f.Message + " with `pulumi cancel`"
	}
	return f.Message
}
