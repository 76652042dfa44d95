package boottest

import "time"

// Fork is another process on the same data, whose clock goes ahead of the plane's by skew (behind it when negative). Both see the
// same Spy and the same Clock.
func (p *Plane) Fork(skew time.Duration) *Plane {
	other := *p
	other.Ports.Now = func() time.Time { return p.Clock.Now().Add(skew) }
	other.Restart()
	return &other
}
