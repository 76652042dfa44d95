package api

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// document is the dialect's OpenAPI 3.1 document. It holds every row, whichever groups this process serves.
func document(d *Dialect) ([]byte, error) {
	api := newAPI(&collector{}, d.Title, d.Version, schemaNames())
	var failure *huma.Schema
	if d.ErrorShape != nil {
		failure = shapeOf(api.OpenAPI().Components.Schemas, reflect.TypeOf(d.ErrorShape))
	}
	for i := range d.Operations {
		if err := describe(api, &d.Operations[i], failure); err != nil {
			return nil, err
		}
	}
	return json.Marshal(api.OpenAPI())
}

// describe registers a row and turns huma's panics about its structs into errors.
func describe(api huma.API, op *Operation, failure *huma.Schema) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", op.Name, p)
		}
	}()
	register(api, op, failure)
	return nil
}

// schemaNames names schemas after their types, and tells types of one name apart by their package or a number.
func schemaNames() func(reflect.Type, string) string {
	taken := map[string]reflect.Type{}
	names := map[reflect.Type]string{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return huma.DefaultSchemaNamer(t, hint)
		}
		if name, ok := names[t]; ok {
			return name
		}
		name := huma.DefaultSchemaNamer(t, hint)
		if name == "" {
			name = "Object"
		}
		if taken[name] != nil && t.PkgPath() != "" {
			name += "In" + huma.DefaultSchemaNamer(reflect.TypeFor[struct{}](), path.Base(t.PkgPath()))
		}
		free := name
		for i := 2; taken[free] != nil; i++ {
			free = name + strconv.Itoa(i)
		}
		taken[free], names[t] = t, free
		return free
	}
}
