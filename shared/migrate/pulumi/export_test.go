package pulumi

// WithRounds runs f with another number of rounds, for tests that do not run in parallel.
func WithRounds(n int, f func()) {
	before := rounds
	rounds = n
	defer func() { rounds = before }()
	f()
}
