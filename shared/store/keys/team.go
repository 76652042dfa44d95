package keys

import (
	"strings"

	"github.com/polyplane/polyplane/shared/store"
)

// Team is a team's own document. All heads of an organization are one partition, in order of creation, so that the list of teams is one
// query.
func Team(organization, team string) store.Key { return in(Organization(organization), "teams", team) }

// Teams is the partition of an organization's teams.
func Teams(organization string) string { return Organization(organization).Partition("teams") }

// TeamName leads from a team's name in an organization, without regard to case, to its id.
func TeamName(organization, name string) store.Key {
	return in(Organization(organization), "team-name/"+folded(name), "name")
}

// TeamMember is the team's side of a place in a team; the member's document is the other.
func TeamMember(organization, team, user string) store.Key {
	return in(Organization(organization), "team/"+team+"/members", user)
}

// TeamMembers is the partition of a team's members, in order of user id.
func TeamMembers(organization, team string) string {
	return Organization(organization).Partition("team/" + team + "/members")
}

// StackGrantOf is the stack's side of a grant to a holder ("user/<id>", "team/<id>", "token/<id>"); HolderGrant is the holder's.
func StackGrantOf(stack, holder string) store.Key { return in(Stack(stack), "grants", holder) }

// HolderOf is the holder that a key made by StackGrantOf names.
func HolderOf(k store.Key) string { return k.SK }

// HolderGrant is the holder's side of a grant on a stack of an organization. A user's lie below the user, those of teams and tokens below
// the organization.
func HolderGrant(organization, holder, stack string) store.Key {
	return store.Key{PK: HolderGrants(organization, holder), SK: "stack/" + stack}
}

// HolderGrants is the partition of all grants of a holder in one organization, in order of stack id.
func HolderGrants(organization, holder string) string {
	if user, ok := strings.CutPrefix(holder, "user/"); ok {
		return UserGrants(user, organization)
	}
	return Organization(organization).Partition(holder + "/grants")
}

// GrantedStack is the id of the stack that a key made by HolderGrant names.
func GrantedStack(sk string) string { return strings.TrimPrefix(sk, "stack/") }
