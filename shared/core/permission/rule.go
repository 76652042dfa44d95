package permission

import "slices"

// Rule is a custom role as decisions read it: verbs, some of them under a condition on the stack that is acted on. The document that a
// vendor's client wrote is kept beside it; what of that document has no verb here is not in the rule and grants nothing.
type Rule struct {
	Allow []Verb     `json:"allow,omitempty"`
	If    *Condition `json:"if,omitempty"` // nil: always; it holds for Allow and Of alike
	Of    []Rule     `json:"of,omitempty"` // the union of them
}

// Test is what a condition asks.
type Test string

// The tests. A test that cannot be answered (of a stack, where no stack is acted on; of what does not exist here) is neither true nor
// false, and grants nothing, negated or not.
const (
	IsStack  Test = "stack"   // its id is one of Values
	HasTag   Test = "has-tag" // it has the tag Key
	TagIs    Test = "tag"     // its tag Key has one of Values
	Constant Test = "const"   // Values is ["true"] or not
	And      Test = "and"     // all of Of
	Or       Test = "or"      // one of Of
	Not      Test = "not"     // not Of[0]
	Unknown  Test = "unknown" // cannot be answered
)

// Condition is a question about the stack that is acted on.
type Condition struct {
	Test   Test        `json:"test"`
	Key    string      `json:"key,omitempty"`
	Values []string    `json:"values,omitempty"`
	Of     []Condition `json:"of,omitempty"`
}

// Subject is the stack that is acted on; its zero value is none.
type Subject struct {
	Stack string // id
	Tags  map[string]string
}

type truth int8

const (
	no truth = iota - 1
	unclear
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (c Condition) answer(s Subject) truth {
	switch c.Test {
	case Constant:
		return truthOf(slices.Equal(c.Values, []string{"true"}))
	case And:
		out := yes
		for _, each := range c.Of {
			out = min(out, each.answer(s))
		}
		return out
	case Or:
		out := no
		for _, each := range c.Of {
			out = max(out, each.answer(s))
		}
		return out
	case Not:
		if len(c.Of) == 1 {
			return -c.Of[0].answer(s)
		}
		return unclear
	}
	if s.Stack == "" {
		return unclear
	}
	switch c.Test {
	case IsStack:
		return truthOf(slices.Contains(c.Values, s.Stack))
	case HasTag:
		_, ok := s.Tags[c.Key]
		return truthOf(ok)
	case TagIs:
		v, ok := s.Tags[c.Key]
		return truthOf(ok && slices.Contains(c.Values, v))
	}
	return unclear
}

// Verbs returns what the rule grants on a subject.
func (r Rule) Verbs(s Subject) []Verb {
	if r.If != nil && r.If.answer(s) != yes {
		return nil
	}
	out := slices.Clone(r.Allow)
	for _, each := range r.Of {
		out = append(out, each.Verbs(s)...)
	}
	return out
}

// Role is what the rule grants on a subject, as a role.
func (r Rule) Role(s Subject) Role { return Custom(r.Verbs(s)...) }

// Every returns every verb that the rule may grant on some subject.
func (r Rule) Every() []Verb {
	out := slices.Clone(r.Allow)
	for _, each := range r.Of {
		out = append(out, each.Every()...)
	}
	return out
}

// AsksTags reports whether the rule asks for a stack's tags.
func (r Rule) AsksTags() bool {
	return r.If != nil && r.If.asksTags() || slices.ContainsFunc(r.Of, Rule.AsksTags)
}

func (c Condition) asksTags() bool {
	return c.Test == HasTag || c.Test == TagIs || slices.ContainsFunc(c.Of, Condition.asksTags)
}
