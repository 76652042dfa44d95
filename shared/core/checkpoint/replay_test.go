package checkpoint_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
)

func TestEveryKindHasItsEffect(t *testing.T) {
	for _, test := range []struct {
		sentence string
		base     string
		entries  []string
		want     string
	}{
		{
			"an operation that began and did not end is pending",
			base(), []string{entry(1, 0, 1, pendingOp("creating", res("a")))}, "[creating a]",
		},
		{
			"the begin of a same step leaves nothing",
			base(res("a")), []string{entry(1, 0, 1)}, "a",
		},
		{
			"pending operations stand in the order of their begin",
			base(), []string{
				entry(1, 0, 9, pendingOp("creating", res("a"))), entry(2, 0, 3, pendingOp("updating", res("b"))),
				entry(3, 0, 5, pendingOp("creating", res("c"))), entry(4, 2, 3),
			}, "[creating a] [creating c]",
		},
		{
			"a success ends the operation and adds the resource",
			base(), []string{entry(1, 0, 1, pendingOp("creating", res("a"))), entry(2, 1, 1, state(res("a")))}, "a",
		},
		{
			"new resources stand before what is left of the base",
			base(res("a"), res("b")), []string{entry(1, 1, 1, state(res("c")))}, "c a b",
		},
		{
			"an update replaces the old resource by the new one",
			base(res("a"), res("b")), []string{entry(1, 1, 1, state(res("b", rev(2))), `"removeOld":1`)}, "b@2 a",
		},
		{
			"a delete drops the old resource",
			base(res("a"), res("b")), []string{entry(1, 1, 1, `"removeOld":0`)}, "b",
		},
		{
			"a delete of a resource of this update drops the new one",
			base(), []string{entry(1, 1, 7, state(res("a"))), entry(2, 1, 8, state(res("b"))), entry(3, 1, 9, `"removeNew":7`)}, "b",
		},
		{
			"a replacement marks the old resource for deletion",
			base(res("a")), []string{entry(1, 1, 1, state(res("a", rev(2))), `"deleteOld":0`)}, "a@2 a!",
		},
		{
			"a replacement marks a resource of this update for deletion",
			base(), []string{entry(1, 1, 1, state(res("a"))), entry(2, 1, 2, state(res("a", rev(2))), `"deleteNew":1`)}, "a! a@2",
		},
		{
			"a delete before replace leaves the old resource pending replacement until the new one is there",
			base(res("a")), []string{entry(1, 1, 1, `"pendingReplacementOld":0`)}, "a?",
		},
		{
			"the create after it drops the old one",
			base(res("a")), []string{entry(1, 1, 1, `"pendingReplacementOld":0`), entry(2, 1, 2, state(res("a", rev(2))), `"removeOld":0`)}, "a@2",
		},
		{
			"a resource of this update can be pending replacement",
			base(), []string{entry(1, 1, 1, state(res("a"))), entry(2, 1, 2, `"pendingReplacementNew":1`)}, "a?",
		},
		{
			"a failure ends the operation and changes nothing, whatever else it says",
			base(res("a")), []string{
				entry(1, 0, 1, pendingOp("updating", res("a"))),
				entry(2, 2, 1, state(res("a", rev(2))), `"removeOld":0`, `"deleteNew":77`),
			}, "a",
		},
		{
			"a refresh replaces the old resource where it stands",
			base(res("a"), res("b")), []string{entry(1, 3, 1, state(res("a", rev(2))), `"removeOld":0`, `"isRefresh":true`)}, "a@2 b",
		},
		{
			"a refresh that finds nothing drops the old resource",
			base(res("a"), res("b")), []string{entry(1, 3, 1, `"removeOld":0`)}, "b",
		},
		{
			"a refresh replaces or drops resources of this update",
			base(), []string{
				entry(1, 1, 1, state(res("a"))), entry(2, 1, 2, state(res("b"))),
				entry(3, 3, 3, state(res("a", rev(2))), `"removeNew":1`), entry(4, 3, 4, `"removeNew":2`),
			}, "a@2",
		},
		{
			"a resource refreshed in place can be addressed by the refresh",
			base(res("a"), res("b")), []string{entry(1, 3, 1, state(res("b", rev(2))), `"removeOld":1`), entry(2, 1, 2, `"removeNew":1`)}, "a",
		},
		{
			"outputs replace the old resource where it stands",
			base(res("a"), res("b")), []string{entry(1, 4, 1, state(res("b", rev(2))), `"removeOld":1`)}, "a b@2",
		},
		{
			"outputs replace the new resource where it stands",
			base(), []string{
				entry(1, 1, 1, state(res("a"))), entry(2, 1, 2, state(res("b"))), entry(3, 4, 3, state(res("a", rev(2))), `"removeNew":1`),
			}, "a@2 b",
		},
		{
			"what was dropped stays dropped when its outputs come",
			base(res("a")), []string{entry(1, 1, 1, `"removeOld":0`), entry(2, 4, 2, state(res("a", rev(2))), `"removeOld":0`)}, "",
		},
		{
			"what was replaced in place takes no mark",
			base(res("a")), []string{
				entry(1, 3, 1, state(res("a", rev(2))), `"removeOld":0`), entry(2, 1, 2, `"deleteOld":0`), entry(3, 1, 3, `"pendingReplacementOld":0`),
			}, "a@2",
		},
		{
			"a write replaces the base",
			base(res("a")), []string{entry(1, 5, 0, `"newSnapshot":`+base(res("p"), res("a"))), entry(2, 1, 1, `"removeOld":1`)}, "p",
		},
		{
			"a rebuilt base starts the indices again",
			base(res("a"), res("b")), []string{
				entry(1, 3, 1, `"removeOld":0`), entry(2, 7, 0), entry(3, 1, 2, state(res("b", rev(2))), `"removeOld":0`),
			}, "b@2",
		},
		{
			"a rebuilt base makes new resources old ones",
			base(res("a")), []string{
				entry(1, 1, 1, state(res("n"))), entry(2, 7, 0), entry(3, 1, 2, `"removeOld":0`), entry(4, 1, 3, state(res("m"))), entry(5, 1, 4, `"removeNew":3`),
			}, "a",
		},
		{
			"a rebuilt base keeps pending creations only",
			base(), []string{
				entry(1, 0, 1, pendingOp("creating", res("a"))), entry(2, 0, 2, pendingOp("updating", res("b"))), entry(3, 7, 0), entry(4, 2, 1),
			}, "[creating a]",
		},
		{
			"pending creations of the base stay, other operations of the base are forgotten",
			`{"resources":[],"pending_operations":[{"resource":` + res("a") + `,"type":"updating"},{"resource":` + res("b") + `,"type":"creating"}]}`,
			[]string{entry(1, 0, 1, pendingOp("deleting", res("c")))}, "[deleting c] [creating b]",
		},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			snapshot := materialize(t, replay(t, test.base, test.entries...))
			require.Equal(t, test.want, sketch(t, snapshot.Deployment))
			require.Equal(t, len(parse(t, snapshot.Deployment).Resources), snapshot.Resources)
		})
	}
}

