package keys

import (
	"strings"

	"github.com/polyplane/polyplane/shared/store"
)

// Stack is the scope of a stack: nothing below it names its organization or project, so that a transfer rewrites nothing here
// but the head.
func Stack(id string) store.Scope { return store.Scope("stack/" + id) }

// StackHead is the stack's own document.
func StackHead(id string) store.Key { return head(Stack(id)) }

// StackGrants is the partition of a stack's grants.
func StackGrants(stack string) string { return Stack(stack).Partition("grants") }

// Checkpoint is the manifest of the checkpoint that an update version left.
func Checkpoint(stack string, version int64) store.Key {
	return in(Stack(stack), "checkpoints", sequence(version))
}

// Checkpoints is the partition of a stack's checkpoint manifests, in order of version.
func Checkpoints(stack string) string { return Stack(stack).Partition("checkpoints") }

// HistoryRow leads from an update version to the update.
func HistoryRow(stack string, version int64) store.Key {
	return in(Stack(stack), "history", sequence(version))
}

// History is the partition of a stack's updates that changed it, in order of version.
func History(stack string) string { return Stack(stack).Partition("history") }

// PreviewRow leads to a preview made on top of a version; previews of a version sort by creation.
func PreviewRow(stack string, version int64, update string) store.Key {
	return in(Stack(stack), "previews", sequence(version)+"/"+update)
}

// PreviewsOf is the prefix of the previews made on top of a version.
func PreviewsOf(version int64) string { return sequence(version) + "/" }

// Previews is the partition of a stack's previews.
func Previews(stack string) string { return Stack(stack).Partition("previews") }

// UpdateRow marks that an update exists; rows sort by creation. Deletion walks them.
func UpdateRow(stack, update string) store.Key { return in(Stack(stack), "updates", update) }

// UpdateRows is the partition of the marks of all updates of a stack.
func UpdateRows(stack string) string { return Stack(stack).Partition("updates") }

// DeploymentSettings is how the stack is deployed.
func DeploymentSettings(stack string) store.Key { return in(Stack(stack), "deployment", "settings") }

// Deployment is the partition of what belongs to the stack's deployments.
func Deployment(stack string) string { return Stack(stack).Partition("deployment") }

func update(stack, id, sk string) store.Key { return in(Stack(stack), "update/"+id, sk) }

// UpdateItems is the partition of everything that belongs to one update.
func UpdateItems(stack, id string) string { return Stack(stack).Partition("update/" + id) }

// UpdateHead is the update's own document.
func UpdateHead(stack, id string) store.Key { return update(stack, id, Head) }

// Lease is the lease of a started update.
func Lease(stack, id string) store.Key { return update(stack, id, "lease") }

// Saved is the checkpoint last saved by a running update that saves whole checkpoints or deltas.
func Saved(stack, id string) store.Key { return update(stack, id, "saved") }

// Fold is the replayed state of a running update's journal up to some entry.
func Fold(stack, id string) store.Key { return update(stack, id, "fold") }

// Summary is what the client's summary event counted.
func Summary(stack, id string) store.Key { return update(stack, id, "summary") }

// The prefixes of sequences within an update.
const (
	JournalPrefix = "journal/"
	EventPrefix   = "event/"
)

// JournalBatch holds entries first to last; batches sort by last, so that what a reader has behind it can be passed over without a
// look at it. The digest of the content makes a repeated batch the same item and keeps a different
// one from overwriting what was acknowledged.
func JournalBatch(stack, id string, first, last int64, digest string) store.Key {
	return update(stack, id, JournalPrefix+sequence(last)+"-"+sequence(first)+"-"+digest)
}

// JournalFrom is the lower bound of batches that have an entry at or behind a sequence number.
func JournalFrom(n int64) string { return JournalPrefix + sequence(n) }

// EventBatch holds engine events first to last; see JournalBatch for the digest.
func EventBatch(stack, id string, first, last int64, digest string) store.Key {
	return update(stack, id, EventPrefix+sequence(first)+"-"+sequence(last)+"-"+digest)
}

// LeaseOf returns the stack and update that a key made by Lease belongs to.
func LeaseOf(k store.Key) (stack, id string, ok bool) {
	scope, collection, _ := strings.Cut(k.PK, "#")
	stack, ok1 := strings.CutPrefix(scope, "stack/")
	id, ok2 := strings.CutPrefix(collection, "update/")
	return stack, id, ok1 && ok2 && k.SK == "lease"
}
