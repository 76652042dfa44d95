// Package pulumi brings the stacks of a Pulumi DIY backend into an installation: their checkpoints, histories and tags. It reads the
// backend's files itself, so that neither the backend nor the Pulumi CLI needs to run.
//
// # What it reads
//
// A DIY backend is a tree of files, on a disk or in a bucket (pkg/backend/diy of the client; the layout's documentation is
// https://www.pulumi.com/docs/iac/concepts/state-and-backends/):
//
//	.pulumi/meta.yaml                                     "version: 1", absent in the oldest layout
//	.pulumi/stacks/<project>/<stack>.json                 the current checkpoint
//	.pulumi/stacks/<project>/<stack>.pulumi-tags          tags
//	.pulumi/history/<project>/<stack>/<stack>-<ns>.history.json      one update
//	.pulumi/history/<project>/<stack>/<stack>-<ns>.checkpoint.json   and the checkpoint that it left
//	.pulumi/locks/organization/<project>/<stack>/*.json   there while an update runs
//
// Before projects were known, <project>/ was missing: then the URNs of the checkpoint tell the project. Files may be compressed, with
// gzip or zstd, whatever their name says. A directory without .pulumi is read as one of exports, <project>/<stack>.json or
// <stack>.json, as `pulumi stack export` writes them.
//
// The backend numbers its updates 0, all of them; here they get versions from 1, in order of the time in their file's name. A current
// checkpoint that no update of the history left (an import, an edit, an update that was killed) becomes one more update of kind import.
//
// # Secrets
//
// With the right passphrase, secrets that the passphrase provider sealed are opened and sealed again with the stack's key, in every
// checkpoint and in the configuration of every update, and the provider becomes the service. Without one, and with a provider in a
// cloud, they stay as they are: their client opens them as before.
//
// # Interruption
//
// A stack and the mark that it is being adopted are made in one write, and so is each update and its place in the source. So whoever is
// killed and starts again goes on where the last write ended, and a source that has grown since is brought up to date, as long as
// nobody has updated the stack here.
package pulumi
