// Package checkpoint keeps the state of a stack as the Pulumi client writes it: whole deployments, text deltas between
// them, and the journal that a running update sends instead of either.
//
// Everything here is a function of bytes. Resources pass through as the raw JSON that the client sent, so that fields
// which this version does not know survive; only where a mark or a lost reference changes a resource are the fields
// concerned rewritten.
//
// # The journal
//
// An update sends numbered entries. State replays them over the deployment that was current when the update started:
//
//   - the list B of resources of that base, addressed by index ("old");
//   - the list N of resources that the update produced, addressed by the operation that did ("new");
//   - marks on both, operations that began and have not ended, and what is not a resource (secrets provider, snippets,
//     extensions).
//
// Sequence numbers start at 1. The client numbers an entry before it encrypts it, so an entry may arrive a batch later
// than its successor. State applies in sequence only, holds back what is behind a gap, and ignores a number that it has
// seen. Some gaps never close: a number is lost when encrypting fails, when a batch fails and the client goes on to the
// next, or when the client dies. So Settle ends the waiting once nothing can arrive any more: what is held then never takes
// effect, since it may rest on what is missing, but it was acknowledged, so it stays in the checkpoint as pending operations,
// which the client shows and asks the user to resolve.
//
// Materialize puts the lists together: N without what was removed, then B without what was dropped, and schema version 3,
// or 4 when a resource uses a feature that older clients must refuse.
//
// # Where this differs from the client's own replay
//
// The client's replay (pkg/backend/journal.go, JournalReplayer) is the authority. Known differences, all on purpose:
//
//   - An index outside the base and an operation that produced nothing are refused here. There, the first is ignored and
//     the second silently means the first new resource.
//   - An operation that refreshed a resource in place can be addressed like one that produced it.
//   - A rebuilt base resets the positions of new resources; there, entries after a rebuilt base with new resources address
//     the wrong resource, which is why that client never sends any.
//   - A new snapshot (write) forgets the marks made on the base that it replaces.
//   - A gap is never replayed over; there, nobody looks for gaps.
//   - Unknown fields of resources and of the deployment are kept, and pending operations keep the order of their begin.
//
// Followed although it may surprise: after a refresh, a resource whose parent is gone loses its parent, it does not move
// to the grandparent; after replay every reference to an alias is rewritten to the aliased resource's present URN, and the
// aliases are dropped; the base's metadata is carried on, an old integrity error included.
//
// Only journal version 1 is spoken. Version 2 adds state migrations (kind 10); the client sends them only to a service
// that answered the start of the update with version 2.
package checkpoint
