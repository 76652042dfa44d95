// Package identity is people and their tokens.
package identity

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// User is a person, or a service that acts as one.
type User struct {
	ID                  string    `json:"id"`
	Login               string    `json:"login"`
	Name                string    `json:"name"`
	Email               string    `json:"email"`
	DefaultOrganization string    `json:"defaultOrganization,omitempty"` // organization id; empty when never chosen
	Created             time.Time `json:"created"`
}

// LoginPattern is what every dialect accepts as a login and as an organization name.
var LoginPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-_]{1,38}[a-zA-Z0-9]$`)

type name struct {
	ID string `json:"id"`
}

var (
	userKind  = store.NewKind[User]("user", 1)
	loginKind = store.NewKind[name]("login", 1)
)

// CreateUser returns the changes that make a user whose login must be free.
func CreateUser(u User) ([]store.Change, error) {
	if !LoginPattern.MatchString(u.Login) {
		return nil, fault.Wrong("login", "login %q must be 3 to 40 letters, digits, '-' or '_', and begin and end with a letter or digit", u.Login)
	}
	return []store.Change{
		userKind.Create(keys.UserHead(u.ID), u),
		loginKind.Create(keys.Login(u.Login), name{ID: u.ID}),
	}, nil
}

// UserOf returns the user of an id. It is ErrNotFound of the store when there is none.
func UserOf(ctx context.Context, p ports.Ports, id string) (store.Doc[User], error) {
	return userKind.Get(ctx, p.Store, keys.UserHead(id))
}

// ReplaceUser is the change that writes a user over the version it was read at.
func ReplaceUser(d store.Doc[User]) store.Change { return userKind.Replace(d) }

// Users returns the users of ids, in their order; an absent one is zero but for its id.
func Users(ctx context.Context, p ports.Ports, ids []string) ([]User, error) {
	wanted := make([]store.Key, len(ids))
	for i, id := range ids {
		wanted[i] = keys.UserHead(id)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := make([]User, len(items))
	for i, it := range items {
		d, err := userKind.Decode(it)
		if err != nil {
			return nil, err
		}
		out[i] = d.Value
		out[i].ID = ids[i]
	}
	return out, nil
}

// FindUser returns the user of a login, in any case, or fault.NotFound.
func FindUser(ctx context.Context, p ports.Ports, login string) (store.Doc[User], error) {
	if !LoginPattern.MatchString(login) {
		return store.Doc[User]{}, fault.Missing("user %q not found", login)
	}
	id, err := UserIDOf(ctx, p, login)
	if err != nil {
		return store.Doc[User]{}, err
	}
	return UserOf(ctx, p, id)
}

// UserIDOf returns the id of the user of a login, in any case, or fault.NotFound.
func UserIDOf(ctx context.Context, p ports.Ports, login string) (string, error) {
	missing := fault.Missing("user %q not found", login)
	if !LoginPattern.MatchString(login) {
		return "", missing
	}
	n, err := loginKind.Get(ctx, p.Store, keys.Login(login))
	if errors.Is(err, store.ErrNotFound) {
		return "", missing
	}
	return n.Value.ID, err
}
