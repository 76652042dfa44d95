package policy

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func schema(properties map[string]string, required ...string) *Schema {
	s := &Schema{Properties: map[string]json.RawMessage{}, Required: required}
	for name, p := range properties {
		s.Properties[name] = json.RawMessage(p)
	}
	return s
}

func config(policy, text string) map[string]json.RawMessage {
	return map[string]json.RawMessage{policy: json.RawMessage(text)}
}

func TestASchemaRefersToNothingOutsideItself(t *testing.T) {
	for _, ref := range []string{"file:///etc/passwd", "http://127.0.0.1/x", "other.json", "#/definitions/none"} {
		_, err := schema(map[string]string{"a": `{"$ref":"` + ref + `"}`}).compile()
		require.Error(t, err, ref)
	}
	_, err := schema(map[string]string{"a": `{"$ref":"#/properties/b"}`, "b": `{"type":"string"}`}).compile()
	require.NoError(t, err)
}

func TestDefaultsCountAsGiven(t *testing.T) {
	ps := []Policy{{Name: "p", Level: Mandatory, Schema: schema(map[string]string{"a": `{"type":"integer","default":3}`, "b": `{"type":"string"}`}, "a", "b")}}
	require.NoError(t, checkConfig(ps, config("p", `{"b":"x"}`), "config"))
	require.ErrorContains(t, checkConfig(ps, config("p", `{"a":1}`), "config"), "config.p")
	require.NoError(t, checkConfig(ps, config("p", `{"enforcementLevel":"advisory"}`), "config"), "the author may have set the properties in the pack")
}

func TestWhatAnAuditGroupHandsOutStopsNothingAndAsksNothingMore(t *testing.T) {
	ps := []Policy{{Name: "m", Level: Mandatory}, {Name: "r", Level: Remediate}, {Name: "a", Level: Advisory}, {Name: "d", Level: Disabled}}
	levels := func(c map[string]json.RawMessage) map[string]Level {
		out, err := reporting(ps, c)
		require.NoError(t, err)
		got := map[string]Level{}
		for name, raw := range out {
			s, err := readSetting(raw, name)
			require.NoError(t, err)
			got[name] = s.level
		}
		return got
	}
	require.Equal(t, map[string]Level{"m": Advisory, "r": Advisory, "a": Advisory, "d": Disabled}, levels(nil))
	require.Equal(t, Disabled, levels(config("all", `{"enforcementLevel":"disabled"}`))["m"])
	require.Equal(t, Advisory, levels(config("d", `{"enforcementLevel":"mandatory"}`))["d"])
}

func TestNoConfigurationBreaksTheCheck(t *testing.T) {
	ps := []Policy{{Name: "p", Schema: schema(map[string]string{"a": `{"type":"array","items":{"type":"number"},"uniqueItems":true}`})}}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{`{"a":[1,1]}`, `{"a":[]}`, `{"a":{"b":null}}`, `null`, `[]`, `{`, ``, `{"a":1e400}`, `{"enforcementLevel":7}`, `{"a":"\u0000"}`}).Draw(t, "text")
		name := rapid.SampledFrom([]string{"p", "all", "", "q"}).Draw(t, "name")
		_ = checkConfig(ps, config(name, text), "config")
	})
}
