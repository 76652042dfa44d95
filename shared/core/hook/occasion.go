package hook

import (
	"encoding/json"
	"time"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Occasion is an event as hooks hear of it: names instead of ids, as they were when it happened.
type Occasion struct {
	Topic   string // "stack.created", "update.succeeded", "preview.failed" …: see Subscription.Topics
	At      time.Time
	By      Person // zero for what nobody asked for
	Org     Party
	Project string  // name
	Stack   string  // name
	Update  *Update // of topics that speak of an update or a preview

	owners []store.Scope // whose hooks hear of it
}

// Person is who did it.
type Person struct{ Login, Name string }

// Party is an organization.
type Party struct{ Name, DisplayName string }

// Update is the update or the preview that an occasion speaks of.
type Update struct {
	ID      string
	Kind    string // "update", "preview", "refresh", "destroy" …
	Version int64
	Preview bool
	Outcome string           // "succeeded" or "failed"; what was cancelled has failed
	Changes map[string]int64 // number of resources by what was done to them; nil when unknown
}

// occasionOf reads an event. To let hooks hear of another event, add its case here and its name to Events; ok is false for events that
// no hook can ask for.
func occasionOf(e event.Event) (o Occasion, ok bool, err error) {
	o = Occasion{At: e.At}
	switch e.Name {
	case "stack.created", "stack.deleted":
		var h stack.Happened
		if err := json.Unmarshal(e.Data, &h); err != nil {
			return o, false, err
		}
		o.Topic, o.By = e.Name, Person{Login: h.By, Name: h.ByName}
		o.Org = Party{Name: h.OrganizationName, DisplayName: h.OrganizationTitle}
		o.Project, o.Stack = h.Project, h.Name
		o.owners = []store.Scope{keys.Organization(e.Organization), keys.Stack(h.Stack)}
	case "update.finished", "preview.finished":
		var f update.Finished
		if err := json.Unmarshal(e.Data, &f); err != nil {
			return o, false, err
		}
		outcome := "failed"
		if f.Outcome == update.Succeeded {
			outcome = "succeeded"
		}
		o.Topic = string(f.Kind) + "." + outcome
		if f.Preview {
			o.Topic = "preview." + outcome
		}
		o.By = Person{Login: f.By, Name: f.ByName}
		o.Org = Party{Name: f.OrganizationName, DisplayName: f.OrganizationTitle}
		o.Project, o.Stack = f.Project, f.Name
		o.Update = &Update{ID: f.Update, Kind: string(f.Kind), Version: f.Version, Preview: f.Preview, Outcome: outcome, Changes: f.Changes}
		o.owners = []store.Scope{keys.Organization(e.Organization), keys.Stack(f.Stack)}
	default:
		return o, false, nil
	}
	return o, true, nil
}

// Events are the names of the events that hooks can hear of.
func Events() []string {
	return []string{"stack.created", "stack.deleted", "update.finished", "preview.finished"}
}
