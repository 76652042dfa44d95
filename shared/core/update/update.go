// Package update is the life of one change to a stack: created, started under a lease, saved as it goes by journal or by whole
// checkpoints, told about in engine events, and finished: completed, cancelled or expired.
//
// One running update holds a stack: the stack's head names it (stack.Lock), and its lease, an item of its own, says until when. All
// writes of a running update state in a Check that the lease is still what it was, so nothing is written after it was lost. Finishing
// takes two steps, each of which may be repeated: the lease is closed, after which no entry can be acknowledged any more; then
// what was acknowledged becomes the stack's checkpoint in one atomic write that also frees the stack.
package update

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Kind is what an update does.
type Kind string

// The kinds.
const (
	Update  Kind = "update"
	Preview Kind = "preview"
	Refresh Kind = "refresh"
	Destroy Kind = "destroy"
)

// Status is where an update stands.
type Status string

// The states: not started → running → succeeded, failed or cancelled.
const (
	NotStarted Status = "not started"
	Running    Status = "running"
	Succeeded  Status = "succeeded"
	Failed     Status = "failed"
	Cancelled  Status = "cancelled"
)

// Ended reports whether the status is final.
func (s Status) Ended() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Head is an update's own document.
type Head struct {
	ID     string `json:"id"`
	Stack  string `json:"stack"` // id
	Kind   Kind   `json:"kind"`
	DryRun bool   `json:"dryRun,omitempty"` // a preview, or the preview phase of another kind: never changes the stack
	Status Status `json:"status"`
	By     By     `json:"by"`

	Program Program `json:"program"`

	Created time.Time `json:"created"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Version int64     `json:"version"`        // assigned at start; of a dry run, the version it was made on top of
	Base    int64     `json:"base,omitempty"` // version of the checkpoint that the stack had at start; 0 when none

	JournalVersion int `json:"journalVersion,omitempty"` // 1 when the update saves by journal
	Resources      int `json:"resources"`                // in the checkpoint it left

	Changes map[string]int64 `json:"changes,omitempty"` // resources by what became of them, as the client counted
	Note    string           `json:"note,omitempty"`    // why it ended other than by its own client
}

// By is who made the update.
type By struct {
	User  string `json:"user"` // id
	Login string `json:"login"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
	Token string `json:"token,omitempty"` // name of the token it was asked with
}

// Program is what an update runs, shown in the history: what the client says it is, kept as given, and the policy packs that its stack
// demanded when it was made.
type Program struct {
	Name        string            `json:"name,omitempty"`
	Runtime     string            `json:"runtime,omitempty"`
	Main        string            `json:"main,omitempty"`
	Description string            `json:"description,omitempty"`
	Options     json.RawMessage   `json:"options,omitempty"`
	Config      json.RawMessage   `json:"config,omitempty"` // secret values are the client's ciphertext
	Message     string            `json:"message,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	PolicyPacks []PolicyPack      `json:"policyPacks,omitempty"`
}

// PolicyPack is a policy pack that an update had to run.
type PolicyPack struct {
	Name         string                     `json:"name"`
	DisplayName  string                     `json:"displayName"`
	Version      int64                      `json:"version"`
	VersionTag   string                     `json:"versionTag"`
	Config       map[string]json.RawMessage `json:"config,omitempty"` // by policy; left out where that of all packs is larger than maxPackConfig
	Environments []string                   `json:"environments,omitempty"`
}

// maxPackConfig bounds what the head of an update keeps of the configuration of policy packs, in bytes of JSON: histories read many heads, and
// a head must have room for the client's own configuration.
const maxPackConfig = 64 << 10

// kept are the packs with as much of their configuration as a head keeps.
func kept(packs []PolicyPack) []PolicyPack {
	size := 0
	for _, p := range packs {
		for name, c := range p.Config {
			size += len(name) + len(c)
		}
	}
	if size <= maxPackConfig {
		return packs
	}
	out := slices.Clone(packs)
	for i := range out {
		out[i].Config = nil
	}
	return out
}

// rowOfUpdate marks that an update exists, and in the history and the previews leads to it.
type rowOfUpdate struct {
	Update string `json:"update"`
	Kind   Kind   `json:"kind"`
}

// saved is the checkpoint that a running update last saved as a whole or as a delta.
type saved struct {
	blob.Manifest
	Sequence  int64 `json:"sequence"` // of the save; 0 for the plain form, which has none
	Verbatim  bool  `json:"verbatim"` // the text is the client's own, so that deltas apply to it
	Resources int   `json:"resources"`

	Fresh map[string][]byte `json:"fresh,omitempty"` // sealed chunks of the manifest that are kept here and not among the blobs yet, by id
}

// folded is the replayed state of the journal up to and including entry Through.
type folded struct {
	blob.Manifest
	Through int64 `json:"through"`
}

var (
	headKind    = store.NewKind[Head]("update", 1)
	rowKind     = store.NewKind[rowOfUpdate]("update-row", 1)
	leaseKind   = store.NewKind[Lease]("lease", 1)
	savedKind   = store.NewKind[saved]("saved", 1)
	foldKind    = store.NewKind[folded]("fold", 1)
	journalKind = store.NewKind[store.Raw]("journal", 1).Immutable() // zstd, sealed with the stack's key
	eventKind   = store.NewKind[store.Raw]("engine-event", 1).Immutable()
	summaryKind = store.NewKind[map[string]int64]("update-summary", 1).Immutable()
)

// LeaseKind is the kind that the sweeper asks the due index for.
var LeaseKind = leaseKind.Name()

// Of returns the update of an id below a stack, or fault.NotFound.
func Of(ctx context.Context, p ports.Ports, stackID, id string) (store.Doc[Head], error) {
	if !validID(id) {
		return store.Doc[Head]{}, missing(id)
	}
	d, err := headKind.Get(ctx, p.Store, keys.UpdateHead(stackID, id))
	if errors.Is(err, store.ErrNotFound) {
		return d, missing(id)
	}
	return d, err
}

func missing(id string) error { return fault.Missing("update %q not found", id) }

// validID keeps what could not be an id out of keys.
func validID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && c != '-' {
			return false
		}
	}
	return true
}
