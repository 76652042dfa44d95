package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// Kind says what a journal entry tells.
type Kind int

// The kinds, as the client numbers them.
const (
	Begin                 Kind = 0 // an operation begins
	Success               Kind = 1 // it succeeded
	Failure               Kind = 2 // it failed
	RefreshSuccess        Kind = 3 // a refresh in place succeeded
	Outputs               Kind = 4 // a resource registered its outputs
	Write                 Kind = 5 // the client replaces the base
	SecretsManager        Kind = 6 // the secrets provider is known
	RebuiltBase           Kind = 7 // what was replayed so far becomes the base
	ExtensionParameterize Kind = 8 // an extension is known
	Snippets              Kind = 9 // the list of snippets is replaced
)

var kindNames = [...]string{
	"begin", "success", "failure", "refresh success", "outputs", "write", "secrets manager", "rebuilt base state",
	"extension parameterize", "snippets",
}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "kind " + strconv.Itoa(int(k))
	}
	return kindNames[k]
}

// Ref is an optional address: an index of the base (…Old) or the number of an operation (…New).
type Ref struct {
	N   int64
	Set bool
}

// Entry is one entry of the journal. Its raw parts are kept as the client wrote them and point into the decoded body.
type Entry struct {
	Kind      Kind
	Sequence  int64 // 1, 2, 3 … within the update
	Operation int64 // from 1; 0 for kinds without an operation

	RemoveOld, RemoveNew                         Ref
	PendingReplacementOld, PendingReplacementNew Ref
	DeleteOld, DeleteNew                         Ref

	State           json.RawMessage // a resource; nil if none
	Pending         json.RawMessage // the member "operation": {"resource", "type"}; nil if none
	NewSnapshot     json.RawMessage // a deployment; nil if none
	SecretsProvider json.RawMessage // {"type", "state"}; nil if none
	Snippets        json.RawMessage // an array; nil if none
	ExtensionRef    string
	Extension       json.RawMessage // nil if none

	IsRefresh          bool
	RequiresByteString bool // a text in it was not UTF-8 before it was encrypted

	raw []byte
}

// Raw returns the entry's JSON as the client wrote it.
func (e Entry) Raw() []byte { return e.raw }

func (e Entry) String() string {
	if e.Operation == 0 {
		return fmt.Sprintf("entry %d (%s)", e.Sequence, e.Kind)
	}
	return fmt.Sprintf("entry %d (%s of operation %d)", e.Sequence, e.Kind, e.Operation)
}

// Limits bound what DecodeBatch accepts. A zero field means its default.
type Limits struct {
	Entries int // entries per batch; default 10,000 (the client sends 100 unless it is told otherwise)
	Depth   int // nesting of the body; default 1,000, at most 9,000
}

const (
	defaultEntries = 10_000
	defaultDepth   = 1_000
)

// DecodeBatch decodes {"entries": [...]}. Entries come back in the order in which they were sent, duplicates included. A
// fault is Invalid and names the offending field ("body.entries[3].kind"), or TooLarge when there are too many entries,
// which the client answers by splitting the batch.
func DecodeBatch(body []byte, limits Limits) ([]Entry, error) {
	if limits.Entries <= 0 {
		limits.Entries = defaultEntries
	}
	if limits.Depth <= 0 {
		limits.Depth = defaultDepth
	}
	if !utf8.Valid(body) {
		return nil, fault.Wrong("body", "the body is not UTF-8")
	}
	limits.Depth = min(limits.Depth, storedDepth)
	s := &scanner{data: body, limit: limits.Depth}
	var entries []Entry
	found := false
	end, err := s.object(0, func(name []byte, at int) (int, error) {
		if string(name) != "entries" {
			return s.value(at)
		}
		found = true
		entries = entries[:0]
		if c, _ := s.peek(at); c == 'n' { // null is how the client's language spells an empty list
			return s.value(at)
		} else if c != '[' {
			return at, fault.Wrong("body.entries", "body.entries: a list of entries was expected")
		}
		return s.array(at, func(at int) (int, error) {
			if len(entries) == limits.Entries {
				f := fault.New(fault.TooLarge, "a batch has at most %d entries", limits.Entries)
				f.Field = "body.entries"
				return at, f
			}
			entry, end, err := decodeEntry(s, at, len(entries))
			entries = append(entries, entry)
			return end, err
		})
	})
	if err == nil {
		err = s.end(end)
	}
	if err != nil {
		return nil, asFault(err, "body")
	}
	if !found {
		return nil, fault.Wrong("body.entries", "the body needs a list of entries")
	}
	return entries, nil
}

// asFault turns a scanner's error into one for the client; faults pass.
func asFault(err error, field string) error {
	if f := fault.As(err); f != nil {
		return f
	}
	var deep *depthError
	if errors.As(err, &deep) {
		return fault.Wrong(field, "the JSON is nested more than %d deep", deep.limit).Because(err)
	}
	return fault.Wrong(field, "this is not the JSON that was expected: %s", err).Because(err)
}

// EncodeBatch writes entries for storage, as a body that DecodeBatch reads: the raw JSON of every entry, unchanged, one
// to a line.
func EncodeBatch(entries []Entry) []byte {
	size := len(`{"entries":[]}`) + 2*len(entries)
	for _, e := range entries {
		size += len(e.raw)
	}
	out := append(make([]byte, 0, size), `{"entries":[`...)
	for i, e := range entries {
		if i > 0 {
			out = append(out, ",\n"...)
		}
		out = append(out, e.raw...)
	}
	return append(out, "]}"...)
}
