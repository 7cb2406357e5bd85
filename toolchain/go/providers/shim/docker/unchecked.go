package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/docker/api/types"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// unchecked configures the provider as upstream does, apart from the ping of the daemon.
func unchecked(d *schema.ResourceData) (any, diag.Diagnostics) {
	config := provider.Config{
		Host:     d.Get("host").(string),
		Ca:       d.Get("ca_material").(string),
		Cert:     d.Get("cert_material").(string),
		Key:      d.Get("key_material").(string),
		CertPath: d.Get("cert_path").(string),
	}
	for _, opt := range d.Get("ssh_opts").([]any) {
		config.SSHOpts = append(config.SSHOpts, opt.(string))
	}
	client, err := config.NewClient()
	if err != nil {
		return nil, diag.Errorf("set up the client of Docker at %s: %s", config.Host, err)
	}
	auth, err := registryAuth(d.Get("registry_auth").(*schema.Set))
	if err != nil {
		return nil, diag.FromErr(err)
	}
	return &provider.ProviderConfig{DockerClient: client, AuthConfigs: auth}, nil
}

// registryAuth reads the credentials of registries: as given, else from a Docker config given as text, else from a
// Docker config file.
func registryAuth(blocks *schema.Set) (*provider.AuthConfigs, error) {
	auth := &provider.AuthConfigs{Configs: map[string]types.AuthConfig{}}
	for _, item := range blocks.List() {
		block := item.(map[string]any)
		address := block["address"].(string)
		if !strings.Contains(address, "://") {
			address = "https://" + address
		}
		_, host, _ := strings.Cut(address, "://")
		host, _, _ = strings.Cut(host, "/")

		entry := types.AuthConfig{
			ServerAddress: address,
			Username:      block["username"].(string),
			Password:      block["password"].(string),
		}
		if entry.Username == "" {
			found, err := fromConfig(host, block["config_file_content"].(string), block["config_file"].(string))
			if err != nil {
				return nil, fmt.Errorf("read the credentials of registry %s: %w", host, err)
			}
			entry.Username, entry.Password = found.Username, found.Password
		}
		auth.Configs[host] = entry
	}
	return auth, nil
}

// credentials are what a Docker config has for one registry; empty is anonymous.
type credentials struct{ Username, Password string }

func fromConfig(host, content, path string) (credentials, error) {
	if content == "" && path != "" {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				return credentials{}, err
			}
			path = filepath.Join(home, rest)
		}
		read, err := os.ReadFile(path)
		if err != nil {
			return credentials{}, err
		}
		content = string(read)
	}
	if content == "" {
		return credentials{}, nil
	}
	config := configfile.New("")
	if err := config.LoadFromReader(strings.NewReader(content)); err != nil {
		return credentials{}, err
	}
	found, err := config.GetAuthConfig(host)
	return credentials{found.Username, found.Password}, err
}
