package output

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestLinesAreShownAsTheyEnd(t *testing.T) {
	var shown []string
	logger := &lineLogger{show: func(line string) { shown = append(shown, line) }}

	for _, piece := range []string{"one\ntw", "o\r\n", "\nrest"} {
		logger.add([]byte(piece))
	}
	if want := []string{"one", "two", ""}; !slices.Equal(shown, want) {
		t.Errorf("shown %q, want %q: only lines that have ended", shown, want)
	}
	logger.flush()
	if last := shown[len(shown)-1]; last != "rest" {
		t.Errorf("shown %q at the end, want the line that never ended", last)
	}
}

func TestALineWithoutEndIsNotKeptForever(t *testing.T) {
	var shown int
	logger := &lineLogger{show: func(line string) { shown += len(line) }}

	for range 100 {
		logger.add([]byte(strings.Repeat("x", 1000)))
	}
	if len(logger.pending) > longestLine {
		t.Errorf("%d bytes pending, want at most %d", len(logger.pending), longestLine)
	}
	if shown+len(logger.pending) != 100_000 {
		t.Errorf("%d bytes shown and %d pending, want 100000 together", shown, len(logger.pending))
	}
}

func TestCaptureKeepsTheOutputsApart(t *testing.T) {
	capture := &Capture{}
	stdout, stderr := capture.Stdout(context.Background(), false), capture.Stderr(context.Background(), false)
	for _, write := range []struct {
		to   interface{ Write([]byte) (int, error) }
		text string
	}{{stdout, "out\n"}, {stderr, "err\n"}, {stdout, "\n"}} {
		if _, err := write.to.Write([]byte(write.text)); err != nil {
			t.Fatal(err)
		}
	}

	if out, err := capture.Texts(); out != "out\n" || err != "err" {
		t.Errorf("texts %q and %q, want one newline less than was printed", out, err)
	}
	failure := capture.Failure("make it so", errors.New("exit status 3"))
	if want := "exit status 3: running \"make it so\":\nout\nerr\n\n"; failure.Error() != want {
		t.Errorf("failure %q, want %q", failure, want)
	}
}