func TestTheManifestIsValid(t *testing.T) {
	d := parse(t, materialize(t, replay(t, base(res("a")))).Deployment)
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(clientVersion))), d.Manifest.Magic)
	require.Equal(t, clientVersion, d.Manifest.Version)
	require.Equal(t, "2026-03-01T12:00:00Z", d.Manifest.Time)

	summary, err := checkpoint.Inspect(checkpoint.Empty(), "deployment")
	require.NoError(t, err)
	require.Equal(t, checkpoint.Summary{MagicAgrees: true}, summary)
}

func TestAnUntouchedResourceKeepsItsBytes(t *testing.T) {
	raw := `{ "urn" : "urn:pulumi:dev::shop::t:m:R::a","future":{"x": 1e400,"y":"\u003c\/"},"type":"t"}`
	snapshot := materialize(t, replay(t, base(raw), entry(1, 1, 1, state(`{"urn":"u","z" : 12345678901234567890}`))))
	require.Contains(t, string(snapshot.Deployment), raw)
	require.Contains(t, string(snapshot.Deployment), `{"urn":"u","z" : 12345678901234567890}`)
}

func TestAMarkChangesNothingElse(t *testing.T) {
	raw := `{"urn":"u","delete":false,"future":{"x": 1e400}}`
	snapshot := materialize(t, replay(t, base(raw), entry(1, 1, 1, `"deleteOld":0`, `"pendingReplacementOld":0`)))
	require.Contains(t, string(snapshot.Deployment), `{"urn":"u","delete":true,"future":{"x": 1e400},"pendingReplacement":true}`)
}

