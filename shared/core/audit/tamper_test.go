package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// forger changes the table behind the program's back, and undoes it.
type forger struct {
	*world
	r             *rand.Rand
	organizations []string
	hours         int
	before        []store.Item // what the forgery replaced; without kind where nothing was
}

// forge puts items, and removes those without kind.
func (f *forger) forge(items ...store.Item) {
	for _, i := range items {
		was, err := f.Store.Get(context.Background(), i.Key)
		if err != nil {
			was = store.Item{Key: i.Key}
		}
		f.before = append(f.before, was)
		f.put(i)
	}
}

func (f *forger) undo() {
	for _, i := range f.before {
		f.put(i)
	}
	f.before = nil
}

func gone(i store.Item) store.Item { i.Kind = ""; return i }

func (f *forger) pick(items []store.Item) store.Item { return items[f.r.IntN(len(items))] }

func (f *forger) organization() string { return f.organizations[f.r.IntN(len(f.organizations))] }

// sealedEntry is any entry under a digest.
func (f *forger) sealedEntry() store.Item {
	return f.pick(f.entries(f.organization()))
}

// claim is what verification has to say.
type claim struct{ what, how, id string }

func entryClaim(how string, k store.Key) claim {
	_, id := keys.AuditEntryOf(k.SK)
	return claim{"entry", how, id}
}

// changedText changes one letter or digit of a body, so that it stays a document.
func (f *forger) changedText(body []byte) []byte {
	out := bytes.Clone(body)
	for {
		n := f.r.IntN(len(out))
		if c := out[n]; c >= '0' && c <= '8' || c >= 'a' && c <= 'y' {
			out[n]++
			return out
		}
	}
}

var forgeries = map[string]func(f *forger) claim{
	"a field is changed": func(f *forger) claim {
		i := f.sealedEntry()
		i.Body = bytes.Replace(i.Body, []byte("created stack"), []byte("deleted stack"), 1)
		f.forge(i)
		return entryClaim("changed", i.Key)
	},
	"an entry is made to expire": func(f *forger) claim {
		i := f.sealedEntry()
		i.Expires = f.Now().Add(time.Hour)
		f.forge(i)
		return entryClaim("changed", i.Key)
	},
	"an entry is dropped": func(f *forger) claim {
		i := f.sealedEntry()
		f.forge(gone(i))
		return entryClaim("dropped", i.Key)
	},
	"an entry is inserted": func(f *forger) claim {
		i := f.sealedEntry()
		id := f.NewID()
		at := beginning.Add(time.Duration(f.r.Int64N(int64(f.hours)*int64(time.Hour)) / 1000 * 1000))
		i.Body = bytes.ReplaceAll(i.Body, []byte(`"id":"0190`), []byte(`"id":"`+id[:4]))
		i.Key = keys.AuditEntry(strings.TrimPrefix(string(store.ScopeOf(i.Key)), "organization/"), at, id)
		f.forge(i)
		return entryClaim("inserted", i.Key)
	},
	"two entries are swapped": func(f *forger) claim {
		o := f.organization()
		a, b := f.pick(f.entries(o)), f.pick(f.entries(o))
		for a.Key == b.Key {
			b = f.pick(f.entries(o))
		}
		a.Body, b.Body = b.Body, a.Body
		f.forge(a, b)
		if b.SK < a.SK {
			a = b
		}
		return entryClaim("reordered", a.Key)
	},
	"an entry is moved to another time": func(f *forger) claim {
		i := f.sealedEntry()
		at, id := keys.AuditEntryOf(i.SK)
		moved := i
		begin := at.Truncate(time.Hour)
		to := begin.Add(time.Duration(f.r.Int64N(int64(time.Hour)) / 1000 * 1000))
		if to.Equal(at) {
			to = to.Add(time.Microsecond)
		}
		moved.SK = keys.AuditTime(to) + "/" + id
		f.forge(gone(i), moved)
		return entryClaim("reordered", i.Key)
	},
	"the last hour's entries are cut off": func(f *forger) claim {
		o := f.organization()
		from := beginning.Add(time.Duration(f.hours-1) * time.Hour)
		var first store.Key
		for _, i := range f.entries(o) {
			if i.SK >= keys.AuditTime(from) {
				f.forge(gone(i))
				if first.SK == "" || i.SK < first.SK {
					first = i.Key
				}
			}
		}
		return entryClaim("dropped", first)
	},
	"a digest is dropped": func(f *forger) claim {
		i := f.pick(f.items(keys.AuditDigests(acct)))
		f.forge(gone(i))
		return claim{"digest", "dropped", number(i.SK)}
	},
	"the newest digests are cut off": func(f *forger) claim {
		all := f.items(keys.AuditDigests(acct))
		from := f.r.IntN(len(all))
		for _, i := range all[from:] {
			f.forge(gone(i))
		}
		return claim{"digest", "dropped", number(all[from].SK)}
	},
	"a digest is changed": func(f *forger) claim {
		i := f.pick(f.items(keys.AuditDigests(acct)))
		i.Body = f.changedText(i.Body)
		f.forge(i)
		return claim{"digest", "changed", number(i.SK)}
	},
	"two digests are swapped": func(f *forger) claim {
		all := f.items(keys.AuditDigests(acct))
		n := f.r.IntN(len(all) - 1)
		all[n].Body, all[n+1].Body = all[n+1].Body, all[n].Body
		f.forge(all[n], all[n+1])
		return claim{"digest", "reordered", number(all[n].SK)}
	},
	"a seal is changed": func(f *forger) claim {
		i := f.pick(f.items(keys.AuditSeals(f.organization())))
		i.Body = f.changedText(i.Body)
		f.forge(i)
		return claim{"seal", "changed", number(i.SK)}
	},
	"a seal is dropped": func(f *forger) claim {
		i := f.pick(f.items(keys.AuditSeals(f.organization())))
		f.forge(gone(i))
		return claim{"seal", "dropped", number(i.SK)}
	},
	"a page of leaves is dropped": func(f *forger) claim {
		o := f.organization()
		n := int64(1 + f.r.IntN(f.hours))
		pages := f.items(string(keys.Organization(o)) + "#audit-leaves/" + fmt.Sprintf("%012d", n))
		f.forge(gone(f.pick(pages)))
		return claim{"leaves", "changed", fmt.Sprint(n)}
	},
	"the sealing record is dropped": func(f *forger) claim {
		i, err := f.Store.Get(context.Background(), keys.AuditSealing(acct))
		require.NoError(f.t, err)
		f.forge(gone(i))
		return claim{"sealing record", "dropped", ""}
	},
	"the signing key is changed": func(f *forger) claim {
		i, err := f.Store.Get(context.Background(), keys.AuditSigner(acct))
		require.NoError(f.t, err)
		i.Body = f.changedText(i.Body)
		f.forge(i)
		return claim{"signing key", "changed", ""}
	},
}

