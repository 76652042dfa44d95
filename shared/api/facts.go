package api

import "context"

type factsKey struct{}

// FactsOf is what the front knows of the request that the audit keeps, in the context that the gate is given: also of one that is refused.
func FactsOf(ctx context.Context) AuditFacts {
	f, _ := ctx.Value(factsKey{}).(AuditFacts)
	return f
}

func (c *call) facts(op *Operation) AuditFacts {
	return AuditFacts{
		Dialect: c.dialect.Name, Operation: op.Name, Slug: op.Trace.Slug, Verb: op.Need.Verb, RequestID: c.id,
		SourceIP: c.front.cfg.ClientIP(c.r), UserAgent: clip(c.r.UserAgent(), 256),
	}
}
