package api

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// Check tells everything that is wrong with the tables of these dialects, or returns nil: rows that cannot be told apart, rows
// without permission, audit, group or name, patterns that cannot be read, path parameters that the input does not have (and the
// other way round), inputs and outputs that huma refuses. It costs about a fifth of a millisecond a row.
func Check(ds ...Dialect) error {
	var errs []error
	names := map[string]bool{}
	for i := range ds {
		d := &ds[i]
		if d.Name == "" || strings.ContainsFunc(d.Name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			errs = append(errs, fmt.Errorf("dialect %q: a name is lower-case letters and digits", d.Name))
		}
		if names[d.Name] {
			errs = append(errs, fmt.Errorf("two dialects are named %q", d.Name))
		}
		names[d.Name] = true
		if d.Root != "" && (!strings.HasPrefix(d.Root, "/") || strings.HasSuffix(d.Root, "/")) {
			errs = append(errs, fmt.Errorf("dialect %s: root %q does not begin with a slash, or ends with one", d.Name, d.Root))
		}
		for _, err := range checkTable(d) {
			errs = append(errs, fmt.Errorf("dialect %s: %w", d.Name, err))
		}
	}
	return errors.Join(errs...)
}

func checkTable(d *Dialect) []error {
	var errs []error
	shapes, names := map[string]string{}, map[string]bool{}
	api := newAPI(&collector{}, d.Title, d.Version, schemaNames())
	for i := range d.Operations {
		op := &d.Operations[i]
		at := strings.TrimSpace(op.Method + " " + op.Path)
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s (%s): %s", at, op.Name, fmt.Sprintf(format, args...)))
		}
		switch {
		case op.Name == "":
			wrong("no name")
		case names[op.Name]:
			wrong("another row has this name")
		}
		names[op.Name] = true
		for _, complaint := range checkRow(op) {
			wrong("%s", complaint)
		}
		segs, err := parsePath(op.Path)
		if err != nil {
			wrong("%v", err)
			continue
		}
		key := op.Method + " " + shape(segs)
		if other, taken := shapes[key]; taken {
			wrong("the same method and shape as %s", other)
		}
		shapes[key] = op.Name
		for _, complaint := range checkInput(op, segs) {
			wrong("%s", complaint)
		}
		if op.register == nil {
			wrong("not made by Op")
			continue
		}
		if err := describe(api, op, nil); err != nil {
			wrong("huma: %v", err)
		}
	}
	return errs
}

func checkRow(op *Operation) (complaints []string) {
	add := func(wrong bool, complaint string) {
		if wrong {
			complaints = append(complaints, complaint)
		}
	}
	add(!slices.Contains(methods, op.Method) && op.Method != "OPTIONS", "unknown method")
	add(op.Group == "", "no group")
	add(op.Need == permission.Need{}, "no permission")
	add(op.Need.Public != "" && (op.Need.Verb != "" || op.Need.Self || op.Need.Lease), "both public and not")
	add(op.Trace == audit.Trace{}, "no audit trace")
	add(op.Status != 0 && (op.Status < 200 || op.Status > 399), "its status is not one of success")
	add(op.BodyCap < 0, "negative body cap")
	add(op.Method == "GET" && (op.takesJSON() || rawBodyField(op.in) != nil), "a GET has no body")
	return complaints
}

// checkInput compares the path's parameters with the input's fields, and looks for optional fields that count as required.
func checkInput(op *Operation, segs []segment) (complaints []string) {
	want, have := params(segs), pathTags(op.in)
	for _, name := range want {
		if !slices.Contains(have, name) {
			complaints = append(complaints, fmt.Sprintf("path parameter %q has no field in the input", name))
		}
	}
	for _, name := range have {
		if !slices.Contains(want, name) {
			complaints = append(complaints, fmt.Sprintf("the input's path parameter %q is not in the path", name))
		}
	}
	for _, name := range hiddenFields(op.in) {
		complaints = append(complaints, fmt.Sprintf("field %s is in an embedded struct that is not exported, so huma does not see it", name))
	}
	if f, ok := field(op.in, "Body"); ok {
		for _, name := range optsWithoutOmitzero(f.Type, map[reflect.Type]bool{}) {
			complaints = append(complaints, fmt.Sprintf("field %s is an Opt without omitzero, so it may not be absent", name))
		}
	}
	return complaints
}

// pathTags are the path parameters of an input, those of embedded structs included.
func pathTags(t reflect.Type) []string {
	var names []string
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("path"); name != "" && !f.Anonymous {
			names = append(names, name)
		}
	}
	return names
}

// hiddenFields are those of embedded structs whose type is not exported. huma leaves them empty without a word.
func hiddenFields(t reflect.Type) (names []string) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.Anonymous || f.Type.Kind() != reflect.Struct {
			continue
		}
		if f.IsExported() {
			names = append(names, hiddenFields(f.Type)...)
			continue
		}
		for _, inner := range reflect.VisibleFields(f.Type) {
			names = append(names, f.Name+"."+inner.Name)
		}
	}
	return names
}

func optsWithoutOmitzero(t reflect.Type, seen map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return nil
	}
	seen[t] = true
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if o, ok := reflect.New(f.Type).Interface().(interface{ of() reflect.Type }); ok && f.IsExported() {
			if tag := f.Tag.Get("json"); tag != "-" && !strings.Contains(tag, ",omitzero") {
				names = append(names, t.Name()+"."+f.Name)
			}
			names = append(names, optsWithoutOmitzero(o.of(), seen)...)
			continue
		}
		names = append(names, optsWithoutOmitzero(f.Type, seen)...)
	}
	return names
}
