// Command polyplane runs the whole control plane on one machine.
package main

import (
	"os"

	"github.com/polyplane/polyplane/shared/boot/standalone"
)

func main() { os.Exit(standalone.Main(os.Args[1:])) }
