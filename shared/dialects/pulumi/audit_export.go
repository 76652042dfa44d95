package pulumi

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/audit"
)

type exportAuditLogsIn struct {
	AuditLogQuery
	Format string `query:"format" enum:"csv,cef" default:"csv"`
}

// exportAuditLogsOut is compressed whatever the client accepts: that is how this row is documented, and what its clients rely on.
type exportAuditLogsOut struct {
	ContentEncoding string `header:"Content-Encoding"`
	Body            api.StreamBody
}

// exportAuditLogsV1 exports what listAuditLogsV1 lists, all of it.
func (d dialect) exportAuditLogsV1(ctx context.Context, in *exportAuditLogsIn) (*exportAuditLogsOut, error) {
	return d.exportAuditLogs(ctx, in, boundsV1)
}

// exportAuditLogsV2 exports what listAuditLogsV2 lists, all of it.
func (d dialect) exportAuditLogsV2(ctx context.Context, in *exportAuditLogsIn) (*exportAuditLogsOut, error) {
	return d.exportAuditLogs(ctx, in, boundsV2)
}

// How an export keeps a slow client's connection and lets go of one that takes nothing.
const (
	exportBatch   = 500             // events
	exportPerStep = 2 * time.Minute // for each batch
)

func (d dialect) exportAuditLogs(ctx context.Context, in *exportAuditLogsIn, bounds func(AuditLogQuery) (auditLogBounds, error)) (*exportAuditLogsOut, error) {
	a := access.Of(ctx)
	f, err := d.auditFilter(a, in.AuditLogQuery, bounds)
	if err != nil {
		return nil, err
	}
	entries, err := audit.Export(ctx, d.Ports, a.Organization.ID, f, strings.ToUpper(in.Format))
	if err != nil {
		return nil, err
	}
	write := writeCSV
	if in.Format == "cef" {
		write = writeCEF
	}
	return &exportAuditLogsOut{ContentEncoding: "gzip", Body: api.Stream("text/plain; charset=utf-8", func(_ context.Context, w api.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		paced := func(yield func(audit.Entry, error) bool) {
			n := 0
			for e, err := range entries {
				if n%exportBatch == 0 {
					_ = w.SetWriteDeadline(d.Now().Add(exportPerStep)) // where the server knows no deadlines there is none to move
				}
				if n++; !yield(e, err) {
					return
				}
			}
		}
		if err := write(z, paced); err != nil {
			return err
		}
		return z.Close()
	})}, nil
}

// auditColumns is the first line of a CSV export.
var auditColumns = []string{
	"Timestamp", "Name", "Login", "Event", "Description", "SourceIP", "RequireOrgAdmin", "RequireStackAdmin", "AuthenticationFailure",
}

// writeCSV writes entries as CSV (RFC 4180, but lines end with LF as the vendor's do).
func writeCSV(w io.Writer, entries iter.Seq2[audit.Entry, error]) error {
	c := csv.NewWriter(w)
	if err := c.Write(auditColumns); err != nil {
		return err
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := c.Write([]string{
			e.At.UTC().Format(time.RFC3339), inert(e.Actor.Name), inert(e.Actor.Login), inert(auditEvent(e.Slug)), inert(e.Description),
			inert(e.SourceIP), strconv.FormatBool(e.OrganizationAdmin), strconv.FormatBool(e.StackAdmin), strconv.FormatBool(e.Refused),
		}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// inert keeps spreadsheets from taking a text that somebody chose for a formula: one that could begin a formula gets a leading
// apostrophe, which they take for "this is text" (https://owasp.org/www-community/attacks/CSV_Injection).
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// Severities of events, from 0 to 10.
const (
	severityUsual   = 3
	severityAdmin   = 6
	severityRefused = 7
)

var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\r\n", " ", "\n", " ", "\r", " ")
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\r\n", `\n`, "\n", `\n`, "\r", `\r`)
)

// writeCEF writes entries in ArcSight's Common Event Format, version 0, one a line: in the header a pipe and a backslash are escaped and
// there are no line breaks; in the extension an equal sign, a backslash and line breaks are escaped.
func writeCEF(w io.Writer, entries iter.Seq2[audit.Entry, error]) error {
	for e, err := range entries {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, cefLine(e)); err != nil {
			return err
		}
	}
	return nil
}

func cefLine(e audit.Entry) string {
	severity, outcome := severityUsual, "success"
	switch {
	case e.Refused:
		severity, outcome = severityRefused, "failure"
	case e.OrganizationAdmin || e.StackAdmin:
		severity = severityAdmin
	}
	var b strings.Builder
	fmt.Fprintf(&b, "CEF:0|Pulumi|Pulumi Service|1|%s|%s|%d|", cefHeader.Replace(e.Slug), cefHeader.Replace(auditEvent(e.Slug)), severity)
	separator := ""
	add := func(key, value string) {
		if value != "" {
			b.WriteString(separator + key + "=" + cefValue.Replace(value))
			separator = " "
		}
	}
	add("rt", strconv.FormatInt(e.At.UnixMilli(), 10))
	add("externalId", e.ID)
	if ip, err := netip.ParseAddr(e.SourceIP); err == nil && ip.Unmap().Is4() {
		add("src", ip.Unmap().String()) // defined as an IPv4 address
	} else if e.SourceIP != "" {
		add("c6a2Label", "Source IPv6 Address")
		add("c6a2", e.SourceIP)
	}
	add("suser", e.Actor.Login)
	add("suid", e.Actor.ID)
	add("outcome", outcome)
	add("msg", e.Description)
	for i, custom := range [][2]string{
		{"Name", e.Actor.Name}, {"RequireOrgAdmin", strconv.FormatBool(e.OrganizationAdmin)}, {"RequireStackAdmin", strconv.FormatBool(e.StackAdmin)},
		{"TokenName", e.Actor.TokenName}, {"RequestID", e.RequestID},
	} {
		if custom[1] != "" {
			n := strconv.Itoa(i + 1)
			add("cs"+n+"Label", custom[0])
			add("cs"+n, custom[1])
		}
	}
	b.WriteByte('\n')
	return b.String()
}
