// Package shim hands out the random provider, which upstream keeps in an internal package.
package shim

import (
	tfprovider "github.com/hashicorp/terraform-plugin-framework/provider"

	"github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// NewProvider returns the random provider.
func NewProvider() tfprovider.Provider {
	return provider.New()
}
