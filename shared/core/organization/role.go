package organization

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// CustomRole is a set of permissions that an organization defines. Document is the client's own text of it; Rule is what decisions read.
type CustomRole struct {
	ID           string          `json:"id"`
	Organization string          `json:"organization"` // id
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	Purpose      string          `json:"purpose,omitempty"`  // a dialect's word for what the role is shown for
	Resource     string          `json:"resource,omitempty"` // a dialect's word for what it applies to
	Document     json.RawMessage `json:"document,omitempty"`
	Rule         permission.Rule `json:"rule"`
	Created      time.Time       `json:"created"`
	Modified     time.Time       `json:"modified"`
	Revision     int             `json:"revision"` // 1, 2 …: of the document
}

// holder marks that somebody holds a custom role.
type holder struct{}

var (
	roleKind = store.NewKind[CustomRole]("role", 1)
	// Names and holders never change once made, so that their version is always the first.
	roleNameKind = store.NewKind[name]("role-name", 1)
	holderKind   = store.NewKind[holder]("role-holder", 1)
)

// Limits of custom roles.
const (
	maxRoles           = 500
	maxRoleName        = 100
	maxRoleDescription = 1000
	maxRoleDocument    = 64 << 10 // bytes
)

func checkRole(r CustomRole) error {
	switch n := utf8.RuneCountInString(r.Name); {
	case n == 0 || n > maxRoleName || strings.TrimSpace(r.Name) != r.Name:
		return fault.Wrong("body.name", "a role's name must be 1 to %d characters without blanks around them", maxRoleName)
	case utf8.RuneCountInString(r.Description) > maxRoleDescription:
		return fault.Wrong("body.description", "a role's description has at most %d characters", maxRoleDescription)
	case len(r.Document) > maxRoleDocument:
		return fault.Wrong("body.details", "a role's details have at most %d KB", maxRoleDocument>>10)
	}
	return nil
}

// DefineRole makes a custom role whose name must be free in the organization, without regard to case.
func DefineRole(ctx context.Context, p ports.Ports, held permission.Grants, o Organization, r CustomRole) (CustomRole, error) {
	if err := checkRole(r); err != nil {
		return r, err
	}
	if err := mayGive(held, r.Rule.Every(), "this role"); err != nil {
		return r, err
	}
	page, err := p.Store.Query(ctx, store.Query{PK: keys.Roles(o.ID), Limit: maxRoles})
	if err != nil {
		return r, err
	}
	if len(page.Items) >= maxRoles {
		return r, fault.New(fault.Conflict, "organization '%s' has %d custom roles, which is the most it can have", o.Name, maxRoles)
	}
	r.ID, r.Organization, r.Created, r.Revision = p.NewID(), o.ID, p.Now(), 1
	r.Modified = r.Created
	at := keys.RoleName(o.ID, r.Name)
	err = p.Store.Write(ctx,
		roleKind.Create(keys.Role(o.ID, r.ID), r),
		roleNameKind.Create(at, name{ID: r.ID}),
		audit.Record(ctx, p, o.ID, "custom-role-created", "created role %q", r.Name))
	if c := store.AsConflict(err); c != nil && c.On(at) {
		return r, roleNameTaken(r.Name)
	}
	return r, err
}

func roleNameTaken(called string) error {
	return fault.New(fault.Conflict, "a role named %q already exists", called).WithReason("already-exists")
}

// RoleOf returns a custom role by id, or fault.NotFound.
func RoleOf(ctx context.Context, p ports.Ports, organization, id string) (store.Doc[CustomRole], error) {
	missing := fault.Missing("role '%s' not found", id)
	if id == "" || len(id) > 64 || strings.ContainsAny(id, "#\x00") {
		return store.Doc[CustomRole]{}, missing
	}
	d, err := roleKind.Get(ctx, p.Store, keys.Role(organization, id))
	if errors.Is(err, store.ErrNotFound) {
		return d, missing
	}
	return d, err
}

