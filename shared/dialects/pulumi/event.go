package pulumi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/update"
)

// engineEvents documents a batch; the events themselves are kept as the client wrote them.
type engineEvents struct {
	Events []engineEvent `json:"events"`
}

type engineEvent struct {
	Sequence  int64  `json:"sequence"`
	Timestamp int64  `json:"timestamp"` // Unix seconds
	Type      string `json:"type,omitempty"`

	CancelEvent                 map[string]any `json:"cancelEvent,omitempty"`
	StdoutEvent                 map[string]any `json:"stdoutEvent,omitempty"`
	DiagnosticEvent             map[string]any `json:"diagnosticEvent,omitempty"`
	PreludeEvent                map[string]any `json:"preludeEvent,omitempty"`
	SummaryEvent                map[string]any `json:"summaryEvent,omitempty"`
	ResourcePreEvent            map[string]any `json:"resourcePreEvent,omitempty"`
	ResOutputsEvent             map[string]any `json:"resOutputsEvent,omitempty"`
	ResOpFailedEvent            map[string]any `json:"resOpFailedEvent,omitempty"`
	PolicyEvent                 map[string]any `json:"policyEvent,omitempty"`
	PolicyRemediationEvent      map[string]any `json:"policyRemediationEvent,omitempty"`
	PolicyLoadEvent             map[string]any `json:"policyLoadEvent,omitempty"`
	PolicyAnalyzeSummaryEvent   map[string]any `json:"policyAnalyzeSummaryEvent,omitempty"`
	PolicyRemediateSummaryEvent map[string]any `json:"policyRemediateSummaryEvent,omitempty"`
	PolicyAnalyzeStackSummary   map[string]any `json:"policyAnalyzeStackSummaryEvent,omitempty"`
	StartDebuggingEvent         map[string]any `json:"startDebuggingEvent,omitempty"`
	ProgressEvent               map[string]any `json:"progressEvent,omitempty"`
	ErrorEvent                  map[string]any `json:"errorEvent,omitempty"`
}

// recordEvents keeps a batch. Every event needs its sequence; what else it holds is the client's.
func (d dialect) recordEvents(ctx context.Context, in *rawUpdateIn) (*struct{}, error) {
	var body struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := api.DecodeJSON(in.RawBody, &body); err != nil {
		return nil, err
	}
	if body.Events == nil {
		return nil, fault.Wrong("body.events", "body.events: a list of engine events is required")
	}
	if len(body.Events) > update.MaxEvents {
		return nil, fault.New(fault.TooLarge, "a batch has at most %d events", update.MaxEvents)
	}
	events := make([]update.EngineEvent, len(body.Events))
	for i, raw := range body.Events {
		var head struct {
			Sequence *int64 `json:"sequence"`
			Summary  *struct {
				ResourceChanges map[string]int64 `json:"resourceChanges"`
			} `json:"summaryEvent"`
		}
		if err := json.Unmarshal(raw, &head); err != nil || head.Sequence == nil || *head.Sequence < 0 {
			field := fmt.Sprintf("body.events[%d].sequence", i)
			return nil, fault.Wrong(field, "%s must be a number, 0 or more", field)
		}
		events[i] = update.EngineEvent{Sequence: *head.Sequence, Raw: raw}
		if head.Summary != nil {
			events[i].Changes = head.Summary.ResourceChanges
		}
	}
	return nil, update.RecordEvents(ctx, d.Ports, access.Of(ctx).Lease, events)
}

type getEventsIn struct {
	UpdatePath
	ContinuationToken string `query:"continuationToken"`
	URN               string `query:"urn"`
}

// updateEvents documents the answer of getEvents.
type updateEvents struct {
	Events            []engineEvent `json:"events"`
	ContinuationToken *string       `json:"continuationToken"` // null when the update has ended and all was read
}

// eventsPerPage is how many events one answer holds at most.
const eventsPerPage = 500

func (d dialect) getEvents(ctx context.Context, in *getEventsIn) (*rawOut, error) {
	page, err := update.EventsOf(ctx, d.Ports, access.Of(ctx).Stack.Value, in.Update, in.ContinuationToken, eventsPerPage)
	if err != nil {
		return nil, err
	}
	var out struct {
		Events            []json.RawMessage `json:"events"`
		ContinuationToken *string           `json:"continuationToken"`
	}
	out.Events = []json.RawMessage{}
	for _, e := range page.Events {
		if in.URN != "" && !bytes.Contains(e.Raw, document(in.URN)) {
			continue
		}
		out.Events = append(out.Events, typed(e.Raw))
	}
	if page.Next != "" {
		out.ContinuationToken = &page.Next
	}
	return &rawOut{ContentType: "application/json", Body: document(out)}, nil
}

// typed adds the name of the payload to an event, as readers expect it.
func typed(raw json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return raw
	}
	for name := range members {
		if name != "sequence" && name != "timestamp" && name != "type" {
			members["type"] = document(name)
			break
		}
	}
	return document(members)
}

type updateStatusIn struct {
	UpdatePath
	ContinuationToken string `query:"continuationToken"`
}

type logLine struct {
	Index  string            `json:"index"`
	Kind   string            `json:"kind" enum:"stdout,stderr"`
	Fields map[string]string `json:"fields"`
}

type updateStatusOut struct {
	Body struct {
		Status            string    `json:"status"`
		Events            []logLine `json:"events"`
		ContinuationToken *string   `json:"continuationToken,omitempty"` // absent when the update has ended and all was read
	}
}

// getUpdateStatus is the older log: the lines that the update printed.
func (d dialect) getUpdateStatus(ctx context.Context, in *updateStatusIn) (*updateStatusOut, error) {
	page, err := update.EventsOf(ctx, d.Ports, access.Of(ctx).Stack.Value, in.Update, in.ContinuationToken, eventsPerPage)
	if err != nil {
		return nil, err
	}
	out := &updateStatusOut{}
	out.Body.Status, out.Body.Events = string(page.Status), []logLine{}
	for _, e := range page.Events {
		var printed struct {
			Stdout     *printedText `json:"stdoutEvent"`
			Diagnostic *printedText `json:"diagnosticEvent"`
		}
		if json.Unmarshal(e.Raw, &printed) != nil {
			continue
		}
		line := logLine{Index: fmt.Sprint(e.Sequence), Kind: "stdout"}
		text := printed.Stdout
		if text == nil {
			if text = printed.Diagnostic; text == nil {
				continue
			}
			if text.Severity == "error" || text.Severity == "warning" {
				line.Kind = "stderr"
			}
		}
		line.Fields = map[string]string{"text": text.Message, "color": text.Color}
		out.Body.Events = append(out.Body.Events, line)
	}
	if page.Next != "" {
		out.Body.ContinuationToken = &page.Next
	}
	return out, nil
}

type printedText struct {
	Message  string `json:"message"`
	Color    string `json:"color"`
	Severity string `json:"severity"`
}
