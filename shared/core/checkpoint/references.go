package checkpoint

// prune removes references to resources that are not there (any more), which a refresh leaves behind. Like the client, it
// lets dependencies point backwards only, and a parent anywhere.
func prune(resources []resource) {
	before := make(map[string]bool, len(resources))
	for i := range resources {
		r := &resources[i]
		exists := func(raw []byte) bool { return before[textOf(raw)] }
		r.filter(fieldDependencies, exists)
		r.filter(fieldReplaceWith, exists)
		r.filterProperties(exists)
		if !isEmpty(r.values[fieldDeletedWith]) && !exists(r.values[fieldDeletedWith]) {
			r.set(fieldDeletedWith, nil)
		}
		before[r.text(fieldURN)] = true
	}
	for i := range resources {
		r := &resources[i]
		if !isEmpty(r.values[fieldParent]) && !before[r.text(fieldParent)] {
			r.set(fieldParent, nil)
		}
	}
}

// filter keeps the elements of a list that are good. A list that loses its last element is removed.
func (r *resource) filter(f field, good func([]byte) bool) {
	if isEmpty(r.values[f]) {
		return
	}
	if kept, lost := filterList(r.values[f], good); lost {
		r.set(f, kept)
	}
}

// filterList returns nil when nothing is left.
func filterList(raw []byte, good func([]byte) bool) (kept []byte, lost bool) {
	all := elements(raw)
	list := make([][]byte, 0, len(all))
	for _, element := range all {
		if good(element) {
			list = append(list, element)
		}
	}
	if len(list) == len(all) {
		return raw, false
	}
	if len(list) == 0 {
		return nil, true
	}
	return joinArray(list), true
}

// filterProperties does the same for the lists per property. A property without a list to its name is removed, even if it
// had none before.
func (r *resource) filterProperties(good func([]byte) bool) {
	if isEmpty(r.values[fieldPropertyDependencies]) {
		return
	}
	all := members(r.values[fieldPropertyDependencies])
	list := make([]member, 0, len(all))
	changed := false
	for _, m := range all {
		if isEmpty(m.value) {
			changed = true
			continue
		}
		kept, lost := filterList(m.value, good)
		changed = changed || lost
		if kept != nil {
			list = append(list, member{m.name, kept})
		}
	}
	switch {
	case !changed:
	case len(list) == 0:
		r.set(fieldPropertyDependencies, nil)
	default:
		r.set(fieldPropertyDependencies, joinObject(list))
	}
}
