package local

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"clawdet.com/engine/command/output"
)

// grace is how long the outputs of a killed command are waited for, should a process outside its group hold them open.
const grace = 2 * time.Second

// run executes the command and replaces what outputs has from the run before.
func run(ctx context.Context, command string, in ProcessInputs, outputs *ProcessOutputs) error {
	cmd, err := prepare(ctx, command, in, *outputs)
	if err != nil {
		return err
	}
	capture := &output.Capture{}
	cmd.Stdout = capture.Stdout(ctx, in.Logging.stdout())
	cmd.Stderr = capture.Stderr(ctx, in.Logging.stderr())
	err = cmd.Run()
	capture.Flush()
	if err != nil {
		return capture.Failure(command, err)
	}
	outputs.Stdout, outputs.Stderr = capture.Texts()
	return collect(cmd.Dir, in, outputs)
}

func prepare(ctx context.Context, command string, in ProcessInputs, previous ProcessOutputs) (*exec.Cmd, error) {
	argv := []string{"/bin/sh", "-c"}
	if in.Interpreter != nil && len(*in.Interpreter) > 0 {
		argv = slices.Clone(*in.Interpreter)
	}
	argv = append(argv, command)

	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if in.Dir != nil {
		cmd.Dir = *in.Dir
	} else {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		cmd.Dir = dir
	}
	cmd.Env = environment(in, previous)
	if in.Stdin != nil && *in.Stdin != "" {
		cmd.Stdin = strings.NewReader(*in.Stdin)
	}

	// A shell that is killed leaves its children running, so the command gets a process group, and that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = grace
	return cmd, nil
}

func environment(in ProcessInputs, previous ProcessOutputs) []string {
	env := os.Environ()
	if in.Environment != nil {
		for _, name := range slices.Sorted(maps.Keys(*in.Environment)) {
			env = append(env, name+"="+(*in.Environment)[name])
		}
	}
	if in.AddPreviousOutputInEnv == nil || *in.AddPreviousOutputInEnv {
		if previous.Stdout != "" {
			env = append(env, output.PreviousStdout+"="+previous.Stdout)
		}
		if previous.Stderr != "" {
			env = append(env, output.PreviousStderr+"="+previous.Stderr)
		}
	}
	return env
}
