package pulumi

import (
	"reflect"
	"strings"

	"github.com/polyplane/polyplane/shared/api"
)

// The types of this file document engine events; the events themselves are kept and shown as the client wrote them. Texts may hold the engine's
// colour marks ("<{%reset%}>"), as color says. Secrets in them were blinded by the client.

// engineEvents documents a batch.
type engineEvents struct {
	Events []engineEvent `json:"events"`
}

// updateEvents documents the answer of getEvents.
type updateEvents struct {
	Events            []engineEvent `json:"events"`
	ContinuationToken *string       `json:"continuationToken"` // null when the update has ended and all was read
}

// engineEvent has exactly one payload, which Type names.
type engineEvent struct {
	Sequence  int64  `json:"sequence"`
	Timestamp int64  `json:"timestamp"` // Unix seconds
	Type      string `json:"type,omitempty"`

	CancelEvent                 map[string]any        `json:"cancelEvent,omitempty"`
	StdoutEvent                 *stdoutPayload        `json:"stdoutEvent,omitempty"`
	DiagnosticEvent             *diagnosticPayload    `json:"diagnosticEvent,omitempty"`
	PreludeEvent                *preludePayload       `json:"preludeEvent,omitempty"`
	SummaryEvent                *summaryPayload       `json:"summaryEvent,omitempty"`
	ResourcePreEvent            *stepPayload          `json:"resourcePreEvent,omitempty"`
	ResOutputsEvent             *stepPayload          `json:"resOutputsEvent,omitempty"`
	ResOpFailedEvent            *failedStepPayload    `json:"resOpFailedEvent,omitempty"`
	PolicyEvent                 *violationPayload     `json:"policyEvent,omitempty"`
	PolicyRemediationEvent      *remediationPayload   `json:"policyRemediationEvent,omitempty"`
	PolicyLoadEvent             map[string]any        `json:"policyLoadEvent,omitempty"`
	PolicyAnalyzeSummaryEvent   *ranOnResourcePayload `json:"policyAnalyzeSummaryEvent,omitempty"`
	PolicyRemediateSummaryEvent *ranOnResourcePayload `json:"policyRemediateSummaryEvent,omitempty"`
	PolicyAnalyzeStackSummary   *ranOnStackPayload    `json:"policyAnalyzeStackSummaryEvent,omitempty"`
	StartDebuggingEvent         *debuggingPayload     `json:"startDebuggingEvent,omitempty"`
	ProgressEvent               *progressPayload      `json:"progressEvent,omitempty"`
	ErrorEvent                  *errorPayload         `json:"errorEvent,omitempty"`
}

// payloadNames are the names of the payloads.
var payloadNames = func() (names []string) {
	t := reflect.TypeFor[engineEvent]()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); strings.HasSuffix(name, "Event") {
			names = append(names, name)
		}
	}
	return names
}()

type stdoutPayload struct {
	Message string `json:"message"`
	Color   string `json:"color"`
}

type diagnosticPayload struct {
	URN       string `json:"urn,omitempty"`
	Prefix    string `json:"prefix,omitempty"`
	Message   string `json:"message"`
	Color     string `json:"color"`
	Severity  string `json:"severity" doc:"info, info#err, warning or error"`
	StreamID  int64  `json:"streamID,omitempty"`
	Ephemeral bool   `json:"ephemeral,omitempty"`
}

type preludePayload struct {
	Config map[string]string `json:"config"`
}

type summaryPayload struct {
	MaybeCorrupt    bool              `json:"maybeCorrupt"`
	DurationSeconds int64             `json:"durationSeconds"`
	ResourceChanges map[string]int64  `json:"resourceChanges" doc:"numbers of resources by operation"`
	PolicyPacks     map[string]string `json:"PolicyPacks" doc:"versions by pack"`
	IsPreview       bool              `json:"isPreview,omitempty"`
	Result          string            `json:"result,omitempty" enum:"succeeded,failed,canceled"`
}

type stepPayload struct {
	Metadata step `json:"metadata"`
	Planning bool `json:"planning,omitempty"`
}

