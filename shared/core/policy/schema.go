package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// levelProperty stands beside a policy's own properties in a configuration and sets its level.
const levelProperty = "enforcementLevel"

// allPolicies is the name under which a configuration sets the level of every policy of a pack.
const allPolicies = "all"

// printer writes what a validator found, in English.
var printer = message.NewPrinter(language.English)

// nothingElse keeps schemas from referring to files and addresses.
type nothingElse struct{}

func (nothingElse) Load(string) (any, error) {
	return nil, errors.New("a schema may refer to itself only")
}

// compile makes a validator of a policy's schema, in the draft that policy packs are written in.
func (s Schema) compile() (*jsonschema.Schema, error) {
	whole := map[string]any{"type": "object"}
	if len(s.Properties) > 0 {
		whole["properties"] = s.Properties
	}
	if len(s.Required) > 0 {
		whole["required"] = s.Required
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	const at = "policy:///schema"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(nothingElse{})
	if err := c.AddResource(at, doc); err != nil {
		return nil, err
	}
	return c.Compile(at)
}

// withDefaults are properties with the schema's defaults for those that are not given: so a client fills them in, too.
func (s Schema) withDefaults(given map[string]json.RawMessage) map[string]json.RawMessage {
	out := maps.Clone(given)
	for name, p := range s.Properties {
		var of struct {
			Default json.RawMessage `json:"default"`
		}
		if _, ok := out[name]; !ok && json.Unmarshal(p, &of) == nil && of.Default != nil {
			out[name] = of.Default
		}
	}
	return out
}

// setting is a policy's part of a configuration.
type setting struct {
	level      Level // empty: not set
	properties map[string]json.RawMessage
}

func readSetting(raw json.RawMessage, field string) (setting, error) {
	var s setting
	if err := json.Unmarshal(raw, &s.properties); err != nil || s.properties == nil {
		return s, fault.Wrong(field, "%s must be an object of the policy's properties", field)
	}
	if text, ok := s.properties[levelProperty]; ok {
		if json.Unmarshal(text, &s.level) != nil || !s.level.Known() {
			return s, fault.Wrong(field, "%s.%s must be %q, %q, %q or %q", field, levelProperty, Advisory, Mandatory, Remediate, Disabled)
		}
		delete(s.properties, levelProperty)
	}
	return s, nil
}

// checkConfig returns the fault of a configuration that does not fit the policies of a pack, or nil. A policy that no properties are set
// for is not checked against its schema: its author may have set them in the pack itself.
func checkConfig(policies []Policy, config map[string]json.RawMessage, field string) error {
	for _, name := range slices.Sorted(maps.Keys(config)) {
		at := field + "." + name
		s, err := readSetting(config[name], at)
		if err != nil {
			return err
		}
		if name == allPolicies {
			if len(s.properties) > 0 {
				return fault.Wrong(at, "%s sets the level of every policy and takes no other property", at)
			}
			continue
		}
		i := slices.IndexFunc(policies, func(p Policy) bool { return p.Name == name })
		if i < 0 {
			return fault.Wrong(at, "the policy pack has no policy %q", name)
		}
		if len(s.properties) == 0 {
			continue
		}
		if policies[i].Schema == nil {
			return fault.Wrong(at, "the policy %q takes no configuration but its level", name)
		}
		if err := policies[i].Schema.check(s.properties, at); err != nil {
			return err
		}
	}
	return nil
}

func (s Schema) check(properties map[string]json.RawMessage, field string) error {
	v, err := s.compile()
	if err != nil {
		return fmt.Errorf("a schema that was accepted when it was published: %w", err)
	}
	text, err := json.Marshal(s.withDefaults(properties))
	if err != nil {
		return fault.Wrong(field, "%s is not JSON", field).Because(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fault.Wrong(field, "%s is not JSON", field).Because(err)
	}
	var wrong *jsonschema.ValidationError
	switch err := v.Validate(doc); {
	case errors.As(err, &wrong):
		place, what := innermost(wrong)
		return fault.Wrong(field, "%s%s does not fit the policy's schema: %s", field, place, what)
	case err != nil:
		return fmt.Errorf("validating %s: %w", field, err)
	}
	return nil
}

// innermost is the place and the sentence of the first of the causes that have no causes themselves.
func innermost(e *jsonschema.ValidationError) (place, what string) {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	for _, s := range e.InstanceLocation {
		place += "." + s
	}
	return place, e.ErrorKind.LocalizedString(printer)
}

// reporting is a configuration under which the policies of a pack report as given and stop nothing: what an audit group hands out.
func reporting(policies []Policy, config map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	every, err := levelOf(config[allPolicies])
	if err != nil {
		return nil, err
	}
	out := make(map[string]json.RawMessage, len(policies))
	for _, p := range policies {
		properties := map[string]json.RawMessage{}
		level := p.Level
		if every != "" {
			level = every
		}
		if raw := config[p.Name]; raw != nil {
			s, err := readSetting(raw, p.Name)
			if err != nil {
				return nil, err
			}
			if s.level != "" {
				level = s.level
			}
			properties = s.properties
		}
		if level == Mandatory || level == Remediate {
			level = Advisory
		}
		text, err := json.Marshal(level)
		if err != nil {
			return nil, err
		}
		properties[levelProperty] = text
		if out[p.Name], err = json.Marshal(properties); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func levelOf(raw json.RawMessage) (Level, error) {
	if raw == nil {
		return "", nil
	}
	s, err := readSetting(raw, allPolicies)
	return s.level, err
}
