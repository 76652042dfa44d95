//go:build race

package pulumi_test

// soakEvents is smaller under the race detector, which makes everything ten times as slow.
const soakEvents = 1_000
