package keys

import (
	"strings"

	"github.com/polyplane/polyplane/shared/store"
)

// Hook is a hook of an owner: an organization or a stack. Its name never changes and serves as its id there.
func Hook(owner store.Scope, name string) store.Key { return in(owner, "hooks", name) }

// Hooks is the partition of an owner's hooks, in order of name.
func Hooks(owner store.Scope) string { return owner.Partition("hooks") }

// Delivery is what one hook is sent about one event. Ids begin with the time of the event, so deliveries sort by it. The hook is named
// by its id, which is not used again when another hook gets the same name.
func Delivery(owner store.Scope, hook, id string) store.Key {
	return in(owner, deliveryPrefix+hook, id)
}

// Deliveries is the partition of a hook's deliveries, oldest first.
func Deliveries(owner store.Scope, hook string) string {
	return owner.Partition(deliveryPrefix + hook)
}

const deliveryPrefix = "deliveries/"

// StackOf returns the id of the stack whose scope this is.
func StackOf(s store.Scope) (id string, ok bool) { return strings.CutPrefix(string(s), "stack/") }
