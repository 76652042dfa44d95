package pulumi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/migrate/pulumi"
)

// One passphrase and its salts serve all tests.
const phraseText = "correct horse"

var (
	salts  = []*salt{newSalt(phraseText), newSalt(phraseText)}
	phrase = pulumi.NewPassphrase(phraseText)
	wrong  = pulumi.NewPassphrase("wrong")
)

func TestMain(m *testing.M) {
	status := 0
	pulumi.WithRounds(testRounds, func() { status = m.Run() })
	os.Exit(status)
}

func TestWhatTheClientItselfSealedIsOpened(t *testing.T) {
	root := t.TempDir()
	state := `{"version":3,"checkpoint":{"stack":"organization/proj/dev","latest":{"manifest":{"time":"2026-01-01T00:00:00Z","magic":"","version":""},` +
		`"secrets_providers":{"type":"passphrase","state":{"salt":"v1:Tw/7Uomx/eE=:v1:CopTNza/qApaiCIN:nWNhMfUi0Eb36ZY8aO3Ah5UbcfJ3nA=="}},"resources":[{"urn":"urn:pulumi:dev::proj::a:b:C::r","type":"a:b:C",` +
		`"outputs":{"password":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"v1:kFZprILEp9s9q8GT:OCr0HA0hkaj9cX9pWnbxh/YJIZ9RgBscsw=="}}}]}}}`
	name := filepath.Join(root, ".pulumi/stacks/proj/dev.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
	require.NoError(t, os.WriteFile(name, []byte(state), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, ".pulumi/meta.yaml"), []byte("version: 1\n"), 0o600))
	p := openPlane(t)
	pulumi.WithRounds(1_000_000, func() {
		out := p.run(p.options(pulumi.Directory(root), pulumi.NewPassphrase("correct-horse")))["proj/dev"]
		require.Equal(t, pulumi.Imported, out.Result, out.Why)
	})
	d := p.stack("proj", "dev").Value
	plain := plainly(decoded(t, p.export(d, 0)), p.opener(d)).(map[string]any)["deployment"].(map[string]any)["resources"].([]any)[0].(map[string]any)["outputs"]
	require.Equal(t, map[string]any{"password": secretOf{`"hunter2"`}}, plain)
}

// check compares a stack with what its source holds. sealed says that the service has its secrets now.
func (p *plane) check(s made, sealed bool) {
	t := p.t
	d := p.stack(s.project, s.name).Value
	source := func(v any) any {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return plainly(decoded(t, raw), func(c string) string { return openAny(c) })
	}
	open := openAny
	if sealed {
		open = p.opener(d)
	}
	here := func(version int64) any {
		v := decoded(t, p.export(d, version)).(map[string]any)
		require.Equal(t, json.Number("3"), v["version"])
		dep := v["deployment"].(map[string]any)
		if provider, ok := dep["secrets_providers"].(map[string]any); ok {
			want := "passphrase"
			if sealed {
				want = "service"
				require.Equal(t, map[string]any{"url": url, "owner": "acme", "project": s.project, "stack": s.name}, provider["state"])
			}
			require.Equal(t, want, provider["type"])
		}
		return plainly(dep, open)
	}
	require.Equal(t, clonedTags(s.tags, s.project), d.Tags)
	require.Equal(t, source(s.current), here(0), "the current checkpoint")
	heads := p.history(d)
	var last any
	for i, u := range s.past {
		h := heads[i]
		require.Equal(t, int64(i+1), h.Version)
		require.Equal(t, []any{u.kind, u.message, u.result, u.environment}, []any{string(h.Kind), h.Program.Message, string(h.Status), h.Program.Environment})
		require.Equal(t, []time.Time{time.Unix(u.start, 0).UTC(), time.Unix(u.end, 0).UTC()}, []time.Time{h.Started.UTC(), h.Ended.UTC()})
		require.Equal(t, map[string]int64{"create": int64(i)}, h.Changes)
		if u.left != nil {
			last = u.left
			require.Equal(t, source(u.left), here(h.Version), "version %d", h.Version)
		}
		configOf(t, h, s.project, u, last != nil && u.left != nil && sealed, open)
	}
	extra := 0
	if raw, _ := json.Marshal(last); last == nil || string(raw) != mustJSON(s.current) {
		extra = 1
		require.Equal(t, update.Import, heads[len(heads)-1].Kind)
	}
	require.Len(t, heads, len(s.past)+extra)
}

func mustJSON(v any) string { raw, _ := json.Marshal(v); return string(raw) }

// openAny opens what one of the salts sealed.
func openAny(c string) (plain string) {
	for _, s := range salts {
		func() {
			defer func() { _ = recover() }()
			plain = s.open(c)
		}()
	}
	return plain
}

