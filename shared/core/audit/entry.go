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
		d.actor = Actor{Kind: string(p.Kind), ID: p.ID, Login: p.Login, Name: p.Name, TokenID: p.TokenID, TokenName: p.Token}
	}
}

// Record is the change that leaves an entry in an organization's audit. It belongs into the write it tells of. slug is used where
// the request's row names none: background work, and side effects of another row.
func Record(ctx context.Context, p ports.Ports, organization, slug, format string, args ...any) store.Change {
	e := Entry{ID: p.NewID(), At: p.Now(), Slug: slug, Description: fmt.Sprintf(format, args...), Actor: Actor{Kind: "system"}}
	if d := DraftOf(ctx); d != nil {
		d.left++
		e.Dialect, e.Operation, e.RequestID, e.SourceIP, e.Actor = d.Dialect, d.Operation, d.RequestID, d.SourceIP, d.actor
	}
	return kind.Create(keys.AuditEntry(organization, e.At, e.ID), e)
}

// OfOrganization returns up to limit entries of an organization, newest first, at or before a time. It queries every shard and
// merges them; the cost does not grow with the age of the audit.
func OfOrganization(ctx context.Context, p ports.Ports, organization string, before time.Time, limit int) ([]Entry, error) {
	var shards [keys.AuditShards][]Entry
	for n := range shards {
		docs, _, err := kind.Page(ctx, p.Store, store.Query{
			PK:         keys.Organization(organization).Partition(keys.AuditShard(n)),
			To:         keys.AuditTime(before.Add(time.Microsecond)),
			Descending: true,
			Limit:      limit,
		})
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			shards[n] = append(shards[n], d.Value)
		}
	}
	var out []Entry
	for len(out) < limit {
		newest := -1
		for n, es := range shards {
			if len(es) > 0 && (newest < 0 || es[0].At.After(shards[newest][0].At)) {
				newest = n
			}
		}
		if newest < 0 {
			break
		}
		out = append(out, shards[newest][0])
		shards[newest] = shards[newest][1:]
	}
	return out, nil
}
