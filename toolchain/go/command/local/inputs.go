// Package local runs commands on the machine of the Pulumi engine.
package local

import (
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// ProcessInputs is what describes a process, for the resource Command and for the function run alike.
type ProcessInputs struct {
	Interpreter            *[]string          `pulumi:"interpreter,optional"`
	Dir                    *string            `pulumi:"dir,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AssetPaths             *[]string          `pulumi:"assetPaths,optional"`
	ArchivePaths           *[]string          `pulumi:"archivePaths,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// Annotate documents the inputs and gives their defaults.
func (i *ProcessInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Interpreter, "The program and the arguments that get the command. Default: /bin/sh -c.")
	a.Describe(&i.Dir, "The folder to run in. It must exist. Default: the one of the Pulumi program.")
	a.Describe(&i.Environment, "Environment variables, added to the ones of the engine.")
	a.Describe(&i.Stdin, "What the command reads from its standard input.")
	a.Describe(&i.Logging, "Which outputs are shown while the command runs. Default: both.")
	a.Describe(&i.AssetPaths, globHelp+" Each is returned as an asset.")
	a.Describe(&i.ArchivePaths, globHelp+" They are returned as one archive.")
	a.Describe(&i.AddPreviousOutputInEnv, "Whether the command finds what the run before it printed in "+
		"PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. Default: true.")
	a.SetDefault(&i.AddPreviousOutputInEnv, true)
}

const globHelp = "Globs of files to collect after the command, below its folder. `*` matches within a folder, `**` " +
	"also across folders, `!` in front takes files out again; the last glob that matches a file decides."

// ProcessOutputs is what a process leaves behind.
type ProcessOutputs struct {
	Stdout  string                           `pulumi:"stdout"`
	Stderr  string                           `pulumi:"stderr"`
	Assets  *map[string]types.AssetOrArchive `pulumi:"assets,optional"`
	Archive *resource.Archive                `pulumi:"archive,optional"`
}

// Annotate documents the outputs.
func (o *ProcessOutputs) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "What the command printed on its standard output, without the last newline.")
	a.Describe(&o.Stderr, "What the command printed on its standard error, without the last newline.")
	a.Describe(&o.Assets, "The files that assetPaths matched, by their path relative to the folder of the command.")
	a.Describe(&o.Archive, "The files that archivePaths matched.")
}

// Logging says which outputs of a command are shown while it runs.
type Logging string

// Values of Logging. No value at all means both outputs.
const (
	LogStdout Logging = "stdout"
	LogStderr Logging = "stderr"
	LogBoth   Logging = "stdoutAndStderr"
	LogNone   Logging = "none"
)

// Values lists the choices for the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Value: LogStdout, Description: "Show the standard output only."},
		{Value: LogStderr, Description: "Show the standard error only."},
		{Value: LogBoth, Description: "Show both outputs."},
		{Value: LogNone, Description: "Show nothing."},
	}
}

func (l *Logging) stdout() bool { return l == nil || *l == LogStdout || *l == LogBoth }
func (l *Logging) stderr() bool { return l == nil || *l == LogStderr || *l == LogBoth }
