package organization

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// dataKey is a wrapped data key, bound to the organization's scope.
type dataKey struct {
	Wrapped []byte `json:"wrapped"`
}

var dataKeyKind = store.NewKind[dataKey]("organization-key", 1)

// DataKey opens the data key that seals an organization's own documents. One that has none yet gets one: then made is the change that
// keeps it, and belongs into the write of the first document that it sealed. Where made is nil the key is kept already.
func DataKey(ctx context.Context, p ports.Ports, organization string) (key *keyring.DataKey, made *store.Change, err error) {
	scope := string(keys.Organization(organization))
	d, err := dataKeyKind.Get(ctx, p.Store, keys.OrganizationKey(organization))
	if errors.Is(err, store.ErrNotFound) {
		if key, err = p.Keyring.NewDataKey(ctx, scope); err != nil {
			return nil, nil, err
		}
		c := dataKeyKind.Create(keys.OrganizationKey(organization), dataKey{Wrapped: key.Wrapped()})
		return key, &c, nil
	}
	if err != nil {
		return nil, nil, err
	}
	key, err = p.Keyring.Unwrap(ctx, d.Value.Wrapped, scope)
	return key, nil, err
}
