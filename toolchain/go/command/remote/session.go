package remote

import (
	"context"
	"maps"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"clawdet.com/engine/command/output"
)

// run executes the command on the machine and replaces what outputs has from the run before.
func (i *CommandInputs) run(ctx context.Context, command string, outputs *CommandTexts) error {
	client, err := i.Connection.Dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()

	i.setEnvironment(session, *outputs)
	if i.Stdin != nil && *i.Stdin != "" {
		session.Stdin = strings.NewReader(*i.Stdin)
	}
	capture := &output.Capture{}
	session.Stdout = capture.Stdout(ctx, i.Logging.stdout())
	session.Stderr = capture.Stderr(ctx, i.Logging.stderr())

	// A cancelled update must not wait for the command. The server passes the signal on, where it knows how.
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGTERM)
		client.Close()
	})
	err = session.Run(command)
	stop()
	capture.Flush()
	if err != nil {
		return capture.Failure(command, because(ctx, err))
	}
	outputs.Stdout, outputs.Stderr = capture.Texts()
	return nil
}

// setEnvironment sends the variables. A server refuses those that its AcceptEnv does not name; the command runs anyway.
func (i *CommandInputs) setEnvironment(session *ssh.Session, previous CommandTexts) {
	if i.Environment != nil {
		for _, name := range slices.Sorted(maps.Keys(*i.Environment)) {
			_ = session.Setenv(name, (*i.Environment)[name])
		}
	}
	if !or(i.AddPreviousOutputInEnv, true) {
		return
	}
	if previous.Stdout != "" {
		_ = session.Setenv(output.PreviousStdout, previous.Stdout)
	}
	if previous.Stderr != "" {
		_ = session.Setenv(output.PreviousStderr, previous.Stderr)
	}
}
