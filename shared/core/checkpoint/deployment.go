package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// Manifest writes a deployment's manifest. Its magic is derived from the version; every command of the client refuses a
// deployment in which the two do not agree. An empty version has an empty magic.
func Manifest(at time.Time, version string) []byte {
	out := append([]byte(`{"time":`), quote(at.Format(time.RFC3339Nano))...)
	out = append(append(out, `,"magic":`...), quote(magic(version))...)
	return append(append(append(out, `,"version":`...), quote(version)...), '}')
}

func magic(version string) string {
	if version == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(version))
	return hex.EncodeToString(sum[:])
}

// Empty is the deployment of a stack that was never updated. Its schema is 3.
func Empty() []byte {
	return append(append([]byte(`{"manifest":`), Manifest(time.Time{}, "")...), `,"metadata":{}}`...)
}

// CountResources counts the resources of a deployment without keeping any of it. Nothing and null have none. The fault is
// Invalid.
func CountResources(deployment []byte) (int, error) {
	count := 0
	s := &scanner{data: deployment, limit: storedDepth}
	c, at := s.peek(0)
	if at == len(deployment) || c == 'n' {
		return 0, nil
	}
	end, err := s.object(at, func(name []byte, at int) (int, error) {
		if string(name) != "resources" {
			return s.value(at)
		}
		count = 0
		return list(s, at, func([]byte) error { count++; return nil })
	})
	if err == nil {
		err = s.end(end)
	}
	if err != nil {
		return 0, asFault(err, "deployment")
	}
	return count, nil
}

// Summary is what Inspect sees.
type Summary struct {
	Resources         int
	PendingOperations int
	Version           string // the client's, from the manifest
	MagicAgrees       bool   // the manifest's magic fits its version
	SecretsProvider   string // "service", "passphrase", …; empty if none
	SecretsState      []byte // the provider's raw state, which names the stack for "service"; nil if none
}

// Inspect looks whether a deployment that was imported or sent whole has the shape that everything else relies on: an
// object with a manifest, and resources that are objects with a URN. The fault is Invalid and names the part, below field
// ("body.deployment").
func Inspect(deployment []byte, field string) (Summary, error) {
	in := inspection{scanner: &scanner{data: deployment, limit: storedDepth}, field: field}
	if !utf8.Valid(deployment) {
		return Summary{}, fault.Wrong(field, "the deployment is not UTF-8")
	}
	if c, _ := in.peek(0); c != '{' {
		return Summary{}, fault.Wrong(field, "a deployment is an object")
	}
	end, err := in.object(0, in.member)
	if err == nil {
		err = in.end(end)
	}
	if err != nil {
		return Summary{}, asFault(err, field)
	}
	if !in.manifest {
		return Summary{}, fault.Wrong(field+".manifest", "a deployment has a manifest")
	}
	return in.summary, nil
}

// InspectUntyped is Inspect of the deployment in an envelope, in one walk over the text: what a client saves whole again and again.
func InspectUntyped(text []byte, field string) (Summary, error) {
	in := inspection{scanner: &scanner{data: text, limit: storedDepth}, field: field + ".deployment"}
	versioned := false
	end, err := in.object(0, func(name []byte, at int) (int, error) {
		switch string(name) {
		case "deployment":
			if c, _ := in.peek(at); c != '{' {
				return at, fault.Wrong(in.field, "a deployment is an object")
			}
			in.summary, in.manifest = Summary{}, false
			return in.object(at, in.member)
		case "version":
			end, err := in.value(at)
			version := string(text[at:max(at, end)])
			versioned = err == nil && len(version) == 1 && version >= "1" && version <= "4"
			return end, err
		}
		return in.value(at)
	})
	if err == nil {
		err = in.end(end)
	}
	switch {
	case err != nil:
		return Summary{}, asFault(err, field)
	case !versioned:
		return Summary{}, fault.Wrong(field+".version", "version is a number from 1 to 4")
	case !in.manifest:
		return Summary{}, fault.Wrong(in.field+".manifest", "a deployment has a manifest")
	}
	return in.summary, nil
}

type inspection struct {
	*scanner
	field    string
	summary  Summary
	manifest bool
}

func (in *inspection) member(name []byte, at int) (int, error) {
	switch string(name) {
	case "resources":
		in.summary.Resources = 0
		return in.objects("resources", at, &in.summary.Resources, named, "a resource is an object with a URN")
	case "pending_operations", "pendingOperations":
		in.summary.PendingOperations = 0
		return in.objects("pending_operations", at, &in.summary.PendingOperations,
			func(raw []byte) bool { return named(operationResource(raw)) }, "a pending operation has a resource with a URN")
	}
	end, err := in.value(at)
	if err != nil {
		return end, err
	}
	raw := in.data[at:end]
	switch string(name) {
	case "manifest":
		if raw[0] != '{' {
			return end, fault.Wrong(in.field+".manifest", "a manifest is an object")
		}
		in.manifest = true
		in.summary.Version = textOf(memberOf(raw, "version"))
		in.summary.MagicAgrees = textOf(memberOf(raw, "magic")) == magic(in.summary.Version)
	case "secrets_providers":
		if isNull(raw) {
			break
		}
		if raw[0] != '{' {
			return end, fault.Wrong(in.field+".secrets_providers", "a secrets provider is an object")
		}
		in.summary.SecretsProvider = textOf(memberOf(raw, "type"))
		in.summary.SecretsState = memberOf(raw, "state")
	}
	return end, nil
}

func (in *inspection) objects(name string, at int, count *int, good func([]byte) bool, complaint string) (int, error) {
	if c, at := in.peek(at); c != '[' && c != 'n' {
		return at, fault.Wrong(in.field+"."+name, "%s is a list", name)
	}
	return list(in.scanner, at, func(raw []byte) error {
		if !good(raw) {
			return fault.Wrong(fmt.Sprintf("%s.%s[%d]", in.field, name, *count), "%s", complaint)
		}
		*count++
		return nil
	})
}