func TestWhatIsNoResourceIsCarried(t *testing.T) {
	s := replay(t, `{"secrets_providers":{"type":"passphrase"},"metadata":{"integrity_error":{"error":"x"}},"extensions":{"r1":{"name":"old"}},"future":[1, 2]}`,
		entry(1, 6, 0, `"secretsProvider":{"type":"service","state":{"stack":"s"}}`),
		entry(2, 8, 1, `"extensionRef":"r1"`, `"extension":{"name":"new"}`),
		entry(3, 8, 2, `"extensionRef":"r2"`, `"extension":{"name":"b"}`),
		entry(4, 9, 0, `"snippets":[{"uuid":"1"}]`),
	)
	snapshot := materialize(t, s)
	require.Equal(t, `,"secrets_providers":{"type":"service","state":{"stack":"s"}},"metadata":{"integrity_error":{"error":"x"}},`+
		`"snippets":[{"uuid":"1"}],"extensions":{"r1":{"name":"old"},"r2":{"name":"b"}},"future":[1,2]}`,
		string(snapshot.Deployment[len(`{"manifest":`)+len(checkpoint.Manifest(now, clientVersion)):]))
	require.Equal(t, []string{"snippets-prototype"}, snapshot.Features)
	require.Equal(t, 4, snapshot.Schema)

	require.NoError(t, s.ApplyAll(decode(t, entry(5, 7, 0), entry(6, 9, 0))))
	snapshot = materialize(t, s)
	require.NotContains(t, string(snapshot.Deployment), "snippets")
	require.Contains(t, string(snapshot.Deployment), `"r2":{"name":"b"}`)
	require.Equal(t, 3, snapshot.Schema)
	require.Nil(t, snapshot.Features)
}

func TestFeaturesComeFromResourcesAndPendingOperations(t *testing.T) {
	for member, feature := range map[string]string{
		`,"refreshBeforeUpdate":true`: "refreshBeforeUpdate", `,"viewOf":"urn:x"`: "views", `,"resourceHooks":{"h":["x"]}`: "hooks",
		`,"taint":true`: "taint", `,"replaceWith":["urn:x"]`: "replaceWith", `,"extensionRef":"r"`: "extensionParameterization",
		`,"snippetID":"s"`: "snippets-prototype",
	} {
		for place, s := range map[string]*checkpoint.State{
			"base":    replay(t, base(res("a", member))),
			"new":     replay(t, base(), entry(1, 1, 1, state(res("a", member)))),
			"pending": replay(t, base(), entry(1, 0, 1, pendingOp("creating", res("a", member)))),
		} {
			snapshot := materialize(t, s)
			require.Equal(t, []string{feature}, snapshot.Features, place)
			require.Equal(t, 4, snapshot.Schema)
		}
	}
	plain := `,"refreshBeforeUpdate":false,"viewOf":"","resourceHooks":{ },"taint":false,"replaceWith":[],"extensionRef":""`
	require.Equal(t, 3, materialize(t, replay(t, base(res("a", plain)))).Schema)
	needsBytes := replay(t, base(), entry(1, 1, 1, state(res("a")), `"requiresByteString":true`), entry(2, 1, 2, state(res("b"))))
	require.Equal(t, []string{"byteString"}, materialize(t, needsBytes).Features)
}

