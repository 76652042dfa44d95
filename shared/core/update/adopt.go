package update

import (
	"context"
	"errors"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Adoption is how far a stack that lived elsewhere was brought here. It changes in the write of each update that is adopted, so that
// whoever was interrupted goes on behind the last one.
type Adoption struct {
	Source   string    `json:"source"`           // where it comes from and which stack it was there
	Taken    int64     `json:"taken"`            // updates adopted; the stack's version as long as nobody else changed it
	Mark     string    `json:"mark,omitempty"`   // of the last update of the source's history that was taken, in the source's order
	Digest   string    `json:"digest,omitempty"` // of the state that was taken last, as the source had it
	Finished time.Time `json:"finished,omitzero"`
}

var adoptionKind = store.NewKind[Adoption]("adoption", 1)

// Past is an update that was made elsewhere.
type Past struct {
	Kind           Kind
	Status         Status // a final one
	By             By
	Program        Program
	Started, Ended time.Time
	Changes        map[string]int64 // resources by what became of them
	Note           string           // why it ended other than by its own client
	Text           []byte           // the checkpoint it left, an untyped deployment; nil leaves the stack's as it was

	Mark, Digest string // for the adoption; an empty one leaves it as it was
}

// NewAdoption returns the change that makes a new stack one that is being adopted; it belongs into the write that makes the stack.
func NewAdoption(source string) func(stack.Stack) []store.Change {
	return func(s stack.Stack) []store.Change {
		return []store.Change{adoptionKind.Create(keys.Adoption(s.ID), Adoption{Source: source})}
	}
}

// AdoptionOf returns a stack's adoption; ok is false when the stack was made here.
func AdoptionOf(ctx context.Context, p ports.Ports, stackID string) (a store.Doc[Adoption], ok bool, err error) {
	a, err = adoptionKind.Get(ctx, p.Store, keys.Adoption(stackID))
	if errors.Is(err, store.ErrNotFound) {
		return a, false, nil
	}
	return a, err == nil, err
}

// BeginAdoption makes a stack that was never updated one that is being adopted. A stack that was is fault.Conflict.
func BeginAdoption(ctx context.Context, p ports.Ports, s store.Doc[stack.Stack], source string) error {
	if s.Value.Version > 0 {
		return fault.New(fault.Conflict, "the stack has %d updates already", s.Value.Version)
	}
	alive, err := stack.Alive(ctx, p, s.Value)
	if err != nil {
		return err
	}
	return p.Store.Write(ctx, alive, s.Check(), adoptionKind.Create(keys.Adoption(s.Value.ID), Adoption{Source: source}))
}

// Adopt records a past update as the stack's next version, with its checkpoint and the adoption's progress in one write, and returns both
// as they are then. Its own times are kept. A stack that was changed here since the last one was adopted is fault.Conflict, a checkpoint
// that is no deployment fault.Invalid, an update that does not fit an item fault.TooLarge. It leaves no event: what it tells of did not
// happen now.
func Adopt(ctx context.Context, p ports.Ports, s store.Doc[stack.Stack], a store.Doc[Adoption], past Past) (store.Doc[stack.Stack], store.Doc[Adoption], error) {
	if lock := s.Value.Lock; lock != nil || s.Value.Version != a.Value.Taken {
		return s, a, fault.New(fault.Conflict, "the stack was updated here since %d updates were adopted", a.Value.Taken)
	}
	if !past.Status.Ended() {
		return s, a, fault.New(fault.Invalid, "an update that is %s cannot be adopted", past.Status)
	}
	h := Head{
		ID: p.NewID(), Stack: s.Value.ID, Kind: past.Kind, Status: past.Status, By: past.By, Program: past.Program,
		Created: past.Started, Started: past.Started, Ended: past.Ended, Version: s.Value.Version + 1, Changes: past.Changes, Note: past.Note,
	}
	if c := s.Value.Checkpoint; c != nil {
		h.Base, h.Resources = c.Version, c.Resources
	}
	var changes []store.Change
	if past.Text != nil {
		m, err := adopted(ctx, p, s.Value, past.Text)
		if err != nil {
			return s, a, err
		}
		m.Update, m.Saved = h.ID, past.Ended
		changes = append(changes, stack.KeepCheckpoint(s.Value.ID, h.Version, m))
		s.Value.Checkpoint = &stack.Checkpoint{Version: h.Version, Resources: m.Resources}
		h.Resources = m.Resources
	}
	s.Value.Version, s.Value.LastUpdate, s.Value.UpdatedAt = h.Version, h.ID, h.Ended
	a.Value.Taken, a.Value.Finished = h.Version, time.Time{}
	if past.Mark != "" {
		a.Value.Mark = past.Mark
	}
	if past.Digest != "" {
		a.Value.Digest = past.Digest
	}
	row, err := stack.Row(ctx, p, s.Value)
	if err != nil {
		return s, a, err
	}
	changes = append(append(changes, recorded(h)...), row, stack.Replace(s), adoptionKind.Replace(a))
	err = p.Store.Write(ctx, changes...)
	var limit *store.LimitError
	if errors.As(err, &limit) {
		return s, a, fault.New(fault.TooLarge, "the update's configuration and environment are larger than %d KB", store.MaxItemBytes>>10)
	}
	s.Version++
	a.Version++
	return s, a, err
}

// adopted keeps a checkpoint's text, which must be a deployment.
func adopted(ctx context.Context, p ports.Ports, s stack.Stack, text []byte) (stack.Manifest, error) {
	u, err := checkpoint.DecodeUntyped(text, "checkpoint")
	if err != nil {
		return stack.Manifest{}, err
	}
	found, err := checkpoint.Inspect(u.Deployment, "deployment")
	if err != nil {
		return stack.Manifest{}, err
	}
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return stack.Manifest{}, err
	}
	m, err := keepText(ctx, p, s.ID, key, text)
	return stack.Manifest{Manifest: m, Resources: found.Resources}, err
}

// FinishAdoption says that everything was adopted that the source holds now, and leaves one audit entry for all of it.
func FinishAdoption(ctx context.Context, p ports.Ports, o organization.Organization, s stack.Stack, a store.Doc[Adoption]) error {
	a.Value.Finished = p.Now()
	return p.Store.Write(ctx, adoptionKind.Replace(a),
		audit.Record(ctx, p, o.ID, "stack-imported", "imported %d updates of stack %s from %s", a.Value.Taken, s.Path(o.Name), a.Value.Source))
}
