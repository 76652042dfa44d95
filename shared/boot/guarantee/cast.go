package guarantee

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// The organizations of the cast. Members of closed hold nothing on its stacks but what they are granted; foreign belongs to others.
const (
	closed  = "closed"
	foreign = "foreign"
)

// cast is everybody who calls: the administrator, who owns closed; a member of closed who may read the sample's stack; a member who may
// not; the owner of foreign; and the holders of tokens that are good no more.
type cast struct {
	*boottest.Plane
	table Table

	reader, bystander, stranger string // tokens
	revoked, expired            string

	closedID, foreignID                        string
	ownerID, readerID, bystanderID, strangerID string
	lease                                      string // Authorization header of a lease in closed that no sample has to do with
}

// assemble makes a plane with everybody on it. The plane's organization is closed.
func assemble(t testing.TB, tb Table) *cast {
	t.Helper()
	ctx := context.Background()
	c := &cast{Plane: tb.New(t), table: tb}
	o := c.Organization(closed)
	c.closedID, c.Org = o.ID, closed
	c.foreignID = c.Organization(foreign).ID
	c.ownerID = c.userID(t, "admin")
	require.NoError(t, c.Ports.Store.Write(ctx, organization.AddMember(o.ID, organization.Member{
		User: c.ownerID, Role: permission.OrganizationOwner, Created: c.Clock.Now(),
	})...))
	c.reader = c.Person("reader", closed, permission.OrganizationMember)
	c.bystander = c.Person("bystander", closed, permission.OrganizationMember)
	c.stranger = c.Person("stranger", foreign, permission.OrganizationOwner)
	c.readerID, c.bystanderID, c.strangerID = c.userID(t, "reader"), c.userID(t, "bystander"), c.userID(t, "stranger")
	c.revoked, c.expired = c.token(t, 0), c.token(t, time.Second)
	id := c.tokenID(t, c.revoked)
	require.NoError(t, identity.RevokeToken(ctx, c.Ports, c.ownerID, id))
	c.Clock.Add(time.Second)
	if tb.Lease != nil {
		c.lease = tb.Lease(c.Plane)
	}
	return c
}

func (c *cast) userID(t testing.TB, login string) string {
	t.Helper()
	u, err := identity.FindUser(context.Background(), c.Ports, login)
	require.NoError(t, err)
	return u.Value.ID
}

// token makes one more token of the owner; life 0 is for ever.
func (c *cast) token(t testing.TB, life time.Duration) string {
	t.Helper()
	k := identity.Token{ID: c.Ports.NewID(), User: c.ownerID, Name: "of the cast", Created: c.Clock.Now()}
	if life > 0 {
		k.Expires = c.Clock.Now().Add(life)
	}
	text := identity.NewTokenText(c.Ports)
	require.NoError(t, c.Ports.Store.Write(context.Background(), identity.CreateToken(k, text)...))
	return text
}

func (c *cast) tokenID(t testing.TB, text string) string {
	t.Helper()
	k, _, err := identity.Authenticate(context.Background(), c.Ports, text)
	require.NoError(t, err)
	return k.ID
}

// letRead lets the reader read the stack that a target names, when it names one that exists.
func (c *cast) letRead(t testing.TB, target permission.Target) {
	t.Helper()
	if target.Stack == "" {
		return
	}
	s, err := stack.Find(context.Background(), c.Ports, c.closedID, target.Project, target.Stack)
	require.NoError(t, err, "the sample acts on a stack that is not there")
	require.NoError(t, c.Ports.Store.Write(context.Background(), stack.Grant(s.Value, c.readerID, permission.StackReader)...))
}

// caller is one of the cast as a row sees them.
type caller struct {
	name       string
	credential http.Header
	user       string                                    // id of a person; "" for others
	grants     func(permission.Target) permission.Grants // of a person
	lease      bool                                      // shows a lease's token
}

// callers are all of the cast but the sample's own lease.
func (c *cast) callers() []caller {
	garbage := "pul-" + c.Hex(20)
	tokens := c.table.Token
	member := func(onStack permission.Role) func(permission.Target) permission.Grants {
		return func(t permission.Target) permission.Grants {
			if t.Stack == "" {
				return permission.Grants{permission.OrganizationMember}
			}
			return permission.Grants{permission.OrganizationMember, onStack}
		}
	}
	out := []caller{
		{name: "no credential", credential: http.Header{}},
		{name: "garbage credential", credential: tokens(garbage)},
		{name: "revoked token", credential: tokens(c.revoked)},
		{name: "expired token", credential: tokens(c.expired)},
		{name: "owner of a foreign organization", credential: tokens(c.stranger), user: c.strangerID,
			grants: func(permission.Target) permission.Grants { return nil }},
		{name: "member without a role on the stack", credential: tokens(c.bystander), user: c.bystanderID, grants: member("")},
		{name: "member who may read the stack", credential: tokens(c.reader), user: c.readerID, grants: member(permission.StackReader)},
		{name: "owner", credential: tokens(c.Token), user: c.ownerID,
			grants: func(permission.Target) permission.Grants { return permission.Grants{permission.OrganizationOwner} }},
	}
	for name, h := range c.table.Bad {
		out = append(out, caller{name: name, credential: h})
	}
	if c.lease != "" {
		out = append(out, caller{name: "lease of another update", credential: http.Header{"Authorization": {c.lease}}, lease: true})
	}
	return out
}