func TestARefreshPrunesWhatPointsToLostResources(t *testing.T) {
	s := replay(t, base(
		res("root"), res("lost", ref("parent", "root")),
		res("a", refs("dependencies", "lost", "root"), refs("replaceWith", "lost"), ref("deletedWith", "lost"), ref("parent", "lost")),
		res("b", refs("dependencies", "lost"), `,"propertyDependencies":{"x":["`+urn("lost")+`"],"y":["`+urn("root")+`","`+urn("lost")+`"],"z":null},"n":1`),
		res("c", `,"propertyDependencies":{"x":["`+urn("lost")+`"]}`, ref("deletedWith", "root")),
	), entry(1, 3, 1, `"removeOld":1`))
	require.Equal(t, `[`+res("root")+`,`+
		res("a", refs("dependencies", "root"))+`,`+
		res("b", `,"propertyDependencies":{"y":["`+urn("root")+`"]},"n":1`)+`,`+
		res("c", ref("deletedWith", "root"))+`]`,
		string(resourcesOf(t, materialize(t, s).Deployment)))
}

func TestWithoutARefreshReferencesAreLeftAlone(t *testing.T) {
	child := res("a", refs("dependencies", "lost"), ref("parent", "lost"))
	s := replay(t, base(res("lost"), child), entry(1, 1, 1, `"removeOld":0`))
	require.Equal(t, `[`+child+`]`, string(resourcesOf(t, materialize(t, s).Deployment)))
}

func TestAliasesAreResolved(t *testing.T) {
	renamed := res("new", `,"aliases":["`+urn("old")+`"]`)
	child := `{"urn":"urn:pulumi:dev::shop::t:m:R$t:m:C::kid","parent":"` + urn("old") + `","provider":"` + urn("old") + `::id1","dependencies":["` +
		urn("old") + `"],"propertyDependencies":{"p":["` + urn("old") + `","x"]},"deletedWith":"` + urn("old") + `","viewOf":"` + urn("old") + `"}`
	s := replay(t, base(res("old"), child),
		entry(1, 1, 1, state(renamed), `"removeOld":0`),
		entry(2, 9, 0, `"snippets":[{"uuid":"1","references":{"k":"`+urn("old")+`"},"code":"c"}]`))
	d := materialize(t, s).Deployment
	require.Equal(t, `[`+res("new")+`,{"urn":"urn:pulumi:dev::shop::t:m:R$t:m:C::kid","parent":"`+urn("new")+`","provider":"`+urn("new")+
		`::id1","dependencies":["`+urn("new")+`"],"propertyDependencies":{"p":["`+urn("new")+`","x"]},"deletedWith":"`+urn("new")+`","viewOf":"`+urn("new")+`"}]`,
		string(resourcesOf(t, d)))
	require.Contains(t, string(d), `"references":{"k":"`+urn("new")+`"}`)
}

func TestAChildIsRenamedWithTheTypeOfItsParent(t *testing.T) {
	const before, after = "urn:pulumi:dev::shop::a:b:Old::p", "urn:pulumi:dev::shop::a:b:New::p"
	s := replay(t, base(`{"urn":"`+before+`"}`, `{"urn":"urn:pulumi:dev::shop::a:b:Old$t:m:C::kid::x","parent":"`+before+`"}`,
		`{"urn":"urn:pulumi:dev::shop::t:m:R::z","dependencies":["urn:pulumi:dev::shop::a:b:Old$t:m:C::kid::x"]}`),
		entry(1, 1, 1, state(`{"urn":"`+after+`","aliases":["`+before+`"]}`), `"removeOld":0`))
	require.Equal(t, `[{"urn":"`+after+`"},{"urn":"urn:pulumi:dev::shop::a:b:New$t:m:C::kid::x","parent":"`+after+`"},`+
		`{"urn":"urn:pulumi:dev::shop::t:m:R::z","dependencies":["urn:pulumi:dev::shop::a:b:New$t:m:C::kid::x"]}]`,
		string(resourcesOf(t, materialize(t, s).Deployment)))
}

