// Package output collects what a command prints, and shows it while the command runs.
package output

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
)

// Names of the environment variables by which a command finds what the previous run of its resource printed.
const (
	PreviousStdout = "PULUMI_COMMAND_STDOUT"
	PreviousStderr = "PULUMI_COMMAND_STDERR"
)

// Capture collects the two outputs of one command, each by itself and both in the order of their arrival.
type Capture struct {
	mu       sync.Mutex
	stdout   bytes.Buffer
	stderr   bytes.Buffer
	combined bytes.Buffer
	loggers  []*lineLogger
}

// Stdout returns a writer for the command's standard output, which shows each line as a status message if log is set.
func (c *Capture) Stdout(ctx context.Context, log bool) io.Writer {
	return c.writer(ctx, &c.stdout, log)
}

// Stderr is like Stdout, for the standard error.
func (c *Capture) Stderr(ctx context.Context, log bool) io.Writer {
	return c.writer(ctx, &c.stderr, log)
}

// Texts returns what was printed, each without its last newline.
func (c *Capture) Texts() (stdout, stderr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSuffix(c.stdout.String(), "\n"), strings.TrimSuffix(c.stderr.String(), "\n")
}

// Failure describes a command that failed. It names the command and all of its output, whatever the logging says, as
// Pulumi's own plugin does: a secret belongs on the standard input, never into the command.
func (c *Capture) Failure(command string, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("%w: running %q:\n%s", err, command, c.combined.String())
}

// Flush shows what is left of a last line that did not end.
func (c *Capture) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, logger := range c.loggers {
		logger.flush()
	}
}

func (c *Capture) writer(ctx context.Context, own *bytes.Buffer, log bool) io.Writer {
	stream := &stream{capture: c, own: own}
	if log {
		stream.logger = &lineLogger{show: p.GetLogger(ctx).InfoStatus}
		c.loggers = append(c.loggers, stream.logger)
	}
	return stream
}

// stream is one output of the command. The two are written by different goroutines, hence the lock of the capture.
type stream struct {
	capture *Capture
	own     *bytes.Buffer
	logger  *lineLogger
}

func (s *stream) Write(data []byte) (int, error) {
	s.capture.mu.Lock()
	defer s.capture.mu.Unlock()
	s.own.Write(data)
	s.capture.combined.Write(data)
	if s.logger != nil {
		s.logger.add(data)
	}
	return len(data), nil
}

// longestLine bounds what is kept of a line before it is shown, in bytes: a command may print without any newline.
const longestLine = 16 << 10

// lineLogger shows text line by line.
type lineLogger struct {
	show    func(string)
	pending []byte
}

func (l *lineLogger) add(data []byte) {
	l.pending = append(l.pending, data...)
	for {
		line, rest, ended := bytes.Cut(l.pending, []byte("\n"))
		if !ended {
			break
		}
		l.show(strings.TrimSuffix(string(line), "\r"))
		l.pending = rest
	}
	if len(l.pending) > longestLine {
		l.flush()
	}
}

func (l *lineLogger) flush() {
	if len(l.pending) > 0 {
		l.show(string(l.pending))
		l.pending = nil
	}
}