type failedStepPayload struct {
	Metadata step  `json:"metadata"`
	Status   int64 `json:"status"`
	Steps    int64 `json:"steps"`
}

type step struct {
	Op           string                  `json:"op" enum:"same,create,update,delete,replace,create-replacement,delete-replaced,read,read-replacement,refresh,discard,discard-replaced,remove-pending-replace,import,import-replacement"`
	URN          string                  `json:"urn"`
	Type         string                  `json:"type"`
	Old          api.Opt[stepState]      `json:"old" doc:"before the step"`
	New          api.Opt[stepState]      `json:"new" doc:"after the step"`
	Keys         []string                `json:"keys,omitempty" doc:"properties that make it a replacement"`
	Diffs        []string                `json:"diffs,omitempty" doc:"properties that changed"`
	DetailedDiff map[string]propertyDiff `json:"detailedDiff,omitempty" nullable:"true" doc:"by property path; null when the provider gave none"`
	Logical      bool                    `json:"logical,omitempty"`
	Provider     string                  `json:"provider"`
}

type propertyDiff struct {
	Kind      string `json:"diffKind" enum:"add,add-replace,delete,delete-replace,update,update-replace"`
	InputDiff bool   `json:"inputDiff" doc:"between inputs, not between state and inputs"`
}

type stepState struct {
	Type           string         `json:"type"`
	URN            string         `json:"urn"`
	Custom         bool           `json:"custom,omitempty"`
	Delete         bool           `json:"delete,omitempty"`
	ID             string         `json:"id"`
	Parent         string         `json:"parent"`
	Protect        bool           `json:"protect,omitempty"`
	Taint          bool           `json:"taint,omitempty"`
	External       bool           `json:"external,omitempty"`
	RetainOnDelete bool           `json:"retainOnDelete,omitempty"`
	Inputs         map[string]any `json:"inputs"`
	Outputs        map[string]any `json:"outputs"`
	Provider       string         `json:"provider"`
	InitErrors     []string       `json:"initErrors,omitempty"`
	HideDiffs      []string       `json:"hideDiffs,omitempty"`
}

// PackVersion names a pack that ran; exported because it is a part of other types.
type PackVersion struct {
	PolicyPackName       string `json:"policyPackName"`
	PolicyPackVersion    string `json:"policyPackVersion"`
	PolicyPackVersionTag string `json:"policyPackVersionTag"`
}

type violationPayload struct {
	PackVersion
	ResourceURN      string `json:"resourceUrn,omitempty"`
	Message          string `json:"message"`
	Color            string `json:"color"`
	PolicyName       string `json:"policyName"`
	EnforcementLevel string `json:"enforcementLevel"`
	Severity         string `json:"severity,omitempty" doc:"low, medium, high or critical"`
}

type remediationPayload struct {
	PackVersion
	ResourceURN string         `json:"resourceUrn,omitempty"`
	Color       string         `json:"color"`
	PolicyName  string         `json:"policyName"`
	Before      map[string]any `json:"before,omitempty"`
	After       map[string]any `json:"after,omitempty"`
}

type ranOnResourcePayload struct {
	PackVersion
	ResourceURN string   `json:"resourceUrn"`
	Passed      []string `json:"passed,omitempty" doc:"names of policies"`
	Failed      []string `json:"failed,omitempty" doc:"names of policies"`
}

type ranOnStackPayload struct {
	PackVersion
	Passed []string `json:"passed,omitempty" doc:"names of policies"`
	Failed []string `json:"failed,omitempty" doc:"names of policies"`
}

type debuggingPayload struct {
	Config map[string]any `json:"config,omitempty"`
}

type progressPayload struct {
	Type     string `json:"type" enum:"plugin-download,plugin-install"`
	ID       string `json:"id"`
	Message  string `json:"message"`
	Received int64  `json:"received" doc:"bytes or items"`
	Total    int64  `json:"total"`
	Done     bool   `json:"done"`
}

type errorPayload struct {
	Error string `json:"error"`
}
