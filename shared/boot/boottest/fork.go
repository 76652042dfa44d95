package boottest

import "time"

// Fork is another process on the same data, whose clock goes ahead of the plane's by skew (behind it when negative). Both see the
// same Spy and the same Clock.
func (p *Plane) Fork(skew time.Duration) *Plane {
	other := &Plane{T: p.T, Ports: p.Ports, Spy: p.Spy, Clock: p.Clock, Org: p.Org, Token: p.Token, Log: p.Log, Seen: p.Seen}
	other.Ports.Now = func() time.Time { return p.Clock.Now().Add(skew) }
	other.Restart()
	return other
}
