package blob_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// checkpoint makes documents like those of the Pulumi CLI: compact JSON, a manifest whose time changes with every update, and a
// long list of resources with inputs that come back in the outputs.
type checkpoint struct {
	rng       *rand.Rand
	at        time.Time
	resources [][]byte
}

func newCheckpoint(size int) *checkpoint {
	c := &checkpoint{rng: rand.New(rand.NewPCG(1, 2)), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for total := 0; total < size; {
		r := c.resource()
		c.resources = append(c.resources, r)
		total += len(r) + 1
	}
	return c
}

func (c *checkpoint) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return hex.EncodeToString(b)
}

func (c *checkpoint) resource() []byte {
	kinds := []string{"aws:s3/bucket:Bucket", "aws:lambda/function:Function", "aws:iam/role:Role", "kubernetes:apps/v1:Deployment"}
	kind := kinds[c.rng.IntN(len(kinds))]
	name := fmt.Sprintf("%s-%s", strings.ToLower(kind[strings.LastIndex(kind, ":")+1:]), c.hex(4))
	inputs := map[string]any{
		"name":        name,
		"description": strings.Repeat("managed by the platform team; ", 1+c.rng.IntN(4)),
		"tags":        map[string]string{"owner": "team-" + c.hex(2), "cost-center": c.hex(3), "environment": "production"},
		"policy":      `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + name + `/*"}]}`,
		"memorySize":  128 * (1 + c.rng.IntN(16)),
		"__defaults":  []string{},
	}
	outputs := map[string]any{
		"arn": "arn:aws:service:eu-central-1:" + fmt.Sprint(100000000000+c.rng.Int64N(899999999999)) + ":" + name,
		"id":  name, "versionId": c.hex(16), "sourceCodeHash": c.hex(32), "lastModified": "2026-02-11T09:12:44.000+0000",
	}
	for k, v := range inputs {
		outputs[k] = v
	}
	r, err := json.Marshal(map[string]any{
		"urn": "urn:pulumi:production::shop::" + kind + "::" + name, "custom": true, "id": name, "type": kind, "inputs": inputs, "outputs": outputs,
		"parent":               "urn:pulumi:production::shop::pulumi:pulumi:Stack::shop-production",
		"provider":             "urn:pulumi:production::shop::pulumi:providers:aws::default_6_22_2::4c3e1d5c-7f3b-4f62-9b0e-2d9f4f3b6a11",
		"propertyDependencies": map[string]any{"policy": nil, "tags": nil},
		"created":              "2026-02-11T09:12:44.000Z", "modified": c.at.Format(time.RFC3339Nano),
	})
	if err != nil {
		panic(err)
	}
	return r
}

// change replaces, inserts or removes one resource somewhere, a minute later.
func (c *checkpoint) change() {
	c.at = c.at.Add(time.Minute)
	i := c.rng.IntN(len(c.resources))
	switch c.rng.IntN(4) {
	case 0:
		c.resources = append(c.resources[:i:i], append([][]byte{c.resource()}, c.resources[i:]...)...)
	case 1:
		c.resources = append(c.resources[:i:i], c.resources[i+1:]...)
	default:
		c.resources[i] = c.resource()
	}
}

func (c *checkpoint) document() []byte {
	var doc strings.Builder
	fmt.Fprintf(&doc, `{"version":3,"deployment":{"manifest":{"time":%q,"magic":%q},"secrets_providers":{"type":"service"},"resources":[`,
		c.at.Format(time.RFC3339Nano), c.hex(32))
	for i, r := range c.resources {
		if i > 0 {
			doc.WriteByte(',')
		}
		doc.Write(r)
	}
	doc.WriteString(`],"metadata":{}}}`)
	return []byte(doc.String())
}
