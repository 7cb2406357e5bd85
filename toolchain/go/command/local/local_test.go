package local

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func ptr[T any](value T) *T { return &value }

func TestACommandGetsStdinAndEnvironment(t *testing.T) {
	in := ProcessInputs{Stdin: ptr("secret"), Environment: &map[string]string{"NAME": "value"}}
	var outputs ProcessOutputs

	if err := run(context.Background(), `cat; echo " $NAME"; echo problem >&2`, in, &outputs); err != nil {
		t.Fatal(err)
	}
	if outputs.Stdout != "secret value" || outputs.Stderr != "problem" {
		t.Errorf("stdout %q, stderr %q", outputs.Stdout, outputs.Stderr)
	}
}

func TestTheOutputOfThePreviousRunIsInTheEnvironmentUnlessSwitchedOff(t *testing.T) {
	for _, test := range []struct {
		add  *bool
		want string
	}{{nil, "before"}, {ptr(true), "before"}, {ptr(false), ""}} {
		outputs := ProcessOutputs{Stdout: "before"}
		in := ProcessInputs{AddPreviousOutputInEnv: test.add}

		if err := run(context.Background(), `echo "$PULUMI_COMMAND_STDOUT"`, in, &outputs); err != nil {
			t.Fatal(err)
		}
		if outputs.Stdout != test.want {
			t.Errorf("with addPreviousOutputInEnv %v the command saw %q, want %q", test.add, outputs.Stdout, test.want)
		}
	}
}

func TestAFailureNamesCodeCommandAndOutput(t *testing.T) {
	outputs := ProcessOutputs{Stdout: "before"}

	err := run(context.Background(), "echo why; exit 3", ProcessInputs{Logging: ptr(LogNone)}, &outputs)

	if want := "exit status 3: running \"echo why; exit 3\":\nwhy\n"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if outputs.Stdout != "before" {
		t.Errorf("a failed run left %q as output, want the one before it", outputs.Stdout)
	}
}

func TestCancellingKillsTheChildrenToo(t *testing.T) {
	alive := filepath.Join(t.TempDir(), "alive")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		child := `sh -c 'while :; do touch "` + alive + `"; sleep 0.05; done' & wait`
		done <- run(ctx, child, ProcessInputs{}, &ProcessOutputs{})
	}()
	waitFor(t, func() bool { _, err := os.Stat(alive); return err == nil })

	cancel()
	if err := <-done; err == nil {
		t.Error("a cancelled command succeeded")
	}
	waitFor(t, func() bool {
		_ = os.Remove(alive)
		time.Sleep(200 * time.Millisecond)
		_, err := os.Stat(alive)
		return os.IsNotExist(err)
	})
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 10 s")
		}
	}
}

func TestTheLastGlobThatMatchesDecides(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"assets/logos/logo.svg", "src/index.js", "src/secret.js", "src/deep/more.js", "top.js"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		globs []string
		want  string
	}{
		{[]string{"assets/**", "src/**.js", "!**secret.*"}, "assets/logos/logo.svg src/deep/more.js src/index.js"},
		{[]string{"src/*.js"}, "src/index.js src/secret.js"},
		{[]string{"!src/**", "src/index.js"}, "src/index.js"},
		{[]string{"nothing"}, ""},
	} {
		found, err := match(dir, test.globs)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(found)), " "); got != test.want {
			t.Errorf("%q matches %q, want %q", test.globs, got, test.want)
		}
	}
	if _, err := match(dir, []string{"[a"}); err == nil || !strings.Contains(err.Error(), `"[a"`) {
		t.Errorf("error %v, want one that names the glob", err)
	}
}
