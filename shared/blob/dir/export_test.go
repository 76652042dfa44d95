package dir

import "errors"

// WithoutLinks makes the disk one that has no hard links.
func WithoutLinks(s *Store) {
	s.link = func(string, string) error { return errors.ErrUnsupported }
}
