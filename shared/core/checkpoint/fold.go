package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// An encoded state is lines. The first names the format. Then, in this order, what grows at its end or changes in few
// places, so that two encodings a few entries apart share most of their chunks:
//
//	B marks resource        old resources, by index
//	N marks operation resource    new resources, in order
//	C operation             creations pending in the base
//	R operation sequence operation    operations that began and have not ended
//	H entry                 entries behind a gap
//	T rest                  everything small, last because it changes every time
//
// marks are a number; a dropped resource keeps its line without the JSON, since indices count it.
const stateFormat = "polyplane checkpoint state 1"

// rest is the last line.
type rest struct {
	Next       int64                      `json:"next"`
	Refreshed  bool                       `json:"refreshed,omitempty"`
	Bytes      bool                       `json:"bytes,omitempty"`
	Secrets    json.RawMessage            `json:"secrets,omitempty"`
	Metadata   json.RawMessage            `json:"metadata,omitempty"`
	Snippets   json.RawMessage            `json:"snippets,omitempty"`
	Extensions map[string]json.RawMessage `json:"extensions,omitempty"`
	Added      map[string]json.RawMessage `json:"added,omitempty"`
	Other      []otherMember              `json:"other,omitempty"`
	Places     [][2]int64                 `json:"places,omitempty"` // operation, place; only those that N lines do not tell
}

type otherMember struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// Encode writes the state so that DecodeState continues from here as if it had never stopped. Equal states have equal
// encodings. It is meant to be stored in content-defined chunks: a fold replaces the entries it contains.
func (s *State) Encode() []byte {
	var out bytes.Buffer
	size := 4096
	for _, r := range s.base.resources {
		size += len(r.raw) + 8
	}
	for _, r := range s.news {
		size += len(r.raw) + 24
	}
	for _, e := range s.held {
		size += len(e.raw) + 4
	}
	out.Grow(size)
	line := func(kind byte, numbers []int64, raw []byte) {
		out.WriteByte(kind)
		for _, n := range numbers {
			out.WriteByte(' ')
			out.WriteString(strconv.FormatInt(n, 10))
		}
		out.WriteByte(' ')
		out.Write(raw)
		out.WriteByte('\n')
	}
	out.WriteString(stateFormat + "\n")
	for _, r := range s.base.resources {
		line('B', []int64{int64(r.marks)}, r.raw)
	}
	for _, r := range s.news {
		line('N', []int64{int64(r.marks), r.operation}, r.raw)
	}
	for _, raw := range s.base.creating {
		line('C', nil, raw)
	}
	for _, operation := range sortedKeys(s.running) {
		line('R', []int64{operation, s.running[operation].sequence}, s.running[operation].raw)
	}
	for _, sequence := range sortedKeys(s.held) {
		line('H', nil, oneLine(s.held[sequence].raw))
	}
	line('T', nil, s.rest())
	return out.Bytes()
}

func (s *State) rest() []byte {
	t := rest{
		Next: s.next, Refreshed: s.refreshed, Bytes: s.bytes,
		Secrets: s.base.secrets, Metadata: s.base.metadata, Snippets: s.base.snippets,
		Extensions: rawValues(s.base.extensions), Added: rawValues(s.added),
	}
	for _, o := range s.base.other {
		t.Other = append(t.Other, otherMember{string(o.name), o.value})
	}
	told := map[int64]place{}
	for i, r := range s.news {
		told[r.operation] = place(i)
	}
	for _, operation := range sortedKeys(s.places) {
		if p, known := told[operation]; !known || p != s.places[operation] {
			t.Places = append(t.Places, [2]int64{operation, int64(s.places[operation])})
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // raw values come back as they were
	_ = encoder.Encode(t)        // every raw value has been walked, so it encodes
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'})
}

func rawValues(values map[string][]byte) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(values))
	for key, value := range values {
		out[key] = value
	}
	return out
}

func byteValues(values map[string]json.RawMessage) map[string][]byte {
	out := make(map[string][]byte, len(values))
	for key, value := range values {
		out[key] = value
	}
	return out
}

// DecodeState restores an encoded state. The state keeps pointing into encoded, which must not change. The fault is
// Unavailable for a format that a newer version wrote, and Internal for anything else: stored data gone bad.
func DecodeState(encoded []byte) (*State, error) {
	format, lines, found := bytes.Cut(encoded, []byte{'\n'})
	if !found || string(format) != stateFormat {
		if bytes.HasPrefix(format, []byte("polyplane checkpoint state ")) {
			return nil, fault.New(fault.Unavailable, "the folded journal was written by another version of this service")
		}
		return nil, spoiled(fmt.Errorf("the first line is %.40q", format))
	}
	s, err := New(nil)
	if err != nil {
		return nil, err
	}
	number := 1
	complete := false
	for len(lines) > 0 {
		var line []byte
		line, lines, found = bytes.Cut(lines, []byte{'\n'})
		number++
		if !found || complete {
			return nil, spoiled(fmt.Errorf("line %d does not belong there", number))
		}
		if complete, err = s.decodeLine(line); err != nil {
			return nil, spoiled(fmt.Errorf("line %d: %w", number, err))
		}
	}
	if !complete {
		return nil, spoiled(fmt.Errorf("the last line is missing"))
	}
	return s, nil
}

