// Package shim hands out the Docker provider, which upstream keeps in an internal package, and adds the one setting of
// later releases that reading a registry cannot do without.
package shim

import (
	"context"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

const noDaemonCheck = "disable_docker_daemon_check"

// NewProvider returns the Docker provider, which calls itself by the given version.
//
// By itself it asks the Docker daemon for a sign of life before it does anything, even before it reads a digest from a
// registry, where no daemon takes part. With disable_docker_daemon_check, as in later releases, it does not.
func NewProvider(version string) *schema.Provider {
	docker := provider.New(version)()
	docker.Schema[noDaemonCheck] = &schema.Schema{
		Type:        schema.TypeBool,
		Optional:    true,
		Description: "If true, the provider does not check that the Docker daemon answers",
	}
	checked := docker.ConfigureContextFunc
	docker.ConfigureContextFunc = func(ctx context.Context, d *schema.ResourceData) (any, diag.Diagnostics) {
		if !d.Get(noDaemonCheck).(bool) {
			return checked(ctx, d)
		}
		return unchecked(d)
	}
	return docker
}
