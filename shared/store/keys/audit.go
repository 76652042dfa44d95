package keys

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/store"
)

// AuditShards is over how many partitions an organization's audit is spread, so that no partition takes all of a tenant's
// audited writes; a reader merges them by time.
const AuditShards = 4

// AuditEntry is one audit entry; entries of a shard sort by time, then by id.
func AuditEntry(organization string, at time.Time, id string) store.Key {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return store.Key{PK: AuditEntries(organization, int(h.Sum32()%AuditShards)), SK: AuditTime(at) + "/" + id}
}

// AuditEntries is the partition of one shard of an organization's audit, in order of time.
func AuditEntries(organization string, shard int) string {
	return Organization(organization).Partition(fmt.Sprintf("audit/%d", shard))
}

// AuditTime is how a time sorts among audit entries (microseconds): every entry at or after it sorts behind it. The zero time sorts
// before every entry.
func AuditTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%016d", t.UnixMicro())
}

// AuditEntryOf returns time and id of an entry from its sort key, as made by AuditEntry.
func AuditEntryOf(sk string) (at time.Time, id string) {
	text, id, _ := strings.Cut(sk, "/")
	if micros, err := strconv.ParseInt(text, 10, 64); err == nil {
		at = time.UnixMicro(micros).UTC()
	}
	return at, id
}

// AuditSealing says how far an account's audit is sealed; AuditSigner is the key that signs its digests.
func AuditSealing(account string) store.Key { return in(Account(account), "audit", "sealing") }

// AuditSigner is the key that signs an account's digests, sealed.
func AuditSigner(account string) store.Key { return in(Account(account), "audit", "signer") }

// AuditDigest is one digest of an account's audit.
func AuditDigest(account string, n int64) store.Key {
	return in(Account(account), "audit-digests", sequence(n))
}

// AuditDigests is the partition of an account's digests, in order of sequence.
func AuditDigests(account string) string { return Account(account).Partition("audit-digests") }

// AuditSeal is an organization's part in one digest of its account.
func AuditSeal(organization string, digest int64) store.Key {
	return in(Organization(organization), "audit-seals", sequence(digest))
}

// AuditSeals is the partition of an organization's seals, in order of the digests' sequence.
func AuditSeals(organization string) string {
	return Organization(organization).Partition("audit-seals")
}

// AuditLeaves is a page of the hashes that one seal covers in one shard. The hash of the page's end makes a repeated page the same item
// and keeps a different one from overwriting it.
func AuditLeaves(organization string, digest int64, shard, page int, end string) store.Key {
	return in(Organization(organization), "audit-leaves/"+sequence(digest), fmt.Sprintf("%d/%06d/%s", shard, page, end))
}
