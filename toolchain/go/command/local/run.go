package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// Run is the function local.run: a command that runs at each preview and each update.
type Run struct{}

// RunInputs are the arguments of local.run.
type RunInputs struct {
	ProcessInputs
	Command string `pulumi:"command"`
}

// RunOutputs are the results of local.run.
type RunOutputs struct {
	RunInputs
	ProcessOutputs
}

var _ infer.Fn[RunInputs, RunOutputs] = Run{}

// Annotate documents the function.
func (r *Run) Annotate(a infer.Annotator) {
	a.Describe(&r, "Runs a command on this machine at each preview and each update.")
}

// Annotate documents the arguments.
func (i *RunInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Command, "The command to run.")
}

// Invoke runs the command.
func (Run) Invoke(
	ctx context.Context, req infer.FunctionRequest[RunInputs],
) (infer.FunctionResponse[RunOutputs], error) {
	outputs := RunOutputs{RunInputs: req.Input}
	err := run(ctx, req.Input.Command, req.Input.ProcessInputs, &outputs.ProcessOutputs)
	return infer.FunctionResponse[RunOutputs]{Output: outputs}, err
}
