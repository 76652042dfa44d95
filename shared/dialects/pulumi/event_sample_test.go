package pulumi_test

// toldEvents are one event of every kind, each with all that it can say.
var toldEvents = []any{
	told(0, "preludeEvent", map[string]any{"config": map[string]any{"a": "b"}}),
	told(1, "stdoutEvent", map[string]any{"message": "hello", "color": "never"}),
	told(2, "diagnosticEvent", map[string]any{
		"urn": urn(1), "prefix": "p", "message": "broken", "color": "never", "severity": "error", "streamID": 1, "ephemeral": true,
	}),
	told(3, "resourcePreEvent", map[string]any{"metadata": stepOn(urn(1)), "planning": true}),
	told(4, "resOutputsEvent", map[string]any{"metadata": stepOn(urn(1)), "planning": true}),
	told(5, "resOpFailedEvent", map[string]any{"metadata": stepOn(urn(2)), "status": 1, "steps": 1}),
	told(6, "policyEvent", ofPack(map[string]any{
		"resourceUrn": urn(1), "message": "no", "color": "raw", "policyName": "p", "enforcementLevel": "advisory", "severity": "low",
	})),
	told(7, "policyRemediationEvent", ofPack(map[string]any{
		"resourceUrn": urn(2), "color": "raw", "policyName": "p", "before": map[string]any{"a": 1}, "after": map[string]any{"a": 2},
	})),
	told(8, "policyLoadEvent", map[string]any{"policyPackName": "p"}),
	told(9, "policyAnalyzeSummaryEvent", ofPack(map[string]any{"resourceUrn": urn(1), "passed": []string{"p"}, "failed": []string{"q"}})),
	told(10, "policyRemediateSummaryEvent", ofPack(map[string]any{"resourceUrn": urn(2), "passed": []string{"p"}, "failed": []string{"q"}})),
	told(11, "policyAnalyzeStackSummaryEvent", ofPack(map[string]any{"passed": []string{"p"}, "failed": []string{"q"}})),
	told(12, "startDebuggingEvent", map[string]any{"config": map[string]any{"a": "b"}}),
	told(13, "progressEvent", map[string]any{"type": "plugin-install", "id": "x", "message": "m", "received": 1, "total": 2, "done": true}),
	told(14, "errorEvent", map[string]any{"error": "x"}),
	told(15, "cancelEvent", map[string]any{"a": "b"}),
	told(16, "summaryEvent", map[string]any{
		"maybeCorrupt": true, "durationSeconds": 3, "resourceChanges": map[string]any{"create": 2}, "PolicyPacks": map[string]any{"p": "1"},
		"isPreview": true, "result": "succeeded",
	}),
}

func told(sequence int, kind string, what map[string]any) map[string]any {
	return map[string]any{"sequence": sequence, "timestamp": 1 + sequence, kind: what}
}

// ofPack adds to a payload which pack it is of.
func ofPack(payload map[string]any) map[string]any {
	payload["policyPackName"], payload["policyPackVersion"], payload["policyPackVersionTag"] = "p", "1", "1"
	return payload
}

// stepOn is what events tell of a step on a resource.
func stepOn(urn string) map[string]any {
	return map[string]any{
		"op": "create", "urn": urn, "type": "t:i:R", "old": nil, "logical": true, "provider": "p", "keys": []string{"a"}, "diffs": []string{"a"},
		"detailedDiff": map[string]any{"a": map[string]any{"diffKind": "add", "inputDiff": true}},
		"new":          map[string]any{"type": "t:i:R", "urn": urn, "id": "", "parent": "", "inputs": map[string]any{}, "outputs": map[string]any{}, "provider": ""},
	}
}
