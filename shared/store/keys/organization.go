package keys

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/polyplane/polyplane/shared/store"
)

// Organization is the scope of an organization.
func Organization(id string) store.Scope { return store.Scope("organization/" + id) }

// OrganizationHead is the organization's own document.
func OrganizationHead(id string) store.Key { return head(Organization(id)) }

// Member is the organization's side of a membership; Membership is the user's.
func Member(organization, user string) store.Key {
	return in(Organization(organization), "members", user)
}

// Members is the partition of an organization's members, in order of user id.
func Members(organization string) string { return Organization(organization).Partition("members") }

// ProjectName leads from a project's name in an organization to its id.
func ProjectName(organization, name string) store.Key {
	return in(Organization(organization), "project/"+name, "name")
}

// ProjectRow is the list row of a project.
func ProjectRow(organization, project string) store.Key {
	return in(Organization(organization), "projects", project)
}

// StackName leads from the names of a project and a stack in an organization to the stack's id. The item lives exactly as long
// as the stack has that name, so a Check of it in a write states "this stack is alive and still called so".
func StackName(organization, project, stack string) store.Key {
	return in(Organization(organization), "stack/"+project+"/"+stack, "name")
}

// StackRow is the list row of a stack; rows sort by project id, then by stack id.
func StackRow(organization, project, stack string) store.Key {
	return in(Organization(organization), "stacks", project+"/"+stack)
}

// StackRows is the partition of an organization's stack rows.
func StackRows(organization string) string { return Organization(organization).Partition("stacks") }

// AuditShards is over how many partitions an organization's audit is spread, so that no partition takes all of a tenant's
// audited writes; a reader merges them by time.
const AuditShards = 4

// AuditEntry is one audit entry; entries of a shard sort by time, then by id.
func AuditEntry(organization string, at time.Time, id string) store.Key {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return in(Organization(organization), AuditShard(int(h.Sum32()%AuditShards)), AuditTime(at)+"/"+id)
}

// AuditShard is the collection of one shard.
func AuditShard(n int) string { return fmt.Sprintf("audit/%d", n) }

// AuditTime is how a time sorts among audit entries (microseconds).
func AuditTime(t time.Time) string { return fmt.Sprintf("%016d", t.UnixMicro()) }

// Outbox is an event that waits to be handed on.
func Outbox(organization, id string) store.Key {
	return in(Organization(organization), "outbox", id)
}
