package keys

import "github.com/polyplane/polyplane/shared/store"

// Adoption tells how far a stack that came from elsewhere was brought here.
func Adoption(stack string) store.Key { return in(Stack(stack), "adoption", Head) }

// Adoptions is the partition of a stack's adoption, for its deletion.
func Adoptions(stack string) string { return Stack(stack).Partition("adoption") }
