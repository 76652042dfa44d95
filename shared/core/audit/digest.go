package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// An account's audit is a chain of signed digests, one for each hour that is closed. A digest names the hash of the seal of every
// organization that had entries; a seal names, for each shard of the organization, the end of a hash chain over the entries in order,
// and the pages of leaves that the chain runs through.
//
//	digest n ── previous ──▶ digest n-1          signed with the account's key
//	   └─ organization: hash of its seal
//	seal n ──── previous ──▶ the organization's seal before it
//	   └─ shard: end of its chain, pages of leaves ──▶ entries
//
// What is not under a digest yet is not protected by it. Who can write to the table and also takes the newest digests away together with
// everything that they cover leaves an older, consistent state: that is noticed only by who kept the hash of a later digest
// (Verification.Expect).

// digest is one link of an account's chain.
type digest struct {
	Account       string    `json:"account"`
	Sequence      int64     `json:"sequence"`      // 1, 2, 3 …
	From          time.Time `json:"from,omitzero"` // entries from here, zero is the beginning …
	To            time.Time `json:"to"`            // … to before here, and late ones
	More          string    `json:"more,omitempty"`
	Organizations []sealed  `json:"organizations"`
	Previous      hash      `json:"previous"` // of the digest before; zero for the first
	Made          time.Time `json:"made"`
	Signature     []byte    `json:"signature,omitempty"` // Ed25519
}

// sealed is an organization in a digest. Organizations without new entries are left out. When an hour has more of them than fit into one
// write, the digest's More names the last one looked at, and the next digest goes on behind it with the same hour.
type sealed struct {
	Organization string `json:"organization"` // id
	Seal         hash   `json:"seal"`
}

// seal is an organization's part in one digest of its account.
type seal struct {
	Organization string                      `json:"organization"` // id
	Digest       int64                       `json:"digest"`       // sequence
	From         time.Time                   `json:"from,omitzero"`
	To           time.Time                   `json:"to"`
	Shards       [keys.AuditShards]shardSeal `json:"shards"`
	Previous     hash                        `json:"previous"` // of the organization's seal before; zero for the first
}

// shardSeal covers new entries of one shard, in order: first the late ones, which are before the digest's hour.
type shardSeal struct {
	Count int64  `json:"count"`
	Late  int64  `json:"late,omitempty"`
	Pages []hash `json:"pages,omitempty"` // the end of each page of leaves
	Head  hash   `json:"head"`            // end of the chain, which begins at the organization's first entry
}

func (s seal) count() (all, late int64) {
	for _, part := range s.Shards {
		all, late = all+part.Count, late+part.Late
	}
	return all, late
}

// sealing says how far an account's audit is sealed. Its due time is when the next hour closes.
type sealing struct {
	Account  string    `json:"account"`
	Sequence int64     `json:"sequence"` // of the newest digest; 0 for none
	Hash     hash      `json:"hash"`     // of the newest digest
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	More     string    `json:"more,omitempty"` // as in the newest digest
}

// signer is the key that signs an account's digests.
type signer struct {
	Key    []byte `json:"key"`    // wrapped data key, bound to the account
	Seed   []byte `json:"seed"`   // of the Ed25519 key, sealed with the data key
	Public []byte `json:"public"` // for those who verify without the keyring
}

var (
	digestKind  = store.NewKind[digest]("audit-digest", 1)
	sealKind    = store.NewKind[seal]("audit-seal", 1)
	sealingKind = store.NewKind[sealing]("audit-sealing", 1)
	signerKind  = store.NewKind[signer]("audit-signer", 1)
)

// body is the document as it is stored. What it is made from always has a JSON form.
func body(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("audit: " + err.Error()) // a defect in the type
	}
	return b
}

func hashOfDigest(stored []byte) hash { return hashOf("audit digest 1", stored) }
func hashOfSeal(stored []byte) hash   { return hashOf("audit seal 1", stored) }

// signedPart is what a digest's signature is of.
func signedPart(d digest) []byte {
	d.Signature = nil
	h := hashOf("audit signature 1", body(d))
	return h[:]
}

func (d *digest) sign(key ed25519.PrivateKey) { d.Signature = ed25519.Sign(key, signedPart(*d)) }

func (d digest) signedBy(key ed25519.PublicKey) bool {
	return ed25519.Verify(key, signedPart(d), d.Signature)
}

var seedPurpose = []byte("audit signing key")

func signerBoundTo(account string) string { return string(keys.Account(account)) + "/audit" }

// newSigner makes the key of an account.
func newSigner(ctx context.Context, p ports.Ports, account string) (signer, error) {
	key, err := p.Keyring.NewDataKey(ctx, signerBoundTo(account))
	if err != nil {
		return signer{}, err
	}
	seed := p.Random(ed25519.SeedSize)
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return signer{Key: key.Wrapped(), Seed: key.Seal(seed, seedPurpose), Public: public}, nil
}

// errSigner says that the signing key is missing or is not the one that the keyring made for the account.
var errSigner = errors.New("audit: the signing key is missing or was changed")

// signerOf opens an account's signing key, or returns errSigner.
func signerOf(ctx context.Context, p ports.Ports, account string) (ed25519.PrivateKey, error) {
	i, err := p.Store.Get(ctx, keys.AuditSigner(account))
	if errors.Is(err, store.ErrNotFound) {
		return nil, errSigner
	}
	if err != nil {
		return nil, err
	}
	d, err := signerKind.Decode(i)
	if errors.Is(err, store.ErrNewerSchema) {
		return nil, err
	}
	if err != nil || !bytes.Equal(i.Body, body(d.Value)) {
		return nil, errSigner
	}
	key, err := p.Keyring.Unwrap(ctx, d.Value.Key, signerBoundTo(account))
	if errors.Is(err, keyring.ErrWrongKey) {
		return nil, errSigner
	}
	if err != nil {
		return nil, err
	}
	seed, err := key.Open(d.Value.Seed, seedPurpose)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errSigner
	}
	private := ed25519.NewKeyFromSeed(seed)
	if !bytes.Equal(private.Public().(ed25519.PublicKey), d.Value.Public) {
		return nil, errSigner
	}
	return private, nil
}

// PublicKey returns the Ed25519 key that an account's digests are signed with, for those who verify them without the keyring.
func PublicKey(ctx context.Context, p ports.Ports, account string) (ed25519.PublicKey, error) {
	private, err := signerOf(ctx, p, account)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", account, err)
	}
	return private.Public().(ed25519.PublicKey), nil
}

// lastSeal returns an organization's newest seal and its hash; ok is false when it has none.
func lastSeal(ctx context.Context, p ports.Ports, organization string) (s seal, h hash, ok bool, err error) {
	page, err := p.Store.Query(ctx, store.Query{PK: keys.AuditSeals(organization), Descending: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return seal{}, hash{}, false, err
	}
	d, err := sealKind.Decode(page.Items[0])
	return d.Value, hashOfSeal(page.Items[0].Body), err == nil, err
}
