package checkpoint

import (
	"strings"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// resolveAliases makes every reference name the resource by its present URN, and forgets the aliases: they are only there
// to tell the client of the running update what was renamed.
func (m *merged) resolveAliases() error {
	if !m.hasAliases() {
		return nil
	}
	present, err := m.presentURNs()
	if err != nil {
		return err
	}
	fix := func(raw []byte) []byte {
		if urn, renamed := present[textOf(raw)]; renamed {
			return quote(urn)
		}
		return raw
	}
	for i := range m.resources {
		r := &m.resources[i]
		for _, f := range []field{fieldURN, fieldParent, fieldDeletedWith, fieldViewOf} {
			if _, renamed := present[r.text(f)]; renamed && !isEmpty(r.values[f]) {
				r.set(f, fix(r.values[f]))
			}
		}
		if urn, id, ok := splitProvider(r.text(fieldProvider)); ok {
			if to, renamed := present[urn]; renamed {
				r.set(fieldProvider, quote(to+delimiter+id))
			}
		}
		if list, changed := fixList(r.values[fieldDependencies], fix); changed {
			r.set(fieldDependencies, list)
		}
		r.fixProperties(fix)
		if r.values[fieldAliases] != nil {
			r.set(fieldAliases, nil)
		}
	}
	m.fixSnippets(fix)
	return nil
}

func (m *merged) hasAliases() bool {
	for i := range m.resources {
		if !isEmpty(m.resources[i].values[fieldAliases]) {
			return true
		}
	}
	return false
}

// presentURNs maps every alias to the URN that has it. A child of a renamed parent is renamed with it, because a URN
// contains the parent's type.
func (m *merged) presentURNs() (map[string]string, error) {
	present := map[string]string{}
	for i := range m.resources {
		r := &m.resources[i]
		urn := r.text(fieldURN)
		for _, raw := range elements(r.values[fieldAliases]) {
			alias := textOf(raw)
			if other, taken := present[alias]; taken && other != urn {
				return nil, fault.New(fault.Conflict, "two resources have the same alias %q: %q and %q", alias, other, urn)
			}
			present[alias] = urn
		}
		parent, renamed := present[r.text(fieldParent)]
		if renamed && parent != "" && qualifiedType(parent) != rootType {
			present[urn] = reparented(urn, parent)
		}
	}
	return present, nil
}

func fixList(raw []byte, fix func([]byte) []byte) (fixed []byte, changed bool) {
	if isEmpty(raw) {
		return raw, false
	}
	list := elements(raw)
	for i := range list {
		to := fix(list[i])
		changed = changed || string(to) != string(list[i])
		list[i] = to
	}
	if !changed {
		return raw, false
	}
	return joinArray(list), true
}

func (r *resource) fixProperties(fix func([]byte) []byte) {
	all := members(r.values[fieldPropertyDependencies])
	changed := false
	for i := range all {
		list, lost := fixList(all[i].value, fix)
		all[i].value = list
		changed = changed || lost
	}
	if changed {
		r.set(fieldPropertyDependencies, joinObject(all))
	}
}

// fixSnippets rewrites the URNs in every snippet's "references".
func (m *merged) fixSnippets(fix func([]byte) []byte) {
	snippets := elements(m.snippets)
	changed := false
	for i := range snippets {
		parts := members(snippets[i])
		for j := range parts {
			if string(parts[j].name) != "references" {
				continue
			}
			references := members(parts[j].value)
			for k := range references {
				to := fix(references[k].value)
				changed = changed || string(to) != string(references[k].value)
				references[k].value = to
			}
			if len(references) > 0 {
				parts[j].value = joinObject(references)
			}
		}
		if len(parts) > 0 {
			snippets[i] = joinObject(parts)
		}
	}
	if changed {
		m.snippets = joinArray(snippets)
	}
}

// A URN is urn:pulumi:stack::project::parentType$type::name; a name may contain the delimiter.
const (
	urnPrefix     = "urn:pulumi:"
	delimiter     = "::"
	typeDelimiter = "$"
	rootType      = "pulumi:pulumi:Stack"
)

// splitURN returns the four parts of a URN.
func splitURN(urn string) (stack, project, types, name string, ok bool) {
	rest, ok := strings.CutPrefix(urn, urnPrefix)
	parts := strings.SplitN(rest, delimiter, 4)
	if !ok || len(parts) != 4 {
		return "", "", "", "", false
	}
	return parts[0], parts[1], parts[2], parts[3], true
}

func qualifiedType(urn string) string {
	_, _, types, _, _ := splitURN(urn)
	return types
}

// reparented is the URN of a resource whose parent got another one.
func reparented(urn, parent string) string {
	stack, project, types, name, ok := splitURN(urn)
	above := qualifiedType(parent)
	if !ok || above == "" {
		return urn
	}
	types = above + typeDelimiter + types[strings.LastIndex(types, typeDelimiter)+1:]
	return urnPrefix + stack + delimiter + project + delimiter + types + delimiter + name
}

// splitProvider splits a reference to a provider into URN and id.
func splitProvider(reference string) (urn, id string, ok bool) {
	at := strings.LastIndex(reference, delimiter)
	if at < 0 {
		return "", "", false
	}
	return reference[:at], reference[at+len(delimiter):], true
}