// roleDocs returns the roles of these ids, in their order; absent ones do not Exist.
func roleDocs(ctx context.Context, p ports.Ports, organization string, ids []string) ([]store.Doc[CustomRole], error) {
	wanted := make([]store.Key, len(ids))
	for i, id := range ids {
		wanted[i] = keys.Role(organization, id)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := make([]store.Doc[CustomRole], len(items))
	for i, it := range items {
		if out[i], err = roleKind.Decode(it); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// RoleNames returns the names of the roles of these ids; absent ones are left out.
func RoleNames(ctx context.Context, p ports.Ports, organization string, ids []string) (map[string]string, error) {
	docs, err := roleDocs(ctx, p, organization, ids)
	out := map[string]string{}
	for _, d := range docs {
		if d.Exists() {
			out[d.Value.ID] = d.Value.Name
		}
	}
	return out, err
}

// Roles lists the custom roles of an organization, oldest first.
func Roles(ctx context.Context, p ports.Ports, organization string) ([]CustomRole, error) {
	docs, err := roleKind.All(ctx, p.Store, store.Query{PK: keys.Roles(organization)}, 2*maxRoles)
	out := make([]CustomRole, len(docs))
	for i, d := range docs {
		out[i] = d.Value
	}
	return out, err
}

// ReviseRole changes a custom role by change, which may edit what it is given. Those who hold the role have what it then grants from
// their next request on.
func ReviseRole(ctx context.Context, p ports.Ports, held permission.Grants, o Organization, id string, change func(*CustomRole) error) (CustomRole, error) {
	var out CustomRole
	err := again(func() error {
		d, err := RoleOf(ctx, p, o.ID, id)
		if err != nil {
			return err
		}
		before := d.Value.Name
		if err := change(&d.Value); err != nil {
			return err
		}
		if err := checkRole(d.Value); err != nil {
			return err
		}
		if err := mayGive(held, d.Value.Rule.Every(), "this role"); err != nil {
			return err
		}
		d.Value.Modified = p.Now()
		d.Value.Revision++
		out = d.Value
		changes := []store.Change{roleKind.Replace(d), audit.Record(ctx, p, o.ID, "custom-role-updated", "changed role %q", out.Name)}
		to := keys.RoleName(o.ID, out.Name)
		if from := keys.RoleName(o.ID, before); from != to {
			if _, err := roleNameKind.Get(ctx, p.Store, to); !errors.Is(err, store.ErrNotFound) {
				return errors.Join(err, roleNameTaken(out.Name))
			}
			changes = append(changes, store.Delete(from, 1), roleNameKind.Create(to, name{ID: id}))
		}
		return p.Store.Write(ctx, changes...)
	})
	return out, err
}

// RoleDeleted is the data of the event role.deleted.
type RoleDeleted struct {
	Organization string `json:"organization"` // id
	Role         string `json:"role"`         // id
}

// DeleteRole deletes a custom role. One that somebody holds is fault.Conflict unless forced; then it grants nothing from now on, and its
// holders lose it afterwards: members become plain members again. The role that new members get is not deleted.
func DeleteRole(ctx context.Context, p ports.Ports, o Organization, id string, force bool) error {
	return again(func() error {
		d, err := RoleOf(ctx, p, o.ID, id)
		if err != nil {
			return err
		}
		org, err := kind.Get(ctx, p.Store, keys.OrganizationHead(o.ID))
		if err != nil {
			return err
		}
		if org.Value.DefaultRole == id {
			return fault.New(fault.Conflict, "role %q is what new members get: choose another default role first", d.Value.Name)
		}
		held, err := p.Store.Query(ctx, store.Query{PK: keys.RoleHolders(o.ID, id), Limit: 1})
		if err != nil {
			return err
		}
		if len(held.Items) > 0 && !force {
			return fault.New(fault.Conflict, "role %q is held by members, teams or tokens: take it from them first, or force its deletion", d.Value.Name)
		}
		return p.Store.Write(ctx, d.Delete(), store.Delete(keys.RoleName(o.ID, d.Value.Name), 1), org.Check(),
			event.New(p, o.ID, "role.deleted", RoleDeleted{Organization: o.ID, Role: id}),
			audit.Record(ctx, p, o.ID, "custom-role-deleted", "deleted role %q", d.Value.Name))
	})
}

// SetDefaultRole chooses the custom role that new members get; "" chooses none.
func SetDefaultRole(ctx context.Context, p ports.Ports, held permission.Grants, o Organization, id string) error {
	return again(func() error {
		org, err := kind.Get(ctx, p.Store, keys.OrganizationHead(o.ID))
		if err != nil {
			return err
		}
		org.Value.DefaultRole = id
		changes, called := []store.Change{kind.Replace(org)}, "member"
		if id != "" {
			r, err := RoleOf(ctx, p, o.ID, id)
			if err != nil {
				return err
			}
			if err := mayGive(held, r.Value.Rule.Every(), "this role"); err != nil {
				return err
			}
			called = r.Value.Name
			changes = append(changes, r.Check())
		}
		return p.Store.Write(ctx, append(changes, audit.Record(ctx, p, o.ID, "organization-settings-changed", "made %q the role of new members", called))...)
	})
}