func TestTwoResourcesWithOneAliasAreAConflict(t *testing.T) {
	s := replay(t, base(res("a", `,"aliases":["x"]`), res("b", `,"aliases":["x"]`)))
	_, err := s.Materialize(now, "")
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
}

func TestAnAddressOfNothingIsRefusedAndNamed(t *testing.T) {
	for _, test := range []struct{ field, entry, message string }{
		{"removeOld", entry(1, 1, 5, `"removeOld":2`), "entry 1 (success of operation 5) addresses old resource 2, but the base has 2"},
		{"deleteOld", entry(1, 1, 5, `"deleteOld":9223372036854775807`), "entry 1 (success of operation 5) addresses old resource 9223372036854775807, but the base has 2"},
		{"pendingReplacementOld", entry(1, 1, 5, `"pendingReplacementOld":3`), "entry 1 (success of operation 5) addresses old resource 3, but the base has 2"},
		{"removeNew", entry(1, 3, 5, `"removeNew":4`), "entry 1 (refresh success of operation 5) addresses the resource of operation 4, which produced none"},
		{"deleteNew", entry(1, 1, 5, `"deleteNew":4`), "entry 1 (success of operation 5) addresses the resource of operation 4, which produced none"},
		{"pendingReplacementNew", entry(1, 1, 5, `"pendingReplacementNew":4`), "entry 1 (success of operation 5) addresses the resource of operation 4, which produced none"},
		{"removeNew", entry(1, 4, 5, state(res("a")), `"removeNew":0`), "entry 1 (outputs of operation 5) addresses the resource of operation 0, which produced none"},
	} {
		t.Run(test.field+" in "+test.message, func(t *testing.T) {
			s, err := checkpoint.New([]byte(base(res("a"), res("b"))))
			require.NoError(t, err)
			before := s.Encode()
			f := fault.As(s.ApplyAll(decode(t, test.entry)))
			require.NotNil(t, f)
			require.Equal(t, "body.entries[sequenceID=1]."+test.field, f.Field)
			require.Equal(t, test.message, f.Message)
			require.Equal(t, fault.Invalid, f.Code)
			require.Equal(t, string(before), string(s.Encode()), "a refused entry changes nothing")
		})
	}
}

func TestEntriesAreAppliedInSequenceAndOnce(t *testing.T) {
	s, err := checkpoint.New(nil)
	require.NoError(t, err)
	create := func(sequence int) checkpoint.Entry {
		return decode(t, entry(sequence, 1, sequence, state(res(fmt.Sprint("r", sequence)))))[0]
	}
	for _, sequence := range []int{1, 5, 3, 9} {
		require.NoError(t, s.Apply(create(sequence)))
	}
	require.NoError(t, s.Apply(decode(t, entry(1, 1, 1, state(res("twice"))))[0]))
	require.NoError(t, s.Apply(decode(t, entry(5, 1, 1, state(res("twice"))))[0]))
	require.Equal(t, "r1", sketch(t, materialize(t, s).Deployment), "nothing is applied over a gap")
	require.Equal(t, []checkpoint.Range{{From: 2, To: 2}, {From: 4, To: 4}, {From: 6, To: 8}}, s.Missing())
	require.Equal(t, 3, s.Pending())
	require.Equal(t, int64(2), s.Next())
	require.Equal(t, "6 to 8", s.Missing()[2].String())

	require.NoError(t, s.Apply(create(2)))
	require.NoError(t, s.Apply(create(4)))
	require.Equal(t, "r1 r2 r3 r4 r5", sketch(t, materialize(t, s).Deployment))
	require.Equal(t, []checkpoint.Range{{From: 6, To: 8}}, s.Missing())
}

func TestARefusedEntryMayComeAgain(t *testing.T) {
	s, err := checkpoint.New(nil)
	require.NoError(t, err)
	held := decode(t, entry(2, 1, 2, `"removeNew":99`), entry(3, 1, 3, state(res("c"))), entry(1, 1, 1, state(res("a"))))
	require.NoError(t, s.Apply(held[0]))
	require.NoError(t, s.Apply(held[1]))
	require.ErrorContains(t, s.Apply(held[2]), "entry 2 (success of operation 2)")
	require.Equal(t, []checkpoint.Range{{From: 2, To: 2}}, s.Missing())
	require.NoError(t, s.ApplyAll(decode(t, entry(2, 1, 2, state(res("b"))))))
	require.Equal(t, "a b c", sketch(t, materialize(t, s).Deployment))
}

