package remote

import (
	"context"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote is the resource remote.CopyToRemote: a file, a folder or a text that is copied to a machine. It is
// copied again when its content or its destination changes, and stays there when the resource is deleted.
type CopyToRemote struct{}

// CopyToRemoteInputs are the inputs of remote.CopyToRemote.
type CopyToRemoteInputs struct {
	Connection *Connection          `pulumi:"connection" provider:"secret"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// CopyToRemoteOutputs are the outputs of remote.CopyToRemote, which are its state.
type CopyToRemoteOutputs struct {
	CopyToRemoteInputs
}

var (
	_ infer.CustomResource[CopyToRemoteInputs, CopyToRemoteOutputs] = CopyToRemote{}
	_ infer.CustomCheck[CopyToRemoteInputs]                         = CopyToRemote{}
	_ infer.CustomUpdate[CopyToRemoteInputs, CopyToRemoteOutputs]   = CopyToRemote{}
)

// Annotate documents the resource.
func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.Describe(&c, "Copies a FileAsset, a StringAsset or a FileArchive to another machine, over SSH.")
}

// Annotate documents the inputs.
func (i *CopyToRemoteInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Connection, "How to connect to the machine.")
	a.Describe(&i.Source, "What to copy, as it is: archives are not unpacked, folders are copied with all they hold.")
	a.Describe(&i.RemotePath, "Where to copy it to. Missing folders on the way are made. A file or folder goes into "+
		"a folder that exists; a file replaces a file.")
	a.Describe(&i.Triggers, "Values of any kind: when one changes, the resource is replaced.")
}

// Check refuses what cannot be copied.
func (CopyToRemote) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[CopyToRemoteInputs], error) {
	inputs, failures, err := infer.DefaultCheck[CopyToRemoteInputs](ctx, req.NewInputs)
	// A source that another resource has yet to make is judged when it is there.
	if err == nil && len(failures) == 0 && !req.NewInputs.Get("source").HasComputed() {
		if reason := inputs.unfit(); reason != "" {
			failures = append(failures, p.CheckFailure{Property: "source", Reason: reason})
		}
	}
	return infer.CheckResponse[CopyToRemoteInputs]{Inputs: inputs, Failures: failures}, err
}

// unfit says why the source cannot be copied; empty if it can.
func (i *CopyToRemoteInputs) unfit() string {
	asset, archive := i.Source.Asset, i.Source.Archive
	switch {
	case asset == nil && archive == nil:
		return "either an asset or an archive must be given"
	case asset != nil && archive != nil:
		return "only one of asset and archive can be given"
	case asset != nil && !asset.IsPath() && !asset.IsText():
		return "an asset must be a FileAsset or a StringAsset"
	case archive != nil && !archive.IsPath():
		return "an archive must be a FileArchive, that is a path of a file or a folder"
	}
	return ""
}

// Create copies the source.
func (CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyToRemoteInputs],
) (infer.CreateResponse[CopyToRemoteOutputs], error) {
	response := infer.CreateResponse[CopyToRemoteOutputs]{Output: CopyToRemoteOutputs{req.Inputs}}
	if req.DryRun {
		return response, nil
	}
	if err := req.Inputs.copy(ctx); err != nil {
		return response, err
	}
	id, err := resource.NewUniqueHex("", 8, 0)
	response.ID = id
	return response, err
}

// Update copies the source again if its content or its destination changed. A changed connection alone copies nothing.
func (CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyToRemoteInputs, CopyToRemoteOutputs],
) (infer.UpdateResponse[CopyToRemoteOutputs], error) {
	response := infer.UpdateResponse[CopyToRemoteOutputs]{Output: CopyToRemoteOutputs{req.Inputs}}
	changed := req.Inputs.hash() != req.State.hash() || req.Inputs.RemotePath != req.State.RemotePath
	if req.DryRun || !changed {
		return response, nil
	}
	return response, req.Inputs.copy(ctx)
}

func (i *CopyToRemoteInputs) hash() string {
	if i.Source.Archive != nil {
		return i.Source.Archive.Hash
	}
	if i.Source.Asset != nil {
		return i.Source.Asset.Hash
	}
	return ""
}

func (i *CopyToRemoteInputs) copy(ctx context.Context) error {
	return withTransfer(ctx, i.Connection, func(t *transfer) error {
		switch {
		case i.Source.Archive != nil:
			return t.copyPath(i.Source.Archive.Path, i.RemotePath)
		case i.Source.Asset.IsText():
			return t.writeText(strings.NewReader(i.Source.Asset.Text), i.RemotePath)
		default:
			return t.copyPath(i.Source.Asset.Path, i.RemotePath)
		}
	})
}
