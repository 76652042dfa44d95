// Package audit keeps what was done by whom. An entry is part of the write it tells of; reads that must leave a trace (exports,
// decryptions) write an entry of their own before they answer.
//
// Entries are written unchained, so that no item is hot. Once an hour Seal puts every closed hour of an account under a signed digest, and
// Verify names the first entry that is no more what was sealed; digest.go tells how the two hang together.
package audit

// Trace is what an operation row leaves in the audit: a slug, or nothing and the reason why.
type Trace struct {
	Slug string // "stack-created", …
	Why  string // for rows that leave nothing
}

// Leaves is the trace of a row that leaves entries of this slug.
func Leaves(slug string) Trace { return Trace{Slug: slug} }

// None is the trace of a row that leaves nothing; why stands in the table for its reader.
func None(why string) Trace { return Trace{Why: why} }