func spoiled(err error) error {
	return fault.New(fault.Internal, "the folded journal cannot be read").Because(err)
}

// decodeLine adds one line to the state and reports whether it was the last.
func (s *State) decodeLine(line []byte) (last bool, err error) {
	if len(line) < 2 || line[1] != ' ' {
		return false, fmt.Errorf("it starts with %.10q", line)
	}
	kind, raw := line[0], line[2:]
	switch kind {
	case 'B':
		m, raw, err := number(raw)
		if err != nil {
			return false, err
		}
		r, err := decodeSlot(m, 0, raw)
		s.base.resources = append(s.base.resources, r)
		return false, err
	case 'N':
		m, raw, err := number(raw)
		if err != nil {
			return false, err
		}
		operation, raw, err := number(raw)
		if err != nil {
			return false, err
		}
		r, err := decodeSlot(m, operation, raw)
		s.places[operation] = place(len(s.news))
		s.news = append(s.news, r)
		return false, err
	case 'C':
		s.base.creating = append(s.base.creating, raw)
		return false, walked(raw, '{')
	case 'R':
		operation, raw, err := number(raw)
		if err != nil {
			return false, err
		}
		sequence, raw, err := number(raw)
		if err != nil {
			return false, err
		}
		s.running[operation] = begun{sequence, raw}
		return false, walked(raw, '{')
	case 'H':
		scan := &scanner{data: raw, limit: storedDepth}
		e, end, err := decodeEntry(scan, 0, len(s.held))
		if err == nil {
			err = scan.end(end)
		}
		s.held[e.Sequence] = e
		return false, err
	case 'T':
		return true, s.decodeRest(raw)
	}
	return false, fmt.Errorf("it starts with %.10q", line)
}

// number reads the number and the space at the start of a line's rest.
func number(raw []byte) (n int64, after []byte, err error) {
	digits, after, found := bytes.Cut(raw, []byte{' '})
	n, err = strconv.ParseInt(string(digits), 10, 64)
	if !found || err != nil || n < 0 {
		return 0, nil, fmt.Errorf("%.20q is no number", digits)
	}
	return n, after, nil
}

func decodeSlot(m, operation int64, raw []byte) (slot, error) {
	if m&^int64(allMarks) != 0 {
		return slot{}, fmt.Errorf("%d are no marks", m)
	}
	if marks(m)&gone != 0 {
		if len(raw) != 0 {
			return slot{}, fmt.Errorf("a dropped resource has no JSON")
		}
		return slot{operation: operation, marks: marks(m)}, nil
	}
	return slot{raw, operation, marks(m)}, walked(raw, '{')
}

// walked checks that raw is one JSON value that opens like this.
func walked(raw []byte, open byte) error {
	s := &scanner{data: raw, limit: storedDepth}
	if c, at := s.peek(0); c != open || at != 0 {
		return fmt.Errorf("%.10q is not the value expected", raw)
	}
	end, err := s.value(0)
	if err == nil {
		err = s.end(end)
	}
	return err
}

func (s *State) decodeRest(raw []byte) error {
	if err := walked(raw, '{'); err != nil {
		return err
	}
	var t rest
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	if t.Next < firstSequence {
		return fmt.Errorf("sequence number %d", t.Next)
	}
	s.next, s.refreshed, s.bytes = t.Next, t.Refreshed, t.Bytes
	s.base.secrets, s.base.metadata, s.base.snippets = t.Secrets, t.Metadata, t.Snippets
	s.base.extensions, s.added = byteValues(t.Extensions), byteValues(t.Added)
	for _, o := range t.Other {
		s.base.other = append(s.base.other, member{[]byte(o.Name), o.Value})
	}
	for _, p := range t.Places {
		operation, where := p[0], place(p[1])
		if where >= place(len(s.news)) || where < -place(len(s.base.resources)) {
			return fmt.Errorf("operation %d has no place %d", operation, where)
		}
		s.places[operation] = where
	}
	for sequence := range s.held {
		if sequence <= s.next {
			return fmt.Errorf("entry %d is held although %d is next", sequence, s.next)
		}
	}
	return nil
}
