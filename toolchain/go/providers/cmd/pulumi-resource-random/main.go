// Command pulumi-resource-random is Pulumi's plugin for random values, built from HashiCorp's Terraform provider.
package main

import (
	"context"
	"errors"

	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/terraform-providers/terraform-provider-random/shim"

	"clawdet.com/engine/providers/internal/plugin"
)

const name = "random"

func main() {
	schema := pfbridge.ProviderMetadata{PackageSchema: plugin.Schema(name)}
	pfbridge.Main(context.Background(), name, provider(), schema)
}

func provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            pfbridge.ShimProvider(shim.NewProvider()),
		Name:         name,
		Version:      plugin.Version,
		MetadataInfo: plugin.NoMetadata(),
		Resources: map[string]*tfbridge.ResourceInfo{
			"random_bytes": {ComputeID: bytesID},
		},
		EnableAccurateBridgePreview: true,
	}
	info.MustComputeTokens(tokens.SingleModule("random_", "index", makeToken))
	return info
}

// makeToken names the types as the official plugin does: random_bytes is RandomBytes, so that no class is named Bytes.
func makeToken(module, typ string) (string, error) {
	return tokens.MakeStandard(name)(module, "Random"+typ)
}

// bytesID gives random bytes an identity, which Terraform's resource has not. It is the value itself, as in the
// official plugin: a program that must not show the value in its state has to know, here as there.
func bytesID(_ context.Context, state resource.PropertyMap) (resource.ID, error) {
	value := state["base64"]
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	if !value.IsString() {
		return "", errors.New("random bytes came without their base64 form")
	}
	return resource.ID(value.StringValue()), nil
}