func TestAGapIsNeverReplayedOverAndWhatLiesBehindItStaysAsPendingOperations(t *testing.T) {
	pending := func(kind, urn string) string {
		return `"operation":{"type":"` + kind + `","resource":` + res(urn) + `}`
	}
	s := replay(t, base(res("old"), res("doomed")),
		entry(1, 6, 0, `"secretsProvider":{"type":"service"}`),
		entry(3, 0, 2, pending("creating", "made")), // entry 2 is lost
		entry(4, 1, 2, `"state":{"urn":"`+urnOf(t, res("made"))+`","id":"i-1"}`),
		entry(5, 1, 3, state(res("orphan"))),
		entry(6, 1, 4, `"removeOld":1`),
		entry(7, 0, 5, pending("updating", "failed")),
		entry(8, 2, 5))
	require.Equal(t, "old doomed", sketch(t, materialize(t, s).Deployment))
	require.Equal(t, []checkpoint.Range{{From: 2, To: 2}}, s.Settle())
	settled := materialize(t, s)
	require.Equal(t, 2, settled.Resources)
	var parts struct {
		Pending []struct {
			Type     string
			Resource struct{ URN, ID string }
		} `json:"pending_operations"`
	}
	requireUnmarshal(t, settled.Deployment, &parts)
	require.Len(t, parts.Pending, 3)
	require.Equal(t, "creating", parts.Pending[0].Type)
	require.Equal(t, "i-1", parts.Pending[0].Resource.ID, "the newest state that was told")
	require.Equal(t, "creating", parts.Pending[1].Type)
	require.Equal(t, urnOf(t, res("orphan")), parts.Pending[1].Resource.URN)
	require.Equal(t, "deleting", parts.Pending[2].Type)
	require.Equal(t, urnOf(t, res("doomed")), parts.Pending[2].Resource.URN)
	require.Empty(t, s.Missing())
	again, err := checkpoint.DecodeState(s.Encode())
	require.NoError(t, err)
	require.Equal(t, settled, materialize(t, again))
}

func urnOf(t *testing.T, resource string) string {
	t.Helper()
	var r struct{ URN string }
	requireUnmarshal(t, []byte(resource), &r)
	return r.URN
}

func TestABaseThatIsNoDeploymentIsOurFault(t *testing.T) {
	for _, bad := range []string{"[]", `{"resources":[1]}`, `{"resources":[{"urn":""}]}`, `{"resources":{}}`, `{"resources":[]} x`, `{"resources":[`} {
		_, err := checkpoint.New([]byte(bad))
		require.True(t, fault.Is(err, fault.Internal), "%s: %v", bad, err)
	}
	for _, good := range []string{"", "null", " null ", "{}", `{"resources":null,"pending_operations":null}`} {
		s, err := checkpoint.New([]byte(good))
		require.NoError(t, err)
		require.Equal(t, 0, materialize(t, s).Resources)
	}
}

func TestMaterializingChangesNothing(t *testing.T) {
	s := replay(t, base(res("a"), res("b", refs("dependencies", "a"))), entry(1, 3, 1, `"removeOld":0`), entry(2, 1, 2, state(res("c"))))
	before := s.Encode()
	first := materialize(t, s)
	require.Equal(t, first, materialize(t, s))
	require.Equal(t, string(before), string(s.Encode()))
	_, err := s.Materialize(time.Time{}, "")
	require.NoError(t, err)
}

// resourcesOf cuts the raw list of resources out of a deployment.
func resourcesOf(t *testing.T, raw []byte) []byte {
	t.Helper()
	var parts struct{ Resources rawText }
	requireUnmarshal(t, raw, &parts)
	return parts.Resources
}
