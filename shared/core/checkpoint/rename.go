package checkpoint

// Place names a stack as its own state does.
type Place struct{ Organization, Project, Stack string }

// Move rewrites a deployment for a stack that got another name: every URN of the old project and stack, wherever a resource or a
// pending operation refers by URN, the name of the root resource, and the place in the state of the service's secrets provider.
// Everything else stays as it is. The fault is Invalid.
func Move(deployment []byte, from, to Place) ([]byte, error) {
	f, err := fieldsOf(deployment, "deployment")
	if err != nil {
		return nil, err
	}
	all := members(deployment)
	for i := range all {
		switch string(all[i].name) {
		case "resources":
			all[i].value = moveList(f.raw("resources"), from, to)
		case "pending_operations", "pendingOperations":
			all[i].value = moveOperations(f.raw(string(all[i].name)), from, to)
		case "secrets_providers":
			all[i].value = moveSecrets(all[i].value, to)
		}
	}
	return joinObject(all), nil
}

// MoveText is Move of the deployment in an untyped text; what stands around it stays byte for byte.
func MoveText(text []byte, from, to Place) ([]byte, error) {
	start, end, ok := find(text, "deployment")
	if !ok || isNull(text[start:end]) {
		return text, nil
	}
	moved, err := Move(text[start:end], from, to)
	return splice(text, start, end, moved), err
}

// MoveSecrets rewrites only the place in the state of the service's secrets provider, for a stack that belongs to another organization
// now. Everything else stays byte for byte; it returns the deployment itself when there is nothing to rewrite.
func MoveSecrets(deployment []byte, to Place) []byte {
	start, end, ok := find(deployment, "secrets_providers")
	if !ok {
		return deployment
	}
	secrets := deployment[start:end]
	if moved := moveSecrets(secrets, to); string(moved) != string(secrets) {
		return splice(deployment, start, end, moved)
	}
	return deployment
}

// MoveSecretsText is MoveSecrets of the deployment in an untyped text.
func MoveSecretsText(text []byte, to Place) []byte {
	start, end, ok := find(text, "deployment")
	if !ok {
		return text
	}
	deployment := text[start:end]
	if moved := MoveSecrets(deployment, to); string(moved) != string(deployment) {
		return splice(text, start, end, moved)
	}
	return text
}

// find returns where the value of an object's member stands, the last one's where a name is repeated, as decoders take it.
func find(raw []byte, name string) (start, end int, ok bool) {
	s := &scanner{data: raw, limit: storedDepth}
	_, err := s.object(0, func(called []byte, at int) (int, error) {
		after, err := s.value(at)
		if string(called) == name {
			start, end, ok = at, after, true
		}
		return after, err
	})
	return start, end, ok && err == nil
}

// splice returns a copy of raw with other bytes from start to end.
func splice(raw []byte, start, end int, with []byte) []byte {
	out := make([]byte, 0, len(raw)-(end-start)+len(with))
	return append(append(append(out, raw[:start]...), with...), raw[end:]...)
}

func moveList(raw []byte, from, to Place) []byte {
	if isNull(raw) {
		return []byte("null")
	}
	list := elements(raw)
	for i := range list {
		list[i] = moveResource(list[i], from, to)
	}
	return joinArray(list)
}

func moveOperations(raw []byte, from, to Place) []byte {
	if isNull(raw) {
		return []byte("null")
	}
	list := elements(raw)
	for i := range list {
		parts := members(list[i])
		for j := range parts {
			if string(parts[j].name) == "resource" {
				parts[j].value = moveResource(parts[j].value, from, to)
			}
		}
		list[i] = joinObject(parts)
	}
	return joinArray(list)
}

func moveResource(raw []byte, from, to Place) []byte {
	r := open(raw)
	fix := func(raw []byte) []byte {
		if urn := moveURN(textOf(raw), from, to); urn != textOf(raw) {
			return quote(urn)
		}
		return raw
	}
	for _, f := range []field{fieldURN, fieldParent, fieldDeletedWith, fieldViewOf} {
		if moved := fix(r.values[f]); string(moved) != string(r.values[f]) {
			r.set(f, moved)
		}
	}
	if urn, id, ok := splitProvider(r.text(fieldProvider)); ok {
		if moved := moveURN(urn, from, to); moved != urn {
			r.set(fieldProvider, quote(moved+delimiter+id))
		}
	}
	for _, f := range []field{fieldDependencies, fieldReplaceWith, fieldAliases} {
		if moved, changed := fixList(r.values[f], fix); changed {
			r.set(f, moved)
		}
	}
	r.fixProperties(fix)
	return r.bytes()
}

func moveURN(urn string, from, to Place) string {
	stack, project, types, name, ok := splitURN(urn)
	if !ok || stack != from.Stack || project != from.Project {
		return urn
	}
	if types == rootType && name == from.Project+"-"+from.Stack {
		name = to.Project + "-" + to.Stack
	}
	return urnPrefix + to.Stack + delimiter + to.Project + delimiter + types + delimiter + name
}

// moveSecrets rewrites the state of a provider of type "service".
func moveSecrets(raw []byte, to Place) []byte {
	if isNull(raw) || textOf(memberOf(raw, "type")) != "service" {
		return raw
	}
	provider := members(raw)
	for i := range provider {
		if string(provider[i].name) != "state" || isNull(provider[i].value) {
			continue
		}
		state := members(provider[i].value)
		changed := false
		for j := range state {
			var name string
			switch string(state[j].name) {
			case "owner":
				name = to.Organization
			case "project":
				name = to.Project
			case "stack":
				name = to.Stack
			default:
				continue
			}
			if textOf(state[j].value) != name {
				state[j].value = quote(name)
				changed = true
			}
		}
		if !changed {
			return raw
		}
		provider[i].value = joinObject(state)
	}
	return joinObject(provider)
}
