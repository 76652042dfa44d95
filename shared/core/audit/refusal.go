package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// RefusalSlug is the slug of entries about callers that were refused.
const RefusalSlug = "auth-failure"

// Refusals leaves entries about callers that were refused. A refused request itself writes nothing, and nobody can fill a store by being
// refused: of all strangers together one refusal a minute is kept of each organization, and one of each known caller. The zero value is
// ready for use.
type Refusals struct {
	mu     sync.Mutex
	minute time.Time
	kept   map[string]bool // organization and caller, of this minute
}

// maxRefusals is how many different refusals a process remembers, and so keeps, of one minute.
const maxRefusals = 1000

// First reports whether a refusal is the first of its caller in this minute, as far as this process knows. organization is a name.
func (r *Refusals) First(now time.Time, organization, caller string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := now.Truncate(time.Minute); !m.Equal(r.minute) || r.kept == nil {
		r.minute, r.kept = m, map[string]bool{}
	}
	id := organization + "/" + caller
	if r.kept[id] || len(r.kept) >= maxRefusals {
		return false
	}
	r.kept[id] = true
	return true
}

// Refused leaves the entry, unless another process left one of the same caller in the same minute. organization is an id; d is the request's
// draft; by is zero for a stranger. The entry's time is the beginning of the minute, which makes its key the same everywhere.
func Refused(ctx context.Context, p ports.Ports, organization string, d Draft, by permission.Principal, at time.Time, why string) error {
	e := Entry{
		At: at.Truncate(time.Minute), Slug: RefusalSlug, Refused: true,
		Description: fmt.Sprintf("refused %s: %s", d.Operation, why),
		Dialect:     d.Dialect, Operation: d.Operation, RequestID: d.RequestID, SourceIP: d.SourceIP, Actor: actorOf(by),
		OrganizationAdmin: d.Verb.ForOrganizationAdmins(), StackAdmin: d.Verb.ForStackAdmins(),
	}
	if by.ID == "" {
		e.Actor.Kind = "stranger"
	}
	sum := sha256.Sum256([]byte(string(by.Kind) + "/" + by.ID))
	e.ID = "refusal-" + hex.EncodeToString(sum[:12])
	err := p.Store.Write(ctx, kind.Create(keys.AuditEntry(organization, e.At, e.ID), e))
	if store.AsConflict(err) != nil {
		return nil
	}
	return err
}
