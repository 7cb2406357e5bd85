package remote

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Command is the resource remote.Command: commands that run on a machine when it is created, updated and deleted.
type Command struct{}

// CommandInputs are the inputs of remote.Command.
type CommandInputs struct {
	Connection             *Connection        `pulumi:"connection" provider:"secret"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
	Triggers               *[]any             `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create                 *string            `pulumi:"create,optional"`
	Update                 *string            `pulumi:"update,optional"`
	Delete                 *string            `pulumi:"delete,optional"`
}

// CommandTexts is what a command printed.
type CommandTexts struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// CommandOutputs are the outputs of remote.Command, which are its state.
type CommandOutputs struct {
	CommandInputs
	CommandTexts
}

var (
	_ infer.CustomResource[CommandInputs, CommandOutputs] = Command{}
	_ infer.CustomUpdate[CommandInputs, CommandOutputs]   = Command{}
	_ infer.CustomDelete[CommandOutputs]                  = Command{}
)

// Annotate documents the resource.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on another machine, over SSH.")
}

// Annotate documents the inputs and gives their defaults.
func (i *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Connection, "How to connect to the machine.")
	a.Describe(&i.Environment, "Environment variables, of which the SSH server takes those that its AcceptEnv names.")
	a.Describe(&i.Stdin, "What the command reads from its standard input.")
	a.Describe(&i.Logging, "Which outputs are shown while the command runs. Default: both.")
	a.Describe(&i.AddPreviousOutputInEnv, "Whether the command finds what the run before it printed in "+
		"PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. Default: true.")
	a.SetDefault(&i.AddPreviousOutputInEnv, true)
	a.Describe(&i.Triggers, "Values of any kind: when one changes, the resource is replaced.")
	a.Describe(&i.Create, "The command to run on creation, and on an update where there is no other for it.")
	a.Describe(&i.Update, "The command to run when an input changed. Default: the one for creation.")
	a.Describe(&i.Delete, "The command to run on deletion. Default: none.")
}

// Annotate documents the outputs.
func (o *CommandTexts) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "What the command printed on its standard output, without the last newline.")
	a.Describe(&o.Stderr, "What the command printed on its standard error, without the last newline.")
}

// Create runs the command for creation.
func (Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandOutputs], error) {
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	response := infer.CreateResponse[CommandOutputs]{ID: id, Output: CommandOutputs{CommandInputs: req.Inputs}}
	if err != nil || req.DryRun || req.Inputs.Create == nil {
		return response, err
	}
	err = req.Inputs.run(ctx, *req.Inputs.Create, &response.Output.CommandTexts)
	return response, err
}

// Update runs the command for updates, else the one for creation.
func (Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	response := infer.UpdateResponse[CommandOutputs]{
		Output: CommandOutputs{CommandInputs: req.Inputs, CommandTexts: req.State.CommandTexts},
	}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	if req.DryRun || command == nil {
		return response, nil
	}
	err := req.Inputs.run(ctx, *command, &response.Output.CommandTexts)
	return response, err
}

// Delete runs the command for deletion.
func (Command) Delete(ctx context.Context, req infer.DeleteRequest[CommandOutputs]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	err := req.State.run(ctx, *req.State.Delete, &req.State.CommandTexts)
	return infer.DeleteResponse{}, err
}