func configOf(t require.TestingT, h update.Head, project string, u madeUpdate, sealed bool, open func(string) string) {
	var config map[string]struct {
		String         string
		Secret, Object bool
	}
	require.NoError(t, json.Unmarshal(h.Program.Config, &config))
	require.Equal(t, u.config[project+":plain"], config[project+":plain"].String)
	require.Equal(t, "12", config[project+":number"].String)
	if !sealed {
		open = openAny
	}
	require.True(t, config[project+":sealed"].Secret)
	require.Equal(t, "p4ss", open(config[project+":sealed"].String))
	object := config[project+":object"]
	require.True(t, object.Secret && object.Object)
	var inner struct {
		Inner []struct{ Secure string }
	}
	require.NoError(t, json.Unmarshal([]byte(object.String), &inner))
	require.Equal(t, "1nner", open(inner.Inner[0].Secure))
}

func TestEveryStackOfARandomBackendIsBroughtWholeWithAndWithoutItsPassphrase(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		root, err := os.MkdirTemp("", "import-")
		require.NoError(r, err)
		defer func() { _ = os.RemoveAll(root) }()
		p, done := newPlane(r, filepath.Join(root, "plane"))
		defer done()
		legacy := rapid.Bool().Draw(r, "legacy")
		var all []made
		for i := range rapid.IntRange(1, 3).Draw(r, "stacks") {
			s := makeStack(r, fmt.Sprintf("proj%d", i%2), fmt.Sprintf("dev%d", i), salts)
			s.write(r, root, legacy, packing(rapid.IntRange(0, 2).Draw(r, "packing")))
			all = append(all, s)
		}
		o := p.options(pulumi.Directory(root), nil)
		sealed := rapid.Bool().Draw(r, "with passphrase")
		if sealed {
			o.Passphrase = phrase
		}
		planned := o
		planned.DryRun = true
		would := p.run(planned)
		did := p.run(o)
		require.Equal(r, would, did, "a dry run says what happens")
		for _, s := range all {
			require.Equal(r, pulumi.Imported, did[s.project+"/"+s.name].Result, did)
			p.check(s, sealed)
		}
		for name, outcome := range p.run(o) {
			require.Equal(r, pulumi.UpToDate, outcome.Result, name)
		}
	})
}

func example(seed int, project, name string) made {
	return rapid.Custom(func(r *rapid.T) made {
		s := makeStack(r, project, name, salts[:1])
		if len(s.past) < 2 {
			r.Skip()
		}
		return s
	}).Example(seed)
}

func TestAnImportThatIsKilledAtAnyCallOfTheStoreEndsTheSameWhenItIsRunAgain(t *testing.T) {
	root := t.TempDir()
	one, two := example(1, "proj", "one"), example(2, "proj", "two")
	one.write(t, root, false, 0)
	two.write(t, root, false, 1)
	whole := openPlane(t)
	whole.table.at(-1, false)
	whole.run(whole.options(pulumi.Directory(root), phrase))
	calls := whole.table.calls.Load()
	require.Greater(t, calls, int64(20))
	for _, late := range []bool{false, true} {
		for n := range calls {
			if late && !whole.table.wrote[n] {
				continue // a read that took effect is one that did not
			}
			p, done := newPlane(t, t.TempDir())
			o := p.options(pulumi.Directory(root), phrase)
			p.table.at(n, late)
			_, err := pulumi.Import(context.Background(), p.ports, o, func(pulumi.Progress) {})
			require.ErrorIs(t, err, errKilled, "call %d", n)
			p.table.at(-1, false)
			for name, outcome := range p.run(o) {
				require.NotEqual(t, pulumi.Skipped, outcome.Result, "%s: %s", name, outcome.Why)
			}
			p.check(one, true)
			p.check(two, true)
			for name, outcome := range p.run(o) {
				require.Equal(t, pulumi.UpToDate, outcome.Result, name)
			}
			done()
		}
	}
}

func TestAWrongPassphraseChangesNothingAndSaysSo(t *testing.T) {
	root := t.TempDir()
	s := example(3, "proj", "dev")
	s.write(t, root, false, 0)
	p := openPlane(t)
	out := p.run(p.options(pulumi.Directory(root), wrong))["proj/dev"]
	require.Equal(t, pulumi.Skipped, out.Result)
	require.Contains(t, out.Why, "the passphrase does not open its secrets")
	right := p.run(p.options(pulumi.Directory(root), phrase))["proj/dev"]
	require.Equal(t, pulumi.Imported, right.Result)
	p.check(s, true)
}

