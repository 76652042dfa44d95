// Package permission decides who may do what. Verbs name what is done, roles are sets of verbs, grants give a role on a resource
// to a principal, and permissions inherit downward from account to organization to project to stack or environment.
//
// A decision reads nothing: grants are loaded once per request by package access.
package permission

import "github.com/polyplane/polyplane/shared/store"

// Verb names what is done to which kind of resource, as "noun:action".
type Verb string

// Need is what an operation row demands of its caller.
type Need struct {
	Verb   Verb   // must be granted on the row's target; empty for Self, Public and Lease needs
	Public string // why no credential is asked; empty when one is
	Self   bool   // any good credential of a person: the row speaks about the caller alone
	Tokens bool   // with Self: the tokens of organizations and teams too, which speak about themselves
	Lease  bool   // an update lease, whose token names the update it may write to
	Hide   Verb   // who lacks this verb on the target gets 404 as if it did not exist; who has it but lacks Verb gets 403
}

// Requires is the need of a verb on the row's target; whoever may not even see the target learns nothing of it.
func Requires(v Verb, seen Verb) Need { return Need{Verb: v, Hide: seen} }

// Public is the need of rows that anybody may call; why stands in the table for its reader.
func Public(why string) Need { return Need{Public: why} }

// Self is the need of rows that speak about the caller alone, who is a person.
var Self = Need{Self: true}

// Caller is the need of rows that speak about the caller alone, who may be the token of an organization or a team.
var Caller = Need{Self: true, Tokens: true}

// Lease is the need of rows that a running update calls with its own token.
var Lease = Need{Lease: true}

// PrincipalKind says what sort of caller a principal is.
type PrincipalKind string

// The kinds of principal.
const (
	KindUser         PrincipalKind = "user"
	KindOrganization PrincipalKind = "organization-token" // a token that an organization owns, acting as itself
	KindTeam         PrincipalKind = "team-token"         // a token that a team owns, acting with the team's rights
	KindLease        PrincipalKind = "lease"
)

// Principal is the authenticated caller.
type Principal struct {
	Kind    PrincipalKind
	ID      string // user id; of an organization's token its own id, of a team's token the team's; update id of a lease
	Login   string // the name shown to people; of an organization's or a team's token the organization's
	Name    string
	TokenID string // id of the token used; empty for a lease
	Token   string // name of the token used

	Organization string // id, of a token that an organization or a team owns: it is good there alone
	Role         Role   // in that organization
	CustomRole   string // id of a custom role that stands for Role
}

// IsPerson reports whether the caller is a user.
func (p Principal) IsPerson() bool { return p.Kind == KindUser }

// Holder is what grants on single stacks name: "user/<id>", "team/<id>" or "token/<id>".
func (p Principal) Holder() string {
	switch p.Kind {
	case KindOrganization:
		return "token/" + p.ID
	case KindTeam:
		return "team/" + p.ID
	}
	return "user/" + p.ID
}

// Scope is the scope of the principal's own items.
func (p Principal) Scope() store.Scope { return store.Scope(string(p.Kind) + "/" + p.ID) }

// Target is what a row acts on, in the names its path gives. Empty fields are absent.
type Target struct {
	Organization string
	Project      string
	Stack        string
	Update       string // id
	Team         string // name
	User         string // login
}
