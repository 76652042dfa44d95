package standalone

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/polyplane/polyplane/shared/migrate/pulumi"
)

// meter shows how far an import is: as a bar where a person looks, else as a line now and then.
type meter struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	began    time.Time
	shown    time.Time
	stack    string
}

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
	barWidth  = 24
)

func newMeter(out io.Writer, now func() time.Time) *meter {
	m := &meter{out: out, now: now, began: now()}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		m.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return m
}

func (m *meter) show(p pulumi.Progress) {
	now := m.now()
	every := lineEvery
	if m.terminal {
		every = barEvery
	}
	if now.Sub(m.shown) < every && (m.terminal || p.Stack == m.stack) {
		return
	}
	m.shown, m.stack = now, p.Stack
	line := fmt.Sprintf("stack %d of %d, update %d of %d%s  %s", min(p.Stacks+1, p.AllStacks), p.AllStacks, p.Updates, p.AllUpdates, m.left(p, now), p.Stack)
	if !m.terminal {
		fmt.Fprintln(m.out, line)
		return
	}
	full := 0
	if p.AllBytes > 0 {
		full = int(barWidth * p.Bytes / p.AllBytes)
	}
	fmt.Fprintf(m.out, "\r\x1b[K[%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), line)
}

// left says how long it will take yet, once that can be told.
func (m *meter) left(p pulumi.Progress, now time.Time) string {
	took := now.Sub(m.began)
	if took < time.Second || p.Bytes == 0 {
		return ""
	}
	rest := time.Duration(float64(took) * float64(p.AllBytes-p.Bytes) / float64(p.Bytes))
	return fmt.Sprintf(", %s left", rest.Round(time.Second))
}

// clear removes the bar.
func (m *meter) clear() {
	if m.terminal {
		fmt.Fprint(m.out, "\r\x1b[K")
	}
}

// summarize prints what became of each stack and what its people must do, and returns an error when anything was skipped.
func summarize(out io.Writer, o importOrder, end importEnd) error {
	var b strings.Builder
	skipped, sealed, kept := 0, false, false
	if len(end.Outcomes) > 0 {
		t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
		fmt.Fprintln(t, "STACK\tRESULT\tUPDATES\tRESOURCES\tSECRETS")
		for _, s := range end.Outcomes {
			result := string(s.Result)
			switch {
			case s.Result == pulumi.Skipped:
				skipped++
			case o.DryRun && s.Result != pulumi.UpToDate:
				result = "would be " + result
			}
			secrets := fmt.Sprint(s.Secrets)
			switch {
			case s.Result == pulumi.Skipped:
			case s.Sealed:
				sealed = true
				secrets += " (service)"
			case s.Secrets > 0:
				kept = true
				secrets += " (as before)"
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\n", s.Stack, result, s.Updates, s.Resources, secrets)
		}
		_ = t.Flush()
	}
	var remarks strings.Builder
	for _, s := range end.Outcomes {
		if s.Why != "" {
			fmt.Fprintf(&remarks, "%s was skipped: %s\n", s.Stack, s.Why)
		}
		for _, remark := range s.Remarks {
			fmt.Fprintf(&remarks, "%s: %s\n", s.Stack, remark)
		}
	}
	if remarks.Len() > 0 {
		b.WriteString("\n" + remarks.String())
	}
	if len(end.Outcomes) == 0 && end.Error == "" {
		b.WriteString("There are no stacks in the source.\n")
	}
	if !o.DryRun {
		b.WriteString(advice(end, sealed, kept))
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	switch {
	case end.Error != "":
		return errors.New(end.Error)
	case skipped == 1:
		return errors.New("1 stack was skipped")
	case skipped > 1:
		return fmt.Errorf("%d stacks were skipped", skipped)
	}
	return nil
}

// advice says what the stacks' people do next. What it says of the configuration file is the client's doing: a file with a salt makes it
// seal by passphrase, whatever the state says, and change-secrets-provider opens the file's secrets with the one and seals them with the
// other.
func advice(end importEnd, sealed, kept bool) string {
	stack := ""
	for _, s := range end.Outcomes {
		if s.Result != pulumi.Skipped {
			stack = end.Org + "/" + s.Stack
		}
	}
	if stack == "" {
		return ""
	}
	at := end.URL
	if at == "" {
		at = "<address of the installation>"
	}
	text := fmt.Sprintf("\nNext, in the directory of each program:\n  pulumi login %s\n  pulumi stack select %s\n", at, stack)
	if sealed {
		text += `  PULUMI_CONFIG_PASSPHRASE=... pulumi stack change-secrets-provider default

The last one is for stacks whose secrets the service has now (service). Their state needs no passphrase any more, but the secrets in
Pulumi.STACK.yaml still do, and as long as that file has an encryptionsalt the next update seals the state by passphrase again. The
command seals the file's secrets anew and takes the salt out: once for each stack, then commit the file. Whoever prefers the passphrase
leaves it out and goes on as before.
`
		text += fmt.Sprintf("Clients must log in to %s exactly: the stacks' state names it as the place that opens their secrets.\n", at)
	}
	if kept {
		text += "\nStacks whose secrets stay as they were (as before) need the same passphrase or key as before, and nothing else.\n"
	}
	return text
}
