package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Entry is what was done, by whom, from where.
type Entry struct {
	ID          string    `json:"id"`
	At          time.Time `json:"at"`
	Slug        string    `json:"slug"`
	Description string    `json:"description"`
	Dialect     string    `json:"dialect,omitempty"`
	Operation   string    `json:"operation,omitempty"`
	RequestID   string    `json:"requestId,omitempty"`
	SourceIP    string    `json:"sourceIp,omitempty"`
	Actor       Actor     `json:"actor"`

	OrganizationAdmin bool `json:"organizationAdmin,omitempty"` // only an administrator of the organization may do this
	StackAdmin        bool `json:"stackAdmin,omitempty"`        // only an administrator of the stack may do this
	Refused           bool `json:"refused,omitempty"`           // the caller was refused, and nothing was done
}

// Actor is who did it. A sweeper or a worker is the actor "system".
type Actor struct {
	Kind      string `json:"kind"`
	ID        string `json:"id,omitempty"`
	Login     string `json:"login,omitempty"`
	Name      string `json:"name,omitempty"`
	TokenID   string `json:"tokenId,omitempty"`
	TokenName string `json:"tokenName,omitempty"`
}

var kind = store.NewKind[Entry]("audit", 1)

// Draft is what the front knows of an entry before the core writes it. One request has one draft.
type Draft struct {
	Dialect, Operation, Slug string
	RequestID, SourceIP      string
	Verb                     permission.Verb // that the row needs; empty for rows that need none

	actor Actor
	left  int
}

type draftKey struct{}

// Begin carries a draft through the request.
func Begin(ctx context.Context, d *Draft) context.Context {
	return context.WithValue(ctx, draftKey{}, d)
}

// DraftOf returns the request's draft, or nil outside a request.
func DraftOf(ctx context.Context) *Draft {
	d, _ := ctx.Value(draftKey{}).(*Draft)
	return d
}

// Left reports whether the core made an entry of this draft: a row that declares a slug and leaves none is a defect.
func (d *Draft) Left() bool { return d.left > 0 }

// ActAs sets who the request's entries name.
func ActAs(ctx context.Context, p permission.Principal) {
	if d := DraftOf(ctx); d != nil {
		d.actor = actorOf(p)
	}
}

func actorOf(p permission.Principal) Actor {
	return Actor{Kind: string(p.Kind), ID: p.ID, Login: p.Login, Name: p.Name, TokenID: p.TokenID, TokenName: p.Token}
}

// Record is the change that leaves an entry in an organization's audit. It belongs into the write it tells of. slug is used where
// the request's row names none: background work, and side effects of another row.
func Record(ctx context.Context, p ports.Ports, organization, slug, format string, args ...any) store.Change {
	e := Entry{ID: p.NewID(), At: p.Now(), Slug: slug, Description: fmt.Sprintf(format, args...), Actor: Actor{Kind: "system"}}
	if d := DraftOf(ctx); d != nil {
		d.left++
		e.Dialect, e.Operation, e.RequestID, e.SourceIP, e.Actor = d.Dialect, d.Operation, d.RequestID, d.SourceIP, d.actor
		e.OrganizationAdmin, e.StackAdmin = d.Verb.ForOrganizationAdmins(), d.Verb.ForStackAdmins()
	}
	return kind.Create(keys.AuditEntry(organization, e.At, e.ID), e)
}
