package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Announced is a version whose archive is still to come.
type Announced struct {
	Number int64
	Upload string // the link's secret part, good for LinkLife
}

// Announce begins to publish a version of a pack, making the pack with its first one. An empty tag becomes the version's number. A tag
// that a complete version has is fault.Conflict; one that was announced and never completed is taken over, with its number.
func Announce(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, name, tag string, d Description) (Announced, error) {
	if err := checkDescription(name, tag, d); err != nil {
		return Announced{}, err
	}
	var out Announced
	err := again(ctx, func(ctx context.Context) (err error) {
		out, err = announce(ctx, p, by, o, name, tag, d)
		return err
	})
	return out, err
}

func checkDescription(name, tag string, d Description) error {
	if !packName.MatchString(name) {
		return fault.Wrong("body.name", "policy pack name %q must be 1 to 100 letters, digits, '-', '_' or '.'", name)
	}
	if tag != "" && !tagText.MatchString(tag) {
		return fault.Wrong("body.versionTag", "version tag %q must be 1 to 100 letters, digits, '-', '_' or '.'", tag)
	}
	if len(d.Policies) > maxPolicies {
		return fault.Wrong("body.policies", "a policy pack has at most %d policies", maxPolicies)
	}
	seen := map[string]bool{}
	for i, p := range d.Policies {
		at := fmt.Sprintf("body.policies[%d]", i)
		switch {
		case p.Name == "" || p.Name == allPolicies:
			return fault.Wrong(at+".name", "a policy needs a name, and %q means every policy", allPolicies)
		case seen[p.Name]:
			return fault.Wrong(at+".name", "the pack has two policies called %q", p.Name)
		case !p.Level.Known():
			return fault.Wrong(at+".enforcementLevel", "enforcement level %q must be %q, %q, %q or %q", p.Level, Advisory, Mandatory, Remediate, Disabled)
		case !slices.Contains(Severities, p.Severity):
			return fault.Wrong(at+".severity", "severity %q must be critical, high, medium, low or empty", p.Severity)
		}
		seen[p.Name] = true
		if p.Schema != nil {
			if _, err := p.Schema.compile(); err != nil {
				return fault.Wrong(at+".configSchema", "the configuration schema of policy %q is not a JSON schema of draft 7", p.Name).Because(err)
			}
		}
	}
	return nil
}

func announce(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, name, tag string, d Description) (Announced, error) {
	store.Prefetch(ctx, p.Store, keys.PolicyPack(o.ID, name), keys.OrganizationKey(o.ID))
	key, made, err := organization.DataKey(ctx, p, o.ID)
	if err != nil {
		return Announced{}, err
	}
	pack, err := packKind.Get(ctx, p.Store, keys.PolicyPack(o.ID, name))
	if errors.Is(err, store.ErrNotFound) {
		pack, err = store.Doc[Pack]{Key: keys.PolicyPack(o.ID, name)}, nil
		pack.Value = Pack{ID: p.NewID(), Name: name, DisplayName: d.DisplayName, Created: p.Now()}
	}
	if err != nil {
		return Announced{}, err
	}
	v, abandoned, err := pack.Value.next(p, tag)
	if err != nil {
		return Announced{}, err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return Announced{}, err
	}
	m, err := blob.Write(ctx, p.Blobs, place(o.ID), key, p.Now(), text)
	if err != nil {
		return Announced{}, err
	}
	changes := []store.Change{
		versionKind.Create(keys.PolicyVersion(o.ID, pack.Value.ID, v.ID), version{
			Number: v.Number, Created: p.Now(), CreatedBy: by.Login, Description: m,
		}),
		audit.Record(ctx, p, o.ID, "policy-pack-created", "began to publish version %s of policy pack %s", v.Tag, name),
	}
	if pack.Exists() {
		changes = append(changes, packKind.Replace(pack))
	} else {
		changes = append(changes, packKind.Create(pack.Key, pack.Value))
	}
	if made != nil {
		changes = append(changes, *made)
	}
	if abandoned != "" {
		changes = append(changes, event.New(p, o.ID, "policy-pack.deleted", Removed{
			Organization: o.ID, Pack: pack.Value.ID, Name: name, Version: abandoned,
		}))
	}
	if err := p.Store.Write(ctx, changes...); err != nil {
		return Announced{}, err
	}
	return Announced{Number: v.Number, Upload: makeLink(p, uploads, link{Organization: o.ID, Pack: pack.Value.ID, Name: name, Version: v.ID})}, nil
}

// next adds the version that is announced now to the pack. abandoned is the id of the announced one whose place it takes, or "".
func (pk *Pack) next(p ports.Ports, tag string) (v Version, abandoned string, err error) {
	if tag != "" {
		for i, v := range pk.Versions {
			switch {
			case v.Tag != tag:
			case v.Complete:
				return v, "", fault.New(fault.Conflict, "version %q of policy pack %q already exists: publish under another version", tag, pk.Name).WithReason("already-exists")
			default: // nobody completed it: what was uploaded for it is another version's
				pk.Versions[i] = Version{ID: p.NewID(), Number: v.Number, Tag: tag}
				return pk.Versions[i], v.ID, nil
			}
		}
	}
	if len(pk.Versions) >= maxVersions {
		return v, "", fault.New(fault.Conflict, "policy pack %q has %d versions, which is the most there may be: delete some", pk.Name, len(pk.Versions))
	}
	pk.Last++
	v = Version{ID: p.NewID(), Number: pk.Last, Tag: tag}
	if tag == "" {
		v.Tag = strconv.FormatInt(pk.Last, 10)
		if slices.ContainsFunc(pk.Versions, func(o Version) bool { return o.Tag == v.Tag }) {
			return v, "", fault.New(fault.Conflict, "version %q of policy pack %q already exists: give this one a version tag", v.Tag, pk.Name)
		}
	}
	pk.Versions = append(pk.Versions, v)
	return v, "", nil
}

