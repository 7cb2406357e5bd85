// Command pulumi-resource-hcloud is Pulumi's plugin for Hetzner Cloud, built from Hetzner's Terraform provider.
package main

import (
	"context"

	"github.com/hetznercloud/terraform-provider-hcloud/hcloud"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"clawdet.com/engine/providers/internal/plugin"
)

const name = "hcloud"

func main() {
	ctx := context.Background()
	pfbridge.MainWithMuxer(ctx, name, provider(ctx), plugin.Schema(name))
}

func provider(ctx context.Context) tfbridge.ProviderInfo {
	// Hetzner's provider is moving from Terraform's older SDK to its framework, so it comes as two halves.
	info := tfbridge.ProviderInfo{
		P: pfbridge.MuxShimWithPF(ctx, shimv2.NewProvider(hcloud.Provider()), hcloud.NewPluginProvider()),

		Name:         name,
		Version:      plugin.Version,
		MetadataInfo: plugin.NoMetadata(),
		Resources: map[string]*tfbridge.ResourceInfo{
			"hcloud_server": {PreCheckCallback: fillAliasIPs},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("hcloud_", "index", tokens.MakeStandard(name)))
	stringIDs(&info)
	info.SetAutonaming(255, "-")

	// Which half serves what is written down at start; the official plugin reads it from a generated file.
	dispatch, err := info.P.(dispatcher).ResolveDispatch(&info)
	if err != nil {
		panic(err) // A token without a provider behind it: nothing that this process could do about it.
	}
	info.MetadataInfo = plugin.Metadata(map[string]any{"mux": dispatch})
	return info
}

type dispatcher interface {
	ResolveDispatch(info *tfbridge.ProviderInfo) (muxer.DispatchTable, error)
}

// stringIDs declares every id a string, which is all that Pulumi knows, also where Hetzner's provider has a number.
func stringIDs(info *tfbridge.ProviderInfo) {
	info.P.ResourcesMap().Range(func(key string, res shim.Resource) bool {
		if id, ok := res.Schema().GetOk("id"); ok && id.Type() != shim.TypeString {
			if info.Resources[key].Fields == nil {
				info.Resources[key].Fields = map[string]*tfbridge.SchemaInfo{}
			}
			info.Resources[key].Fields["id"] = &tfbridge.SchemaInfo{Type: "string"}
		}
		return true
	})
}

// fillAliasIPs gives each network of a server an empty list of alias addresses where there is none. Without it the
// provider sees a difference at each update (terraform-provider-hcloud issue 650). The official plugin does the same.
func fillAliasIPs(
	_ context.Context, config resource.PropertyMap, _ resource.PropertyMap,
) (resource.PropertyMap, error) {
	networks, ok := config["networks"]
	if !ok || !networks.IsArray() {
		return config, nil
	}
	for _, network := range networks.ArrayValue() {
		if !network.IsObject() {
			continue
		}
		if _, ok := network.ObjectValue()["aliasIps"]; !ok {
			network.ObjectValue()["aliasIps"] = resource.NewArrayProperty(nil)
		}
	}
	return config, nil
}
