package standalone_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/standalone"
)

// The tests run the program as a process of its own: this test binary, started again, becomes it when the environment says so.
const (
	asProgram  = "POLYPLANE_TEST_AS_PROGRAM"
	clockAhead = "POLYPLANE_TEST_CLOCK_AHEAD" // a duration by which the process's clock is ahead
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	var h standalone.Hooks
	if ahead, err := time.ParseDuration(os.Getenv(clockAhead)); err == nil {
		h.Now = func() time.Time { return time.Now().Add(ahead).UTC() }
	}
	os.Exit(standalone.Program(os.Args[1:], h))
}

const fixedToken = "0123456789abcdef0123456789abcdef01234567"

// dataDir is a directory with a short path, as sockets need one.
func dataDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "pp-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir + "/data"
}

// command is the program with arguments, in an environment without settings of its own but those given.
func command(args []string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "POLYPLANE_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, asProgram+"=1"), env...)
	return cmd
}

// ended runs the program to its end.
func ended(t testing.TB, args []string, env ...string) (status int, out, errs string) {
	t.Helper()
	cmd := command(args, env...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// process is a program that serves.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	dir      string
	greeting string
	gateway  string // base URL
	pulumi   string // base URL of the dialect's own port
	began    time.Time
	mu       sync.Mutex
	errs     bytes.Buffer
	over     chan error
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errs.Write(b)
}

func (p *process) log() string { p.mu.Lock(); defer p.mu.Unlock(); return p.errs.String() }

var shown = regexp.MustCompile(`(?m)^  (gateway|pulumi|token) {2,}(\S+)`)

// serve starts the program on a data directory and free ports, and waits for its greeting.
func serve(t testing.TB, dir string, env ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, over: make(chan error, 1), began: time.Now()}
	p.cmd = command([]string{"--data", dir, "--addr", "127.0.0.1:0"}, env...)
	p.cmd.Stderr = p
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	var text bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(text.String(), "pulumi up\n") {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		require.NoError(t, err, "the program ended without a greeting: %s", p.log())
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		p.over <- p.cmd.Wait()
	}()
	p.greeting = text.String()
	for _, m := range shown.FindAllStringSubmatch(p.greeting, -1) {
		switch m[1] {
		case "gateway":
			p.gateway = m[2]
		case "pulumi":
			p.pulumi = m[2]
		}
	}
	return p
}

// token is what the greeting shows, or "".
func (p *process) token() string {
	for _, m := range shown.FindAllStringSubmatch(p.greeting, -1) {
		if m[1] == "token" {
			return m[2]
		}
	}
	return ""
}

// stop asks the process to end and returns its exit status.
func (p *process) stop() int {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	return p.wait()
}

func (p *process) wait() int {
	<-p.over
	return p.cmd.ProcessState.ExitCode()
}

// kill ends the process as a power cut would, but for what the operating system still holds.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.over
}

// get makes a plain request and returns its status and body.
func get(t testing.TB, url, token string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "token "+token)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}
