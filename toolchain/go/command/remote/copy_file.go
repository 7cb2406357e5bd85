package remote

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyFile is the resource remote.CopyFile: one file that is copied when the resource is created.
type CopyFile struct{}

// CopyFileInputs are the inputs of remote.CopyFile. Without an Update, each change of one replaces the resource.
type CopyFileInputs struct {
	Connection *Connection `pulumi:"connection" provider:"secret"`
	LocalPath  string      `pulumi:"localPath"`
	RemotePath string      `pulumi:"remotePath"`
	Triggers   *[]any      `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// CopyFileOutputs are the outputs of remote.CopyFile, which are its state.
type CopyFileOutputs struct {
	CopyFileInputs
}

var _ infer.CustomResource[CopyFileInputs, CopyFileOutputs] = CopyFile{}

// Annotate documents the resource.
func (c *CopyFile) Annotate(a infer.Annotator) {
	a.Describe(&c, "Copies a file to another machine, over SSH.")
	a.Deprecate(&c, "Use CopyToRemote, which copies again when the content of the file changes.")
}

// Annotate documents the inputs.
func (i *CopyFileInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Connection, "How to connect to the machine.")
	a.Describe(&i.LocalPath, "The file to copy.")
	a.Describe(&i.RemotePath, "The file to make or to overwrite.")
	a.Describe(&i.Triggers, "Values of any kind: when one changes, the resource is replaced.")
}

// Create copies the file.
func (CopyFile) Create(
	ctx context.Context, req infer.CreateRequest[CopyFileInputs],
) (infer.CreateResponse[CopyFileOutputs], error) {
	response := infer.CreateResponse[CopyFileOutputs]{Output: CopyFileOutputs{req.Inputs}}
	if req.DryRun {
		return response, nil
	}
	err := withTransfer(ctx, req.Inputs.Connection, func(t *transfer) error {
		return t.copyFile(req.Inputs.LocalPath, req.Inputs.RemotePath)
	})
	if err != nil {
		return response, err
	}
	response.ID, err = resource.NewUniqueHex("", 8, 0)
	return response, err
}
