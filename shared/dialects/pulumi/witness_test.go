package pulumi_test

import (
	"os"
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

// witness sees every answer of this package's tests.
var witness = guarantee.NewWitness()

func TestMain(m *testing.M) { os.Exit(witness.Verdict(m.Run(), neverFilled)) }

// neverFilled are response properties that this server documents and leaves empty, and why.
var neverFilled = map[string]string{}
