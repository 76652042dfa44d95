package policy

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/purge"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Removed is the data of the event policy-pack.deleted.
type Removed struct {
	Organization string `json:"organization"` // id
	Pack         string `json:"pack"`         // id
	Name         string `json:"name"`
	Version      string `json:"version,omitempty"` // id; empty: the whole pack
}

// DeletePack removes a pack with all its versions. One that a group uses is fault.Conflict naming the groups.
func DeletePack(ctx context.Context, p ports.Ports, o organization.Organization, name string) error {
	return again(ctx, func(ctx context.Context) error {
		pack, err := packOf(ctx, p, o.ID, name)
		if err != nil {
			return err
		}
		var users []string
		for _, v := range pack.Value.Versions {
			users = append(users, v.Groups...)
		}
		if err := unused(ctx, p, o.ID, users, "policy pack %q", name); err != nil {
			return err
		}
		return p.Store.Write(ctx, pack.Delete(),
			event.New(p, o.ID, "policy-pack.deleted", Removed{Organization: o.ID, Pack: pack.Value.ID, Name: name}),
			audit.Record(ctx, p, o.ID, "policy-pack-deleted", "deleted policy pack %s", name))
	})
}

// DeleteVersion removes one version of a pack, and with the last one the pack. One that a group uses is fault.Conflict naming the groups.
func DeleteVersion(ctx context.Context, p ports.Ports, o organization.Organization, name, called string) error {
	return again(ctx, func(ctx context.Context) error {
		pack, err := packOf(ctx, p, o.ID, name)
		if err != nil {
			return err
		}
		i, err := pack.Value.find(called)
		if err != nil {
			return err
		}
		v := pack.Value.Versions[i]
		if err := unused(ctx, p, o.ID, v.Groups, "version %q of policy pack %q", v.Tag, name); err != nil {
			return err
		}
		pack.Value.Versions = slices.Delete(pack.Value.Versions, i, i+1)
		gone := Removed{Organization: o.ID, Pack: pack.Value.ID, Name: name, Version: v.ID}
		change := packKind.Replace(pack)
		if len(pack.Value.Versions) == 0 {
			change, gone.Version = pack.Delete(), ""
		}
		return p.Store.Write(ctx, change, event.New(p, o.ID, "policy-pack.deleted", gone),
			audit.Record(ctx, p, o.ID, "policy-pack-deleted", "deleted version %s of policy pack %s", v.Tag, name))
	})
}

// unused is the fault of something that groups use, by the groups' names.
func unused(ctx context.Context, p ports.Ports, organization string, groups []string, format string, args ...any) error {
	if len(groups) == 0 {
		return nil
	}
	names := make([]string, 0, len(groups))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(groups))) {
		g, err := groupOf(ctx, p, organization, id)
		if err != nil {
			return err
		}
		names = append(names, g.Value.Name)
	}
	slices.Sort(names)
	return fault.New(fault.Conflict, format+" is enabled in policy group %s: disable it there first",
		append(args, strings.Join(names, ", "))...).WithReason("in-use")
}

// PurgeRemoved is the consumer of policy-pack.deleted: it removes what lies below a pack or a version that is gone, and the parts of
// archives that no version has any more.
func PurgeRemoved(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var r Removed
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return err
		}
		if r.Version == "" {
			if err := purge.Partition(ctx, p.Store, keys.PolicyPackItems(r.Organization, r.Pack)); err != nil {
				return err
			}
		} else if err := purgeVersion(ctx, p, r); err != nil {
			return err
		}
		_, err := CollectArchives(ctx, p, r.Organization)
		return err
	}
}

func purgeVersion(ctx context.Context, p ports.Ports, r Removed) error {
	items, err := p.Store.BatchGet(ctx, []store.Key{
		keys.PolicyVersion(r.Organization, r.Pack, r.Version), keys.PolicyArchive(r.Organization, r.Pack, r.Version),
	})
	if err != nil {
		return err
	}
	var changes []store.Change
	for _, i := range items {
		if i.Version > 0 {
			changes = append(changes, store.Delete(i.Key, i.Version))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return p.Store.Write(ctx, changes...)
}

// CollectArchives removes the chunks of an organization's archives and descriptions that no version has named for blob.Grace.
func CollectArchives(ctx context.Context, p ports.Ports, organization string) (blob.Collected, error) {
	return blob.Collect(ctx, p.Blobs, place(organization), func(ctx context.Context) (map[string]bool, error) {
		named := map[string]bool{}
		packs, err := packKind.All(ctx, p.Store, store.Query{PK: keys.PolicyPacks(organization)}, maxPacks)
		if err != nil {
			return nil, err
		}
		for _, pack := range packs {
			if err := nameChunks(ctx, p, organization, pack.Value.ID, named); err != nil {
				return nil, err
			}
		}
		return named, nil
	}, p.Now(), blob.Grace)
}

func nameChunks(ctx context.Context, p ports.Ports, organization, pack string, named map[string]bool) error {
	q := store.Query{PK: keys.PolicyPackItems(organization, pack)}
	for {
		page, err := p.Store.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, i := range page.Items {
			m, err := manifestOf(i)
			if err != nil {
				return err
			}
			for _, c := range m.Chunks {
				named[c.ID] = true
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Next
	}
}

func manifestOf(i store.Item) (blob.Manifest, error) {
	if keys.IsPolicyArchive(i.SK) {
		d, err := archiveKind.Decode(i)
		return d.Value, err
	}
	d, err := versionKind.Decode(i)
	return d.Value.Description, err
}