// Complete declares a version whose archive was uploaded usable. Declaring it again is no error.
func Complete(ctx context.Context, p ports.Ports, o organization.Organization, name, called string) error {
	return again(ctx, func(ctx context.Context) error {
		pack, err := packOf(ctx, p, o.ID, name)
		if err != nil {
			return err
		}
		i, err := pack.Value.find(called)
		if err != nil {
			return err
		}
		v := &pack.Value.Versions[i]
		if !v.Uploaded {
			return fault.New(fault.Invalid, "the archive of version %q of policy pack %q was not uploaded", v.Tag, name)
		}
		entry := audit.Record(ctx, p, o.ID, "policy-pack-published", "published version %s of policy pack %s", v.Tag, name)
		if v.Complete {
			return p.Store.Write(ctx, pack.Check(), entry)
		}
		d, err := versionKind.Get(ctx, p.Store, keys.PolicyVersion(o.ID, pack.Value.ID, v.ID))
		if err != nil {
			return err
		}
		about, err := describe(ctx, p, o.ID, d.Value)
		if err != nil {
			return err
		}
		v.Complete, pack.Value.DisplayName = true, about.DisplayName
		return p.Store.Write(ctx, packKind.Replace(pack), entry)
	})
}

// Packs returns the packs of an organization that have a complete version, in order of name.
func Packs(ctx context.Context, p ports.Ports, organization string) ([]Pack, error) {
	docs, err := packKind.All(ctx, p.Store, store.Query{PK: keys.PolicyPacks(organization)}, maxPacks)
	if err != nil {
		return nil, err
	}
	var out []Pack
	for _, d := range docs {
		d.Value.Versions = slices.DeleteFunc(d.Value.Versions, func(v Version) bool { return !v.Complete })
		if len(d.Value.Versions) > 0 {
			out = append(out, d.Value)
		}
	}
	return out, nil
}

// Published is a complete version of a pack with what its author says of it.
type Published struct {
	Pack Pack
	Version
	Description
}

// Find returns a complete version of a pack by its tag or its number, or fault.NotFound.
func Find(ctx context.Context, p ports.Ports, organization, name, called string) (Published, error) {
	pack, err := packOf(ctx, p, organization, name)
	if err != nil {
		return Published{}, err
	}
	i, err := pack.Value.find(called)
	if err == nil && !pack.Value.Versions[i].Complete {
		err = missingVersion(name, called)
	}
	if err != nil {
		return Published{}, err
	}
	return published(ctx, p, organization, pack.Value, pack.Value.Versions[i])
}

func published(ctx context.Context, p ports.Ports, organization string, pack Pack, v Version) (Published, error) {
	d, err := versionKind.Get(ctx, p.Store, keys.PolicyVersion(organization, pack.ID, v.ID))
	if err != nil {
		return Published{}, err
	}
	about, err := describe(ctx, p, organization, d.Value)
	return Published{Pack: pack, Version: v, Description: about}, err
}

func describe(ctx context.Context, p ports.Ports, org string, v version) (Description, error) {
	key, err := dataKey(ctx, p, org)
	if err != nil {
		return Description{}, err
	}
	text, err := blob.Read(ctx, p.Blobs, place(org), key, v.Description)
	if err != nil {
		return Description{}, err
	}
	var d Description
	return d, json.Unmarshal(text, &d)
}

// dataKey is the key of an organization that has sealed something with it.
func dataKey(ctx context.Context, p ports.Ports, org string) (*keyring.DataKey, error) {
	key, made, err := organization.DataKey(ctx, p, org)
	if err == nil && made != nil {
		err = fmt.Errorf("organization %s has sealed policy packs and no key", org)
	}
	return key, err
}

func packOf(ctx context.Context, p ports.Ports, organization, name string) (store.Doc[Pack], error) {
	absent := fault.Missing("policy pack %q not found", name)
	if !packName.MatchString(name) {
		return store.Doc[Pack]{}, absent
	}
	d, err := packKind.Get(ctx, p.Store, keys.PolicyPack(organization, name))
	if errors.Is(err, store.ErrNotFound) {
		return d, absent
	}
	return d, err
}

func missingVersion(name, called string) error {
	return fault.Missing("version %q of policy pack %q not found", called, name)
}

// find returns the position of a version by tag or, where no tag is meant, by number.
func (pk Pack) find(called string) (int, error) {
	if i := slices.IndexFunc(pk.Versions, func(v Version) bool { return v.Tag == called }); i >= 0 {
		return i, nil
	}
	if n, err := strconv.ParseInt(called, 10, 64); err == nil {
		if i := slices.IndexFunc(pk.Versions, func(v Version) bool { return v.Number == n }); i >= 0 {
			return i, nil
		}
	}
	return 0, missingVersion(pk.Name, called)
}

// newest is the position of the newest complete version; ok is false when there is none.
func (pk Pack) newest() (at int, ok bool) {
	for i := len(pk.Versions) - 1; i >= 0; i-- {
		if pk.Versions[i].Complete {
			return i, true
		}
	}
	return 0, false
}

// again makes a write again from fresh reads while it loses races.
func again(ctx context.Context, write func(context.Context) error) error {
	err := write(ctx)
	for n := 1; n < attempts && store.AsConflict(err) != nil; n++ {
		err = write(store.Remember(ctx))
	}
	return err
}
