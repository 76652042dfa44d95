package checkpoint

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
)

// merged is what the replayed lists amount to.
type merged struct {
	resources  []resource
	pending    [][]byte
	secrets    []byte
	metadata   []byte
	snippets   []byte
	extensions map[string][]byte
	other      []member
	features   map[string]bool
}

// merge puts the two lists together: new resources first, in the order in which they succeeded, then what is left of the
// base. Each list is in the order of its dependencies, and a new resource never depends on an old one that is left,
// because the client visits a resource's dependencies before the resource.
func (s *State) merge() (merged, error) {
	m := merged{
		secrets: s.base.secrets, metadata: s.base.metadata, snippets: s.base.snippets, other: s.base.other,
		extensions: maps.Clone(s.added), features: map[string]bool{},
		resources: make([]resource, 0, len(s.news)+len(s.base.resources)),
	}
	maps.Copy(m.extensions, s.base.extensions)
	m.add(s.news)
	m.add(s.base.resources)
	m.pending = s.pending()
	for _, raw := range m.pending {
		r := open(operationResource(raw))
		r.features(m.features)
	}
	if s.bytes && len(m.resources)+len(m.pending) > 0 {
		m.features[bytesFeature] = true
	}
	if !isEmpty(m.snippets) {
		m.features[snippetsFeature] = true
	}
	if s.refreshed {
		prune(m.resources)
	}
	return m, m.resolveAliases()
}

func (m *merged) add(slots []slot) {
	for i := range slots {
		if slots[i].marks&gone != 0 {
			continue
		}
		r := open(slots[i].raw)
		r.mark(slots[i].marks)
		r.features(m.features)
		m.resources = append(m.resources, r)
	}
}

// pending lists the operations that began and did not end, oldest first, then the creations that were pending in the base.
func (s *State) pending() [][]byte {
	running := slices.SortedFunc(maps.Values(s.running), func(a, b begun) int { return cmp.Compare(a.sequence, b.sequence) })
	list := make([][]byte, 0, len(running)+len(s.base.creating))
	for _, op := range running {
		list = append(list, op.raw)
	}
	return append(list, s.base.creating...)
}

// base makes the merged lists a base.
func (m *merged) base() base {
	b := base{
		secrets: m.secrets, metadata: m.metadata, snippets: m.snippets, extensions: m.extensions, other: m.other,
		resources: make([]slot, len(m.resources)),
	}
	for i := range m.resources {
		b.resources[i].raw = m.resources[i].bytes()
	}
	for _, raw := range m.pending {
		if operationType(raw) == "creating" {
			b.creating = append(b.creating, raw)
		}
	}
	return b
}

func (m *merged) snapshot(manifest []byte) Snapshot {
	snapshot := Snapshot{Schema: 3, Resources: len(m.resources)}
	if len(m.features) > 0 {
		snapshot.Schema, snapshot.Features = 4, sortedKeys(m.features)
	}
	size := 1024
	for i := range m.resources {
		size += len(m.resources[i].raw) + 64
	}
	var out bytes.Buffer
	out.Grow(size)
	out.WriteString(`{"manifest":`)
	out.Write(manifest)
	write := func(name string, value []byte) {
		if value != nil {
			out.WriteString(`,"` + name + `":`)
			out.Write(value)
		}
	}
	write("secrets_providers", m.secrets)
	if len(m.resources) > 0 {
		out.WriteString(`,"resources":[`)
		for i := range m.resources {
			if i > 0 {
				out.WriteByte(',')
			}
			out.Write(m.resources[i].bytes())
		}
		out.WriteByte(']')
	}
	if len(m.pending) > 0 {
		write("pending_operations", joinArray(m.pending))
	}
	if m.metadata == nil {
		m.metadata = []byte("{}")
	}
	write("metadata", m.metadata)
	if !isEmpty(m.snippets) {
		write("snippets", m.snippets)
	}
	if len(m.extensions) > 0 {
		var list []member
		for _, ref := range sortedKeys(m.extensions) {
			list = append(list, member{[]byte(ref), m.extensions[ref]})
		}
		write("extensions", joinObject(list))
	}
	for _, o := range m.other {
		out.WriteByte(',')
		out.Write(quote(string(o.name)))
		out.WriteByte(':')
		out.Write(o.value)
	}
	out.WriteByte('}')
	snapshot.Deployment = out.Bytes()
	return snapshot
}
