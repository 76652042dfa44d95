package update

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// EventPage is a part of an update's events. Next is empty when the update has ended and all events were read: whoever follows a
// running update gets a token even when there is nothing new.
type EventPage struct {
	Status Status
	Events []EngineEvent
	Next   string
}

type eventPosition struct {
	From int64 `json:"f"` // first sequence number not read yet
}

// EventsOf returns up to limit events of an update from where token stands, "" for the beginning. With keep only those that it holds
// for are returned and counted.
func EventsOf(ctx context.Context, p ports.Ports, s stack.Stack, id, token string, limit int, keep func(EngineEvent) bool) (EventPage, error) {
	binding := "events\x00" + s.ID + "\x00" + id
	var at eventPosition
	if token != "" {
		if err := p.Cursors.Open(binding, token, "continuationToken", &at); err != nil {
			return EventPage{}, err
		}
	}
	u, err := Of(ctx, p, s.ID, id)
	if err != nil {
		return EventPage{}, err
	}
	all, err := Events(ctx, p, s, id)
	if err != nil {
		return EventPage{}, err
	}
	page := EventPage{Status: u.Value.Status}
	more := false
	for _, e := range all {
		if e.Sequence < at.From {
			continue
		}
		if keep == nil || keep(e) {
			if more = len(page.Events) == limit; more {
				break
			}
			page.Events = append(page.Events, e)
		}
		at.From = e.Sequence + 1
	}
	if more || !u.Value.Status.Ended() {
		page.Next = p.Cursors.Make(binding, at)
	}
	return page, nil
}
