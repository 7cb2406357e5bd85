// Package plugin holds what the bridged providers of this module have in common.
package plugin

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// Version is the version under which a plugin registers. The linker sets it to the version of the installed Python
// SDK, because that is the version that the engine asks for; a plugin without one refuses to start.
var Version string

// Schema returns the package schema of name and version alone. A complete one serves code generators; the engine and
// Python programs need no more than this.
func Schema(name string) []byte {
	schema, err := json.Marshal(map[string]string{"name": name, "version": Version})
	if err != nil {
		panic(fmt.Sprintf("encode the schema of %s: %v", name, err)) // Two strings always encode.
	}
	return schema
}

// NoMetadata is for providers that have nothing computed in advance: the official plugins embed a file made by the
// schema generator, which mostly holds aliases of older releases.
func NoMetadata() *tfbridge.MetadataInfo {
	return Metadata(map[string]any{})
}

// Metadata wraps values that the official plugins compute when they are generated, and that we compute at start.
func Metadata(values map[string]any) *tfbridge.MetadataInfo {
	encoded, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("encode the provider metadata: %v", err)) // Only maps of strings and numbers come here.
	}
	return tfbridge.NewProviderMetadata(encoded)
}
