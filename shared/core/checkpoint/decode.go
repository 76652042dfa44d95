package checkpoint

import (
	"fmt"
	"strconv"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// entryReader reads one entry. It remembers which fields were there, since zero is a good value for some of them.
type entryReader struct {
	*scanner
	number  int // position in the batch, for the field path
	entry   Entry
	version int64
	seen    struct{ version, kind, sequence bool }
}

func decodeEntry(s *scanner, at, number int) (Entry, int, error) {
	r := entryReader{scanner: s, number: number}
	if c, at := s.peek(at); c != '{' {
		return Entry{}, at, r.wrong("", "an entry is an object")
	}
	end, err := s.object(at, r.member)
	if err != nil {
		return Entry{}, end, asFault(err, fmt.Sprintf("body.entries[%d]", number))
	}
	r.entry.raw = s.data[at:end]
	return r.entry, end, r.check()
}

func (r *entryReader) wrong(field, format string, args ...any) error {
	path := fmt.Sprintf("body.entries[%d]", r.number)
	if field != "" {
		path += "." + field
	}
	return fault.Wrong(path, format, args...)
}

func (r *entryReader) member(name []byte, at int) (int, error) {
	e := &r.entry
	switch string(name) {
	case "version":
		r.seen.version = true
		return r.integer("version", at, &r.version)
	case "kind":
		r.seen.kind = true
		var kind int64
		end, err := r.integer("kind", at, &kind)
		if err == nil && (kind < 0 || int(kind) >= len(kindNames)) {
			err = r.wrong("kind", "kinds go from 0 to %d, not %d", len(kindNames)-1, kind)
		}
		e.Kind = Kind(kind)
		return end, err
	case "sequenceID":
		r.seen.sequence = true
		return r.integer("sequenceID", at, &e.Sequence)
	case "operationID":
		return r.integer("operationID", at, &e.Operation)
	case "removeOld":
		return r.ref("removeOld", at, &e.RemoveOld)
	case "removeNew":
		return r.ref("removeNew", at, &e.RemoveNew)
	case "pendingReplacementOld":
		return r.ref("pendingReplacementOld", at, &e.PendingReplacementOld)
	case "pendingReplacementNew":
		return r.ref("pendingReplacementNew", at, &e.PendingReplacementNew)
	case "deleteOld":
		return r.ref("deleteOld", at, &e.DeleteOld)
	case "deleteNew":
		return r.ref("deleteNew", at, &e.DeleteNew)
	case "state":
		return r.resource("state", at, (*[]byte)(&e.State))
	case "operation":
		return r.operation(at)
	case "newSnapshot":
		return r.container("newSnapshot", at, '{', (*[]byte)(&e.NewSnapshot))
	case "secretsProvider":
		return r.container("secretsProvider", at, '{', (*[]byte)(&e.SecretsProvider))
	case "snippets":
		return r.container("snippets", at, '[', (*[]byte)(&e.Snippets))
	case "extension":
		return r.container("extension", at, '{', (*[]byte)(&e.Extension))
	case "extensionRef":
		return r.string("extensionRef", at, &e.ExtensionRef)
	case "isRefresh":
		return r.flag("isRefresh", at, &e.IsRefresh)
	case "requiresByteString":
		return r.flag("requiresByteString", at, &e.RequiresByteString)
	}
	return r.value(at)
}

func (r *entryReader) integer(field string, at int, n *int64) (int, error) {
	end, err := r.value(at)
	if err != nil {
		return end, err
	}
	value, err := strconv.ParseInt(string(r.data[at:end]), 10, 64)
	if err != nil {
		return end, r.wrong(field, "%s is a whole number", field)
	}
	*n = value
	return end, nil
}

func (r *entryReader) ref(field string, at int, ref *Ref) (int, error) {
	*ref = Ref{}
	if c, _ := r.peek(at); c == 'n' {
		return r.value(at)
	}
	end, err := r.integer(field, at, &ref.N)
	if err == nil && ref.N < 0 {
		err = r.wrong(field, "%s is not negative", field)
	}
	ref.Set = true
	return end, err
}

func (r *entryReader) flag(field string, at int, flag *bool) (int, error) {
	end, err := r.value(at)
	if err != nil {
		return end, err
	}
	switch string(r.data[at:end]) {
	case "true":
		*flag = true
	case "false", "null":
		*flag = false
	default:
		return end, r.wrong(field, "%s is true or false", field)
	}
	return end, nil
}

func (r *entryReader) string(field string, at int, text *string) (int, error) {
	end, err := r.value(at)
	if err != nil {
		return end, err
	}
	if raw := r.data[at:end]; raw[0] == '"' {
		*text = textOf(raw)
	} else if !isNull(raw) {
		return end, r.wrong(field, "%s is a text", field)
	}
	return end, nil
}

// container keeps a raw object or array; null counts as absent.
func (r *entryReader) container(field string, at int, open byte, raw *[]byte) (int, error) {
	*raw = nil
	end, err := r.value(at)
	if err != nil {
		return end, err
	}
	value := r.data[at:end]
	if isNull(value) {
		return end, nil
	}
	if value[0] != open {
		if open == '[' {
			return end, r.wrong(field, "%s is an array", field)
		}
		return end, r.wrong(field, "%s is an object", field)
	}
	*raw = value
	return end, nil
}

// resource keeps a raw resource after looking that it has a URN, which everything else hangs on.
func (r *entryReader) resource(field string, at int, raw *[]byte) (int, error) {
	*raw = nil
	switch c, _ := r.peek(at); c {
	case 'n':
		return r.value(at)
	case '{':
	default:
		return at, r.wrong(field, "%s is an object", field)
	}
	named := false
	end, err := r.object(at, func(name []byte, at int) (int, error) {
		end, err := r.value(at)
		if err == nil && string(name) == "urn" {
			named = r.data[at] == '"' && end-at > 2
		}
		return end, err
	})
	if err != nil {
		return end, err
	}
	if !named {
		return end, r.wrong(field+".urn", "a resource needs a URN")
	}
	*raw = r.data[at:end]
	return end, nil
}

func (r *entryReader) operation(at int) (int, error) {
	r.entry.Pending = nil
	switch c, _ := r.peek(at); c {
	case 'n':
		return r.value(at)
	case '{':
	default:
		return at, r.wrong("operation", "operation is an object")
	}
	var resource []byte
	var kind string
	end, err := r.object(at, func(name []byte, at int) (int, error) {
		switch string(name) {
		case "resource":
			return r.resource("operation.resource", at, &resource)
		case "type":
			return r.string("operation.type", at, &kind)
		}
		return r.value(at)
	})
	if err != nil {
		return end, err
	}
	if resource == nil {
		return end, r.wrong("operation.resource", "an operation needs its resource")
	}
	if kind == "" {
		return end, r.wrong("operation.type", "an operation needs its type")
	}
	r.entry.Pending = r.data[at:end]
	return end, nil
}

// check looks at the entry as a whole: what every entry needs, and what its kind needs.
func (r *entryReader) check() error {
	e := &r.entry
	switch {
	case !r.seen.version:
		return r.wrong("version", "an entry needs its version, which is 1")
	case r.version != 1:
		return r.wrong("version", "journal entries have version 1, not %d", r.version)
	case !r.seen.kind:
		return r.wrong("kind", "an entry needs its kind")
	case !r.seen.sequence:
		return r.wrong("sequenceID", "an entry needs its sequence number")
	case e.Sequence < 1:
		return r.wrong("sequenceID", "sequence numbers start at 1, not %d", e.Sequence)
	case e.Operation < 0:
		return r.wrong("operationID", "operationID is not negative")
	case e.Kind <= Outputs && e.Operation == 0:
		return r.wrong("operationID", "an entry of kind %d (%s) needs its operation", e.Kind, e.Kind)
	}
	switch e.Kind {
	case Outputs:
		if e.State == nil {
			return r.wrong("state", "an entry of kind %d (%s) needs the resource", e.Kind, e.Kind)
		}
		if !e.RemoveOld.Set && !e.RemoveNew.Set {
			return r.wrong("removeNew", "an entry of kind %d (%s) says which resource it is about", e.Kind, e.Kind)
		}
	case Write:
		if e.NewSnapshot == nil {
			return r.wrong("newSnapshot", "an entry of kind %d (%s) needs the deployment", e.Kind, e.Kind)
		}
		if _, err := parseBase(e.NewSnapshot); err != nil {
			return r.wrong("newSnapshot", "this is not a deployment: %s", err)
		}
	case SecretsManager:
		if e.SecretsProvider == nil {
			return r.wrong("secretsProvider", "an entry of kind %d (%s) needs the provider", e.Kind, e.Kind)
		}
	case ExtensionParameterize:
		if e.ExtensionRef == "" {
			return r.wrong("extensionRef", "an entry of kind %d (%s) needs the reference", e.Kind, e.Kind)
		}
		if e.Extension == nil {
			return r.wrong("extension", "an entry of kind %d (%s) needs the extension", e.Kind, e.Kind)
		}
	}
	return nil
}
