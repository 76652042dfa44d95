package audit

import (
	"context"
	"errors"
	"strings"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// entriesOf gives the entries of a query in order, a page at a time.
type entriesOf struct {
	store store.Store
	query store.Query

	items []store.Item
	over  bool
}

// next returns the next entry without taking it; ok is false behind the last one.
func (e *entriesOf) next(ctx context.Context) (i store.Item, ok bool, err error) {
	for len(e.items) == 0 {
		if e.over || e.query.To != "" && e.query.From >= e.query.To {
			return store.Item{}, false, nil
		}
		if e.query.Limit == 0 {
			e.query.Limit = sealPage
		}
		page, err := e.store.Query(ctx, e.query)
		if err != nil {
			return store.Item{}, false, err
		}
		e.items, e.over, e.query.After = page.Items, !page.More, page.Next
	}
	return e.items[0], true, nil
}

func (e *entriesOf) take() { e.items = e.items[1:] }

// comparison compares the entries of one shard in one window with the leaves that they should have: those of the window's seal, and those
// that later seals cover because they landed late.
type comparison struct {
	*organizationVerifier
	shard   int
	entries entriesOf
	leaves  leavesOf
}

// run returns the first entry that does not fit.
func (c *comparison) run(ctx context.Context) (*Finding, error) {
	all := c.entries
	for {
		i, there, err := c.entries.next(ctx)
		if err != nil {
			return nil, err
		}
		l, wanted, late, err := c.want(ctx)
		if errors.Is(err, errLeaves) {
			return foundNumbered(whatLeaves, changed, c.leaves.seal.Digest, c.from), nil
		}
		if err != nil {
			return nil, err
		}
		switch {
		case !there && !wanted:
			return nil, nil
		case there && (!wanted || i.SK < l.sk):
			return c.inserted(ctx, i)
		case !there || l.sk < i.SK:
			return c.dropped(ctx, l, all)
		}
		if leafOf(i).hash != l.hash {
			how := changed
			if _, id := keys.AuditEntryOf(i.SK); idOf(i) != id {
				how = reordered // the content of another entry
			}
			return foundEntry(c.id, how, i.SK), nil
		}
		c.entries.take()
		c.took(late)
	}
}

// want is the next leaf that the window should have; late says that it is of a later seal.
func (c *comparison) want(ctx context.Context) (l leaf, ok, late bool, err error) {
	begin := keys.AuditTime(c.from)
	for {
		l, ok, err = c.leaves.next(ctx)
		if err != nil || !ok || l.sk >= begin {
			break
		}
		c.leaves.take() // of an earlier window, where it was compared
	}
	if err != nil {
		return leaf{}, false, false, err
	}
	if q := c.late[c.shard]; len(q) > 0 && (c.entries.query.To == "" || q[0].sk < c.entries.query.To) && (!ok || q[0].sk < l.sk) {
		return q[0], true, true, nil
	}
	return l, ok, false, nil
}

func (c *comparison) took(late bool) {
	if late {
		c.late[c.shard] = c.late[c.shard][1:]
		return
	}
	c.leaves.take()
}

// inserted is the finding about an entry that no leaf wants: it may be one of this window at another time.
func (c *comparison) inserted(ctx context.Context, i store.Item) (*Finding, error) {
	_, id := keys.AuditEntryOf(i.SK)
	for {
		l, ok, late, err := c.want(ctx)
		if err != nil && !errors.Is(err, errLeaves) {
			return nil, err
		}
		if err != nil || !ok {
			return foundEntry(c.id, inserted, i.SK), nil
		}
		if strings.HasSuffix(l.sk, "/"+id) {
			return foundEntry(c.id, reordered, i.SK), nil
		}
		c.took(late)
	}
}

// dropped is the finding about a leaf that has no entry: it may stand at another time of this window.
func (c *comparison) dropped(ctx context.Context, l leaf, all entriesOf) (*Finding, error) {
	_, id := keys.AuditEntryOf(l.sk)
	all.items, all.over, all.query.After = nil, false, ""
	for {
		i, ok, err := all.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			return foundEntry(c.id, dropped, l.sk), nil
		}
		if _, at := keys.AuditEntryOf(i.SK); at == id || idOf(i) == id {
			return foundEntry(c.id, reordered, l.sk), nil
		}
		all.take()
	}
}
