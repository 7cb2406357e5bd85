// Command pulumi-resource-command is a Pulumi plugin that runs commands, here and over SSH, and copies files over SSH.
//
// It stands in for Pulumi's own plugin of that name where that one cannot be downloaded, and serves the same Python
// package, pulumi-command 1.2.1: the same inputs, the same outputs, and the same moments at which a command runs.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-go-provider/infer"

	"clawdet.com/engine/command/local"
	"clawdet.com/engine/command/remote"
)

// version is the version under which the plugin registers. The linker sets it to the one of the Python package.
var version = "0.0.0-dev"

func main() {
	plugin, err := infer.NewProviderBuilder().
		WithResources(
			infer.Resource(local.Command{}),
			infer.Resource(remote.Command{}),
			infer.Resource(remote.CopyToRemote{}),
			infer.Resource(remote.CopyFile{}),
		).
		WithFunctions(infer.Function(local.Run{})).
		WithDisplayName("Command").
		WithDescription("Runs commands on this machine and, over SSH, on others.").
		Build()
	if err == nil {
		err = plugin.Run(context.Background(), "command", version)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}
