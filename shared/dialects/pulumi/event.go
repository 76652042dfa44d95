package pulumi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/update"
)

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
	return nil, update.RecordEvents(ctx, d.in(ctx), access.Of(ctx).Lease, events)
}

type getEventsIn struct {
	UpdatePath
	ContinuationToken   string   `query:"continuationToken"`
	Types               []string `query:"type,explode" doc:"names of payloads, such as resourcePreEvent; repeatable"`
	URN                 string   `query:"urn" doc:"of the resource that an event is about"`
	IncludeNonActivated bool     `query:"include_non_activated" doc:"adds nothing: an event is shown from when it was recorded"`
}

// eventsPerPage is how many events one answer holds at most.
const eventsPerPage = 500

func (d dialect) getEvents(ctx context.Context, in *getEventsIn) (*rawOut, error) {
	wanted, err := wantedEvents(in.Types, in.URN)
	if err != nil {
		return nil, err
	}
	page, err := update.EventsOf(ctx, d.in(ctx), access.Of(ctx).Stack.Value, in.Update, in.ContinuationToken, eventsPerPage, wanted)
	if err != nil {
		return nil, err
	}
	var out struct {
		Events            []json.RawMessage `json:"events"`
		ContinuationToken *string           `json:"continuationToken"`
	}
	out.Events = []json.RawMessage{}
	for _, e := range page.Events {
		out.Events = append(out.Events, typed(e.Raw))
	}
	if page.Next != "" {
		out.ContinuationToken = &page.Next
	}
	return &rawOut{ContentType: "application/json", Body: document(out)}, nil
}

// wantedEvents holds for the events that a reader asked for, nil for all of them.
func wantedEvents(types []string, urn string) (func(update.EngineEvent) bool, error) {
	for _, name := range types {
		if _, err := strconv.Atoi(name); err == nil {
			return nil, fault.Wrong("query.type", "type: the numbers of event types are not published; name the payload instead, such as resourcePreEvent")
		}
		if !slices.Contains(payloadNames, name) {
			return nil, fault.Wrong("query.type", "type: there is no event called %q; there are %s", name, strings.Join(payloadNames, ", "))
		}
	}
	if len(types) == 0 && urn == "" {
		return nil, nil
	}
	return func(e update.EngineEvent) bool {
		members := membersOf(e.Raw)
		name := payloadOf(members)
		return (len(types) == 0 || slices.Contains(types, name)) && (urn == "" || resourceOf(members[name]) == urn)
	}, nil
}

// resourceOf is the URN of the resource that a payload is about, or "".
func resourceOf(payload json.RawMessage) string {
	var p struct {
		URN         string `json:"urn"`
		ResourceURN string `json:"resourceUrn"`
		Metadata    struct {
			URN string `json:"urn"`
		} `json:"metadata"`
	}
	if json.Unmarshal(payload, &p) != nil {
		return ""
	}
	return cmp.Or(p.Metadata.URN, p.URN, p.ResourceURN)
}

// membersOf are the members of an event, nil for what is no object.
func membersOf(raw json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

// payloadOf is the name of an event's payload, or "". Clients may know payloads that this server does not.
func payloadOf(members map[string]json.RawMessage) string {
	names := slices.Sorted(maps.Keys(members))
	for _, name := range names {
		if slices.Contains(payloadNames, name) && string(members[name]) != "null" {
			return name
		}
	}
	for _, name := range names {
		if name != "sequence" && name != "timestamp" && name != "type" {
			return name
		}
	}
	return ""
}

// typed adds the name of the payload to an event, as readers expect it.
func typed(raw json.RawMessage) json.RawMessage {
	members := membersOf(raw)
	name := payloadOf(members)
	if name == "" {
		return raw
	}
	members["type"] = document(name)
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
	page, err := update.EventsOf(ctx, d.in(ctx), access.Of(ctx).Stack.Value, in.Update, in.ContinuationToken, eventsPerPage, nil)
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