func TestAStackThatWasNotMadeByThisImportIsLeftAlone(t *testing.T) {
	root, elsewhere := t.TempDir(), t.TempDir()
	s := example(4, "proj", "dev")
	s.write(t, root, false, 0)
	s.write(t, elsewhere, false, 0)
	p := openPlane(t)
	require.Equal(t, pulumi.Imported, p.run(p.options(pulumi.Directory(root), phrase))["proj/dev"].Result)
	out := p.run(p.options(pulumi.Directory(elsewhere), phrase))["proj/dev"]
	require.Equal(t, pulumi.Skipped, out.Result)
	require.Contains(t, out.Why, "was imported from file://"+root)
}

func TestWhatTheSourceDidSinceIsBroughtUntilTheStackIsUpdatedHere(t *testing.T) {
	root := t.TempDir()
	s := example(5, "proj", "dev")
	s.write(t, root, false, 0)
	p := openPlane(t)
	o := p.options(pulumi.Directory(root), phrase)
	p.run(o)
	more := func(message string) {
		u := s.past[len(s.past)-1]
		u.start, u.end, u.message = u.start+5000, u.end+5000, message
		u.left = map[string]any{"manifest": map[string]any{"time": message}, "secrets_providers": salts[0].provider(), "resources": []any{}}
		s.past, s.current = append(s.past, u), u.left
		s.write(t, root, false, 0)
	}
	before := p.stack("proj", "dev").Value.Version
	more("later")
	out := p.run(o)["proj/dev"]
	require.Equal(t, []any{pulumi.Resumed, 1}, []any{out.Result, out.Updates})
	d := p.stack("proj", "dev")
	require.Equal(t, before+1, d.Value.Version)
	_, err := update.ImportText(context.Background(), p.ports, p.in.Organization, d, update.By{}, p.export(d.Value, 0))
	require.NoError(t, err)
	require.Equal(t, pulumi.UpToDate, p.run(o)["proj/dev"].Result)
	more("too late")
	out = p.run(o)["proj/dev"]
	require.Equal(t, pulumi.Skipped, out.Result)
	require.Contains(t, out.Why, "it was updated here since its import")
}

func TestAStackThatAnUpdateHoldsInTheSourceIsSkipped(t *testing.T) {
	root := t.TempDir()
	example(6, "proj", "dev").write(t, root, false, 0)
	packing(0).write(t, filepath.Join(root, ".pulumi/locks/organization/proj/dev/x.json"), map[string]any{"pid": 1})
	p := openPlane(t)
	out := p.run(p.options(pulumi.Directory(root), phrase))["proj/dev"]
	require.Equal(t, pulumi.Skipped, out.Result)
	require.Contains(t, out.Why, "an update holds it in the source")
}

func TestExportsAreBroughtAndSecretsInTheClearAreSealed(t *testing.T) {
	root := t.TempDir()
	resource := func(outputs any) any {
		return map[string]any{"version": 3, "deployment": map[string]any{
			"manifest": map[string]any{}, "secrets_providers": map[string]any{"type": "service", "state": map[string]any{"url": "https://elsewhere"}},
			"resources": []any{map[string]any{"urn": "urn:pulumi:dev::proj::a:b:C::r", "type": "a:b:C", "outputs": outputs}},
		}}
	}
	packing(0).write(t, filepath.Join(root, "proj/clear.json"), resource(map[string]any{"x": map[string]any{signatureKey: secretSignature, "plaintext": `"hunter2"`}}))
	packing(0).write(t, filepath.Join(root, "sealed.json"), resource(map[string]any{"x": map[string]any{signatureKey: secretSignature, "ciphertext": "AAAA"}}))
	packing(0).write(t, filepath.Join(root, "old.json"), map[string]any{"version": 1, "deployment": map[string]any{}})
	p := openPlane(t)
	out := p.run(p.options(pulumi.Directory(root), nil))
	require.Equal(t, pulumi.Imported, out["proj/clear"].Result)
	require.True(t, out["proj/clear"].Sealed)
	require.Contains(t, out["proj/sealed"].Why, "export it with --show-secrets")
	require.Contains(t, out["old"].Why, "its schema is 1")
	d := p.stack("proj", "clear").Value
	export := p.export(d, 0)
	require.NotContains(t, string(export), "hunter2")
	plain := plainly(decoded(t, export), p.opener(d)).(map[string]any)["deployment"].(map[string]any)["resources"].([]any)[0].(map[string]any)["outputs"]
	require.Equal(t, map[string]any{"x": secretOf{`"hunter2"`}}, plain)
}

func TestASourceThatCannotBeReadEndsTheImport(t *testing.T) {
	p := openPlane(t)
	ctx, cancel := context.WithCancel(context.Background())
	root := t.TempDir()
	example(7, "proj", "dev").write(t, root, false, 0)
	_, err := pulumi.Import(ctx, p.ports, p.options(pulumi.Directory(root), phrase), func(pulumi.Progress) { cancel() })
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}
