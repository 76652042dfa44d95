// Package keys holds every key of the table, one file per noun.
//
// A partition key begins with the scope that owns it ("stack/<id>", "organization/<id>" …; see store.Scope). Keys hold
// immutable ids; a name is an item of its own that leads to an id, so that a rename rewrites one small item and the head. The
// addresses in address.go are the only keys that exist before a tenant is known.
package keys

import (
	"fmt"
	"strings"

	"github.com/polyplane/polyplane/shared/store"
)

// Head is the sort key of a scope's own document.
const Head = "head"

// folded is how names that vendors treat without regard to case are looked up.
func folded(name string) string { return strings.ToLower(name) }

// sequence writes a number so that text order is numeric order.
func sequence(n int64) string { return fmt.Sprintf("%012d", n) }

func head(s store.Scope) store.Key { return store.Key{PK: string(s), SK: Head} }

func in(s store.Scope, collection, sk string) store.Key {
	return store.Key{PK: s.Partition(collection), SK: sk}
}
