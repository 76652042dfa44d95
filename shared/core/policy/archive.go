package policy

import (
	"context"
	"errors"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// LinkLife is for how long a link to an archive is good: a client fetches a pack when its update begins, and an update may wait for a
// person to say yes.
const LinkLife = 2 * time.Hour

// What a link is for. A link for one is none for the other.
const (
	uploads   = "policy-archive-upload"
	downloads = "policy-archive-download"
)

// link is what the secret part of an address says. It is signed, so that whoever shows it was given it by this installation, for this
// version, and lately.
type link struct {
	Organization string `json:"o"`
	Pack         string `json:"p"` // id
	Name         string `json:"n"`
	Version      string `json:"v"` // id
	Until        int64  `json:"u"` // Unix seconds
}

func makeLink(p ports.Ports, purpose string, l link) string {
	l.Until = p.Now().Add(LinkLife).Unix()
	return p.Cursors.Make(purpose, l)
}

// openLink reads a link, or says that there is none: what was changed, what has expired and what never was look alike.
func openLink(p ports.Ports, purpose, text string) (link, error) {
	var l link
	if err := p.Cursors.Open(purpose, text, "", &l); err != nil || p.Now().Unix() >= l.Until {
		return link{}, noLink()
	}
	return l, nil
}

func noLink() error {
	return fault.Missing("this link leads nowhere: it was not made here, or it has expired")
}

// Upload keeps the archive of an announced version, byte for byte as it came. It may be repeated, with the last one counting, until
// the version is complete.
func Upload(ctx context.Context, p ports.Ports, address string, archive []byte) error {
	l, err := openLink(p, uploads, address)
	if err != nil {
		return err
	}
	if len(archive) == 0 {
		return fault.Wrong("body", "the archive is empty")
	}
	return again(ctx, func(ctx context.Context) error {
		at := keys.PolicyArchive(l.Organization, l.Pack, l.Version)
		store.Prefetch(ctx, p.Store, keys.PolicyPack(l.Organization, l.Name), keys.OrganizationKey(l.Organization), at)
		pack, i, err := l.version(ctx, p)
		if err != nil {
			return err
		}
		v := &pack.Value.Versions[i]
		if v.Complete {
			return fault.New(fault.Conflict, "version %q of policy pack %q is published and cannot be changed", v.Tag, pack.Value.Name)
		}
		key, made, err := organization.DataKey(ctx, p, l.Organization)
		if err != nil {
			return err
		}
		m, err := blob.Write(ctx, p.Blobs, place(l.Organization), key, p.Now(), archive)
		if err != nil {
			return err
		}
		v.Uploaded = true
		changes := []store.Change{packKind.Replace(pack)}
		if made != nil {
			changes = append(changes, *made)
		}
		kept, err := archiveKind.Get(ctx, p.Store, at)
		switch {
		case errors.Is(err, store.ErrNotFound):
			changes = append(changes, archiveKind.Create(at, m))
		case err != nil:
			return err
		default:
			kept.Value = m
			changes = append(changes, archiveKind.Replace(kept))
		}
		return p.Store.Write(ctx, changes...)
	})
}

// version finds the version that a link leads to.
func (l link) version(ctx context.Context, p ports.Ports) (store.Doc[Pack], int, error) {
	pack, err := packKind.Get(ctx, p.Store, keys.PolicyPack(l.Organization, l.Name))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return pack, 0, err
	}
	for i, v := range pack.Value.Versions {
		if pack.Value.ID == l.Pack && v.ID == l.Version {
			return pack, i, nil
		}
	}
	return pack, 0, noLink() // deleted, or announced anew, since the link was made
}

// Archive opens the archive that a link leads to. The caller closes the reader.
func Archive(ctx context.Context, p ports.Ports, address string) (*blob.Reader, int64, error) {
	l, err := openLink(p, downloads, address)
	if err != nil {
		return nil, 0, err
	}
	at := keys.PolicyArchive(l.Organization, l.Pack, l.Version)
	store.Prefetch(ctx, p.Store, keys.PolicyPack(l.Organization, l.Name), keys.OrganizationKey(l.Organization), at)
	if _, _, err := l.version(ctx, p); err != nil {
		return nil, 0, err
	}
	m, err := archiveKind.Get(ctx, p.Store, at)
	if err != nil {
		return nil, 0, err
	}
	key, err := dataKey(ctx, p, l.Organization)
	if err != nil {
		return nil, 0, err
	}
	return blob.NewReader(ctx, p.Blobs, place(l.Organization), key, m.Value), m.Value.Size, nil
}
