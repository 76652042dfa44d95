//go:build !race

package pulumi_test

// soakEvents is how many events the soak of the webhooks sends.
const soakEvents = 10_000
