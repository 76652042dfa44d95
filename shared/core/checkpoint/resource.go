package checkpoint

// field is a member of a resource that replay reads or rewrites.
type field int

const (
	fieldURN field = iota
	fieldParent
	fieldProvider
	fieldDependencies
	fieldPropertyDependencies
	fieldDeletedWith
	fieldReplaceWith
	fieldViewOf
	fieldAliases
	fieldDelete
	fieldPendingReplacement
	fieldRefreshBeforeUpdate
	fieldTaint
	fieldResourceHooks
	fieldExtensionRef
	fieldSnippetID
	fields
)

var fieldNames = [fields]string{
	"urn", "parent", "provider", "dependencies", "propertyDependencies", "deletedWith", "replaceWith", "viewOf", "aliases",
	"delete", "pendingReplacement", "refreshBeforeUpdate", "taint", "resourceHooks", "extensionRef", "snippetID",
}

func fieldOf(name []byte) (field, bool) {
	switch string(name) {
	case "urn":
		return fieldURN, true
	case "parent":
		return fieldParent, true
	case "provider":
		return fieldProvider, true
	case "dependencies":
		return fieldDependencies, true
	case "propertyDependencies":
		return fieldPropertyDependencies, true
	case "deletedWith":
		return fieldDeletedWith, true
	case "replaceWith":
		return fieldReplaceWith, true
	case "viewOf":
		return fieldViewOf, true
	case "aliases":
		return fieldAliases, true
	case "delete":
		return fieldDelete, true
	case "pendingReplacement":
		return fieldPendingReplacement, true
	case "refreshBeforeUpdate":
		return fieldRefreshBeforeUpdate, true
	case "taint":
		return fieldTaint, true
	case "resourceHooks":
		return fieldResourceHooks, true
	case "extensionRef":
		return fieldExtensionRef, true
	case "snippetID":
		return fieldSnippetID, true
	}
	return 0, false
}

// resource is a raw resource with the members that replay is about. Members are raw values; nil is absent.
type resource struct {
	raw     []byte
	values  [fields][]byte
	changed uint32 // bit per field whose value differs from raw
}

// open reads a resource that has been walked before; of what is none, nothing is read.
func open(raw []byte) resource {
	r := resource{raw: raw}
	s := scanner{data: raw, limit: storedDepth}
	_, _ = s.object(0, func(name []byte, at int) (int, error) {
		end, err := s.value(at)
		if f, known := fieldOf(name); known && err == nil {
			r.values[f] = raw[at:end]
		}
		return end, err
	})
	return r
}

func (r *resource) text(f field) string { return textOf(r.values[f]) }

// set changes a member; nil removes it.
func (r *resource) set(f field, value []byte) {
	r.values[f] = value
	r.changed |= 1 << f
}

// mark sets the members that stand for marks.
func (r *resource) mark(m marks) {
	if m&deleting != 0 && !isTrue(r.values[fieldDelete]) {
		r.set(fieldDelete, []byte("true"))
	}
	if m&pendingReplacement != 0 && !isTrue(r.values[fieldPendingReplacement]) {
		r.set(fieldPendingReplacement, []byte("true"))
	}
}

// bytes is the resource's JSON: the raw one unless a member changed. Members keep their places, new ones go to the end.
func (r *resource) bytes() []byte {
	if r.changed == 0 {
		return r.raw
	}
	rest := r.changed
	all := members(r.raw)
	kept := all[:0]
	for _, m := range all {
		f, known := fieldOf(m.name)
		if known && r.changed&(1<<f) != 0 {
			if rest&(1<<f) == 0 || r.values[f] == nil {
				continue
			}
			rest &^= 1 << f
			m.value = r.values[f]
		}
		kept = append(kept, m)
	}
	for f := range fields {
		if rest&(1<<f) != 0 && r.values[f] != nil {
			kept = append(kept, member{[]byte(fieldNames[f]), r.values[f]})
		}
	}
	return joinObject(kept)
}

// features are what a resource needs that older clients cannot read, under the client's names.
func (r *resource) features(into map[string]bool) {
	if isTrue(r.values[fieldRefreshBeforeUpdate]) {
		into["refreshBeforeUpdate"] = true
	}
	if !isEmpty(r.values[fieldViewOf]) {
		into["views"] = true
	}
	if !isEmpty(r.values[fieldResourceHooks]) {
		into["hooks"] = true
	}
	if isTrue(r.values[fieldTaint]) {
		into["taint"] = true
	}
	if !isEmpty(r.values[fieldReplaceWith]) {
		into["replaceWith"] = true
	}
	if !isEmpty(r.values[fieldExtensionRef]) {
		into["extensionParameterization"] = true
	}
	if !isEmpty(r.values[fieldSnippetID]) {
		into[snippetsFeature] = true
	}
}

const (
	snippetsFeature = "snippets-prototype"
	bytesFeature    = "byteString"
)
