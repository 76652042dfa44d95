package update

// SetFoldEvery makes journals fold after n entries, and returns what puts it back.
func SetFoldEvery(n int64) (restore func()) {
	was := foldEvery
	foldEvery = n
	return func() { foldEvery = was }
}
