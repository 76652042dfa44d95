package pulumi_test

import (
	"maps"
	"net/http"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func init() { maps.Copy(samples, auditSamples) }

// logged samples a row that reads the audit log, in which something stands.
func logged(below string) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		administrator(p).fresh()
		return at(http.MethodGet, "/orgs/"+p.Org+"/auditlogs"+below, nil)
	}
}

var auditSamples = map[string]guarantee.Sample{
	"ListAuditLogEventsHandlerV1":   logged("?startTime=4000000000&endTime=1"),
	"ListAuditLogEventsHandlerV2":   logged("/v2?startTime=1&endTime=4000000000"),
	"ExportAuditLogEventsHandlerV1": logged("/export?startTime=4000000000&endTime=1"),
	"ExportAuditLogEventsHandlerV2": logged("/v2/export?startTime=1&endTime=4000000000"),
}
