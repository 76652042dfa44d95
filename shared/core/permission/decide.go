package permission

import "slices"

// Grants are the roles that a principal holds on a resource and everything above it, already loaded.
type Grants []Role

// Allow reports whether any of the roles grants the verb.
func (g Grants) Allow(v Verb) bool {
	for _, r := range g {
		if slices.Contains(r.Verbs(), v) {
			return true
		}
	}
	return false
}

// MayGive reports whether somebody with these grants may hand out the verbs: nobody gives what they do not have.
func (g Grants) MayGive(vs []Verb) bool {
	return !slices.ContainsFunc(vs, func(v Verb) bool { return !g.Allow(v) })
}

// Decision is the answer to "may they": yes, no, or no and they may not know that it exists.
type Decision uint8

// The decisions.
const (
	Denied Decision = iota // exists, but not for this: 403
	Allowed
	Hidden // as if it did not exist: 404
)

// Decide answers a need. It reads nothing and remembers nothing.
func Decide(g Grants, n Need) Decision {
	switch {
	case n.Public != "" || n.Self || n.Verb != "" && g.Allow(n.Verb):
		return Allowed
	case n.Hide != "" && !g.Allow(n.Hide):
		return Hidden
	}
	return Denied
}
