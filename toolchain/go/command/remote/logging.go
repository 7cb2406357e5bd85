package remote

import "github.com/pulumi/pulumi-go-provider/infer"

// Logging says which outputs of a command are shown while it runs. It is a type of its own next to the one of package
// local, because the Python package has two as well.
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
