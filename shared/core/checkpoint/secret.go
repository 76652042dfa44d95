package checkpoint

// What marks a secret in a deployment; see the client's sdk/go/common/resource/sig.
const (
	signatureKey    = "4dabf18193072939515e22adb298388d"
	secretSignature = "1b47061264138c4ac30d75fd1eb44270"
)

// EachSecret calls visit with the ciphertext of every secret of a deployment that Inspect accepted, wherever it stands, until the first
// error. Nothing of the deployment is decoded but that.
func EachSecret(deployment []byte, visit func(ciphertext string) error) error {
	s := &scanner{data: deployment, limit: storedDepth}
	_, err := s.secrets(0, visit)
	return err
}

func (s *scanner) secrets(at int, visit func(string) error) (int, error) {
	c, at := s.peek(at)
	switch c {
	case '[':
		return s.array(at, func(at int) (int, error) { return s.secrets(at, visit) })
	case '{':
	default:
		return s.value(at)
	}
	marked, ciphertext := false, ""
	end, err := s.object(at, func(name []byte, at int) (int, error) {
		end, err := s.secrets(at, visit)
		if err != nil {
			return end, err
		}
		switch string(name) {
		case signatureKey:
			marked = textOf(s.data[at:end]) == secretSignature
		case "ciphertext":
			ciphertext = textOf(s.data[at:end])
		}
		return end, nil
	})
	if err == nil && marked && ciphertext != "" {
		err = visit(ciphertext)
	}
	return end, err
}
