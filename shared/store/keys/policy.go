package keys

import (
	"strings"

	"github.com/polyplane/polyplane/shared/store"
)

// OrganizationKey is the wrapped data key that seals what an organization keeps as documents of its own.
func OrganizationKey(organization string) store.Key {
	return in(Organization(organization), "key", "key")
}

// PolicyPack is the head of a policy pack. A pack's name never changes and serves as its id in the organization; the head holds another
// id, below which its versions lie, so that a pack made again after a deletion shares nothing with the old one.
func PolicyPack(organization, name string) store.Key {
	return in(Organization(organization), "policy-packs", name)
}

// PolicyPacks is the partition of an organization's policy packs, in order of name.
func PolicyPacks(organization string) string {
	return Organization(organization).Partition("policy-packs")
}

// PolicyVersion is one attempt to publish a version of a pack.
func PolicyVersion(organization, pack, version string) store.Key {
	return in(Organization(organization), "policy-pack/"+pack, policyVersionPrefix+version)
}

// PolicyArchive is the manifest of the archive that was uploaded for a version.
func PolicyArchive(organization, pack, version string) store.Key {
	return in(Organization(organization), "policy-pack/"+pack, policyArchivePrefix+version)
}

const (
	policyVersionPrefix = "version/"
	policyArchivePrefix = "archive/"
)

// PolicyPackItems is the partition of everything that belongs to one pack.
func PolicyPackItems(organization, pack string) string {
	return Organization(organization).Partition("policy-pack/" + pack)
}

// IsPolicyArchive reports whether a sort key of PolicyPackItems is an archive's.
func IsPolicyArchive(sk string) bool { return strings.HasPrefix(sk, policyArchivePrefix) }

// PolicyGroup is the head of a policy group.
func PolicyGroup(organization, group string) store.Key {
	return in(Organization(organization), "policy-groups", group)
}

// PolicyGroups is the partition of an organization's policy groups, in order of creation.
func PolicyGroups(organization string) string {
	return Organization(organization).Partition("policy-groups")
}

// PolicyGroupName leads from a policy group's name to its id.
func PolicyGroupName(organization, name string) store.Key {
	return in(Organization(organization), "policy-group-name/"+name, "name")
}

// PolicyMembership says to which policy groups a stack was added.
func PolicyMembership(organization, stack string) store.Key {
	return in(Organization(organization), "policy-members", stack)
}

// PolicyMemberships is the partition of the memberships of all stacks that were added to a policy group, in order of stack id.
func PolicyMemberships(organization string) string {
	return Organization(organization).Partition("policy-members")
}

// PolicyIssue is a violation of a policy by a resource of a stack.
func PolicyIssue(organization, stack, issue string) store.Key {
	return in(Organization(organization), "policy-issues", PolicyIssuesOf(stack)+issue)
}

// PolicyIssues is the partition of an organization's policy issues, in order of stack id.
func PolicyIssues(organization string) string {
	return Organization(organization).Partition("policy-issues")
}

// PolicyIssuesOf is the prefix of the issues of one stack.
func PolicyIssuesOf(stack string) string { return stack + "/" }

// PolicyResult is what the policies found in the last update of a stack.
func PolicyResult(organization, stack string) store.Key {
	return in(Organization(organization), "policy-results", stack)
}

// PolicyResults is the partition of the results of all stacks, in order of stack id.
func PolicyResults(organization string) string {
	return Organization(organization).Partition("policy-results")
}
