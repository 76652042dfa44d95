package checkpoint

import (
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// Verbatim is the body of a checkpoint that is sent as text, to be stored byte for byte.
type Verbatim struct {
	Version  int    // of the deployment's schema
	Sequence int64  // 1, 2, 3 … within the update; a repeated number is a retry
	Text     []byte // the untyped deployment exactly as sent; the base of later deltas. Points into the body
}

// Delta is the body of a checkpoint that is sent as edits to the text before it; see ApplyDelta.
type Delta struct {
	Version  int
	Sequence int64
	Hash     string // SHA-256 of the resulting text, hexadecimal
	Edits    []byte // points into the body
}

// Plain is the body of a checkpoint without sequence: the last one wins.
type Plain struct {
	Untyped
	Invalid bool // the client takes back what it sent and has nothing better
}

// Untyped is a deployment in its envelope, as it is exported, imported and sent verbatim.
type Untyped struct {
	Version    int      // of the schema: 1 to 4
	Features   []string // only meaningful from version 4
	Deployment []byte   // raw; nil if absent or null. Points into what it was decoded from
}

// DecodeVerbatim decodes the body of PATCH checkpointverbatim. Faults are Invalid and name the field.
func DecodeVerbatim(body []byte) (Verbatim, error) {
	f, err := fieldsOf(body, "body")
	if err != nil {
		return Verbatim{}, err
	}
	v := Verbatim{Text: f.raw("untypedDeployment")}
	if v.Text == nil {
		return v, fault.Wrong("body.untypedDeployment", "the body needs the deployment")
	}
	if v.Version, err = f.schema(); err != nil {
		return v, err
	}
	v.Sequence, err = f.sequence()
	return v, err
}

// DecodeDelta decodes the body of PATCH checkpointdelta. Faults are Invalid and name the field.
func DecodeDelta(body []byte) (Delta, error) {
	f, err := fieldsOf(body, "body")
	if err != nil {
		return Delta{}, err
	}
	d := Delta{Edits: f.raw("deploymentDelta"), Hash: textOf(f.raw("checkpointHash"))}
	if d.Edits == nil {
		return d, fault.Wrong(deltaField, "the body needs the edits")
	}
	if d.Hash == "" {
		return d, fault.Wrong("body.checkpointHash", "the body needs the hash of the resulting text")
	}
	if d.Version, err = f.schema(); err != nil {
		return d, err
	}
	d.Sequence, err = f.sequence()
	return d, err
}

// DecodePlain decodes the body of PATCH checkpoint. Faults are Invalid and name the field.
func DecodePlain(body []byte) (Plain, error) {
	f, err := fieldsOf(body, "body")
	if err != nil {
		return Plain{}, err
	}
	var p Plain
	if raw := f.raw("isInvalid"); raw != nil && json.Unmarshal(raw, &p.Invalid) != nil {
		return p, fault.Wrong("body.isInvalid", "isInvalid is true or false")
	}
	if p.Untyped, err = f.untyped(); err != nil {
		return p, err
	}
	if p.Deployment == nil && !p.Invalid {
		return p, fault.Wrong("body.deployment", "the body needs the deployment")
	}
	return p, nil
}

// DecodeUntyped decodes {"version", "features", "deployment"}: what an import brings and what a verbatim text contains.
// Faults are Invalid and name the field below prefix ("body", "body.untypedDeployment").
func DecodeUntyped(text []byte, prefix string) (Untyped, error) {
	f, err := fieldsOf(text, prefix)
	if err != nil {
		return Untyped{}, err
	}
	return f.untyped()
}

// EncodeUntyped puts a deployment in its envelope. Its raw JSON is not touched; nil is written as null, since the client
// cannot read an envelope without the member.
func EncodeUntyped(u Untyped) []byte {
	deployment := u.Deployment
	if deployment == nil {
		deployment = []byte("null")
	}
	head, _ := json.Marshal(struct { // numbers and texts always encode
		Version  int      `json:"version"`
		Features []string `json:"features,omitempty"`
	}{u.Version, u.Features})
	out := make([]byte, 0, len(head)+len(deployment)+16)
	out = append(append(out, head[:len(head)-1]...), `,"deployment":`...)
	return append(append(out, deployment...), '}')
}

// fieldSet holds the raw members of a body.
type fieldSet struct {
	prefix string
	values map[string][]byte
}

func fieldsOf(body []byte, prefix string) (fieldSet, error) {
	f := fieldSet{prefix, map[string][]byte{}}
	s := &scanner{data: body, limit: storedDepth}
	end, err := s.object(0, func(name []byte, at int) (int, error) {
		end, err := s.value(at)
		if err == nil {
			f.values[string(name)] = body[at:end]
		}
		return end, err
	})
	if err == nil {
		err = s.end(end)
	}
	if err != nil {
		return f, asFault(err, prefix)
	}
	return f, nil
}

// raw is a member's raw value; nil if it is absent or null.
func (f fieldSet) raw(name string) []byte {
	if value := f.values[name]; !isNull(value) {
		return value
	}
	return nil
}

// schema reads the version of the deployment's schema, which the client knows from 1 to 4.
func (f fieldSet) schema() (int, error) {
	var version int
	if json.Unmarshal(f.values["version"], &version) != nil || version < 1 || version > 4 {
		return 0, fault.Wrong(f.prefix+".version", "version is a number from 1 to 4")
	}
	return version, nil
}

func (f fieldSet) sequence() (int64, error) {
	var sequence int64
	if json.Unmarshal(f.values["sequenceNumber"], &sequence) != nil || sequence < 1 {
		return 0, fault.Wrong(f.prefix+".sequenceNumber", "sequenceNumber is a number from 1")
	}
	return sequence, nil
}

func (f fieldSet) untyped() (Untyped, error) {
	u := Untyped{Deployment: f.raw("deployment")}
	var err error
	if u.Version, err = f.schema(); err != nil {
		return u, err
	}
	if raw := f.raw("features"); raw != nil && json.Unmarshal(raw, &u.Features) != nil {
		return u, fault.Wrong(f.prefix+".features", "features is a list of texts")
	}
	return u, nil
}
