package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// StreamBody is the type of the Body of an output that is written piece by piece. Make one with Stream.
type StreamBody = func(huma.Context)

// Writer is where a stream goes.
type Writer interface {
	io.Writer
	// Flush sends what was written so far.
	Flush()
	// SetWriteDeadline moves the server's deadline for this answer; the zero time removes it.
	SetWriteDeadline(time.Time) error
}

// Stream makes a body that write produces. The context ends when the client leaves. An error before anything has left is
// answered as any other; after that the connection is cut, so that the client does not take a part for the whole.
func Stream(contentType string, write func(ctx context.Context, w Writer) error) StreamBody {
	return func(c huma.Context) {
		x := c.(*exchange)
		x.SetHeader("Content-Type", contentType)
		status := x.route.op.Status
		if status == 0 {
			status = http.StatusOK
		}
		x.SetStatus(status)
		if x.answer.head {
			return // a stream may have no end
		}
		if err := write(x.Context(), x.answer); err != nil {
			x.fail(err)
		}
	}
}
