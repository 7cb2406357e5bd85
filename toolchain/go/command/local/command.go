package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Command is the resource local.Command: commands that run when it is created, updated and deleted.
type Command struct{}

// CommandInputs are the inputs of local.Command.
type CommandInputs struct {
	ProcessInputs
	Triggers *[]any  `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
}

// CommandOutputs are the outputs of local.Command, which are its state.
type CommandOutputs struct {
	CommandInputs
	ProcessOutputs
}

var (
	_ infer.CustomResource[CommandInputs, CommandOutputs] = Command{}
	_ infer.CustomUpdate[CommandInputs, CommandOutputs]   = Command{}
	_ infer.CustomDelete[CommandOutputs]                  = Command{}
)

// Annotate documents the resource.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on this machine. It has failed when it exits with another code than zero.")
}

// Annotate documents the inputs.
func (i *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Triggers, "Values of any kind: when one changes, the resource is replaced.")
	a.Describe(&i.Create, "The command to run on creation, and on an update where there is no other for it.")
	a.Describe(&i.Update, "The command to run when an input changed. Default: the one for creation.")
	a.Describe(&i.Delete, "The command to run on deletion. Default: none.")
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
	err = run(ctx, *req.Inputs.Create, req.Inputs.ProcessInputs, &response.Output.ProcessOutputs)
	return response, err
}

// Update runs the command for updates, else the one for creation.
func (Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	response := infer.UpdateResponse[CommandOutputs]{
		Output: CommandOutputs{CommandInputs: req.Inputs, ProcessOutputs: req.State.ProcessOutputs},
	}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	if req.DryRun || command == nil {
		return response, nil
	}
	err := run(ctx, *command, req.Inputs.ProcessInputs, &response.Output.ProcessOutputs)
	return response, err
}

// Delete runs the command for deletion.
func (Command) Delete(ctx context.Context, req infer.DeleteRequest[CommandOutputs]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	err := run(ctx, *req.State.Delete, req.State.ProcessInputs, &req.State.ProcessOutputs)
	return infer.DeleteResponse{}, err
}
