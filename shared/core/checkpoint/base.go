package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// slot is a place in one of the two lists of resources.
type slot struct {
	raw       []byte
	operation int64 // new resources: the operation that produced it
	marks     marks
}

type marks uint8

const (
	gone               marks = 1 << iota // dropped; raw is nil
	deleting                             // "delete" will be true
	pendingReplacement                   // "pendingReplacement" will be true
	replaced                             // old resources: raw is newer than the base, and later marks do not touch it
	allMarks           = gone | deleting | pendingReplacement | replaced
)

// base is a deployment taken apart. The manifest is not kept: every materialization writes its own.
type base struct {
	resources  []slot
	creating   [][]byte // pending operations of the base that only a person can resolve; all others are dropped
	secrets    []byte
	metadata   []byte
	snippets   []byte
	extensions map[string][]byte
	other      []member // members that this version does not know
}

// parseBase takes a deployment apart. The parts point into raw. Nothing and null are a deployment without resources.
func parseBase(raw []byte) (base, error) {
	b := base{extensions: map[string][]byte{}}
	s := &scanner{data: raw, limit: storedDepth}
	c, at := s.peek(0)
	if at == len(raw) {
		return b, nil
	}
	if c == 'n' {
		end, err := s.value(at)
		if err == nil {
			err = s.end(end)
		}
		return b, err
	}
	end, err := s.object(at, func(name []byte, at int) (int, error) { return b.member(s, name, at) })
	if err == nil {
		err = s.end(end)
	}
	return b, err
}

func (b *base) member(s *scanner, name []byte, at int) (int, error) {
	switch string(name) {
	case "resources":
		b.resources = nil
		return list(s, at, func(raw []byte) error {
			if !named(raw) {
				return fmt.Errorf("resource %d is no object with a URN", len(b.resources))
			}
			b.resources = append(b.resources, slot{raw: oneLine(raw)})
			return nil
		})
	case "pending_operations", "pendingOperations": // the client's delta form spells it the second way
		b.creating = nil
		return list(s, at, func(raw []byte) error {
			if raw[0] != '{' {
				return fmt.Errorf("a pending operation is no object")
			}
			if operationType(raw) == "creating" {
				b.creating = append(b.creating, oneLine(raw))
			}
			return nil
		})
	}
	end, err := s.value(at)
	if err != nil {
		return end, err
	}
	value := s.data[at:end]
	switch string(name) {
	case "manifest":
	case "secrets_providers":
		b.secrets = present(value)
	case "metadata":
		b.metadata = present(value)
	case "snippets":
		b.snippets = present(value)
	case "extensions":
		b.extensions = map[string][]byte{}
		for _, m := range members(value) {
			b.extensions[string(m.name)] = compact(m.value)
		}
	default:
		b.other = append(b.other, member{name, compact(value)})
	}
	return end, nil
}

func present(raw []byte) []byte {
	if isNull(raw) {
		return nil
	}
	return compact(raw)
}

// list calls visit with every raw element of an array; null is an empty one.
func list(s *scanner, at int, visit func(raw []byte) error) (int, error) {
	if c, _ := s.peek(at); c == 'n' {
		return s.value(at)
	}
	return s.array(at, func(at int) (int, error) {
		end, err := s.value(at)
		if err == nil {
			err = visit(s.data[at:end])
		}
		return end, err
	})
}

// named reports whether raw, which has been walked, is an object with a URN. It looks no further than the URN, which clients write first.
func named(raw []byte) bool {
	found := false
	s := scanner{data: raw, limit: storedDepth}
	_, _ = s.object(0, func(name []byte, at int) (int, error) {
		end, err := s.value(at)
		if err == nil && string(name) == "urn" {
			found = end-at > 2 && raw[at] == '"'
			err = errEnough
		}
		return end, err
	})
	return found
}

// errEnough ends a walk that has seen what it looked for.
var errEnough = errors.New("seen enough")

func operationType(raw []byte) string { return textOf(memberOf(raw, "type")) }

func operationResource(raw []byte) []byte { return memberOf(raw, "resource") }

// sortedKeys lists the keys of a map in order, so that the same state always reads the same.
func sortedKeys[K int64 | string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