func number(sk string) string { return strings.TrimLeft(sk, "0") }

// forgedWorld is two organizations with entries in every one of four sealed hours, late ones among them, and some not sealed yet.
func forgedWorld(t *testing.T) *forger {
	f := &forger{world: newWorld(t, "o1", "o2"), r: rand.New(rand.NewPCG(3, 4)), organizations: []string{"o1", "o2"}, hours: 4}
	for h := range f.hours {
		for _, o := range f.organizations {
			for range 10 {
				f.happens(o, time.Duration(h)*time.Hour+time.Duration(f.r.Int64N(int64(time.Hour))))
			}
		}
		f.at(beginning.Add(time.Duration(h+1)*time.Hour + 20*time.Minute))
		require.Equal(t, 1, f.seal())
		if h < f.hours-1 {
			f.happens("o1", time.Duration(h)*time.Hour+30*time.Minute) // late, sealed with the next hour
		}
	}
	return f
}

func TestAThousandForgeriesAreEachNamed(t *testing.T) {
	f := forgedWorld(t)
	sound := f.verify()
	require.Nil(t, sound.Finding)
	require.EqualValues(t, 2*4*10+3, sound.Entries)
	require.EqualValues(t, 3, sound.Late)
	names := slices.Sorted(maps.Keys(forgeries))
	for n := range 1000 {
		name := names[n%len(names)]
		want := forgeries[name](f)
		got := f.verify().Finding
		require.NotNil(t, got, "%s: not noticed", name)
		if name == "an entry is moved to another time" { // what is first in time is where it was or where it is
			require.Equal(t, want.id, got.ID, "%s: %s", name, got)
		} else {
			require.Equal(t, want, claim{got.What, got.How, got.ID}, "%s: %s", name, got)
		}
		f.undo()
	}
	require.Equal(t, sound, f.verify())
}

func TestVerificationNamesWhatIsFirstInTime(t *testing.T) {
	f := forgedWorld(t)
	var all []store.Item
	for _, o := range f.organizations {
		all = append(all, f.entries(o)...)
	}
	for range 50 {
		var first store.Item
		taken := map[store.Key]bool{}
		for range 5 {
			i := f.pick(all)
			if taken[i.Key] {
				continue
			}
			taken[i.Key] = true
			f.forge(gone(i))
			if first.SK == "" || i.SK < first.SK {
				first = i
			}
		}
		_, id := keys.AuditEntryOf(first.SK)
		require.Equal(t, id, f.verify().Finding.ID)
		f.undo()
	}
}

func TestTheKeyThatSignsIsKnownToWhoHoldsTheKeyringOnly(t *testing.T) {
	f := forgedWorld(t)
	public, err := audit.PublicKey(context.Background(), f.Ports, acct)
	require.NoError(t, err)
	require.Len(t, public, 32)
	i, err := f.Store.Get(context.Background(), keys.AuditSigner(acct))
	require.NoError(t, err)
	other := newWorld(t, "o1")
	other.at(beginning.Add(2 * time.Hour))
	other.seal()
	theirs, err := other.Store.Get(context.Background(), keys.AuditSigner(acct))
	require.NoError(t, err)
	i.Body = theirs.Body
	f.forge(i)
	require.Equal(t, "signing key", f.verify().Finding.What, "a key made with another master key is no key")
}
