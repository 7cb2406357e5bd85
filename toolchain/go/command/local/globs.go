package local

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// collect gathers the files that a command left in its folder, as the inputs ask for.
func collect(dir string, in ProcessInputs, outputs *ProcessOutputs) error {
	outputs.Assets, outputs.Archive = nil, nil
	if in.AssetPaths != nil {
		found, err := match(dir, *in.AssetPaths)
		if err != nil {
			return err
		}
		assets := make(map[string]types.AssetOrArchive, len(found))
		for name, asset := range found {
			assets[name] = types.AssetOrArchive{Asset: asset}
		}
		outputs.Assets = &assets
	}
	if in.ArchivePaths != nil {
		found, err := match(dir, *in.ArchivePaths)
		if err != nil {
			return err
		}
		members := make(map[string]any, len(found))
		for name, asset := range found {
			members[name] = asset
		}
		if outputs.Archive, err = resource.NewAssetArchive(members); err != nil {
			return fmt.Errorf("build the archive of %s: %w", dir, err)
		}
	}
	return nil
}

// rule is one glob, which takes files in, or out again.
type rule struct {
	pattern glob.Glob
	exclude bool
}

func compile(globs []string) ([]rule, error) {
	rules := make([]rule, 0, len(globs))
	for _, text := range globs {
		body, exclude := strings.CutPrefix(text, "!")
		pattern, err := glob.Compile(body, '/')
		if err != nil {
			return nil, fmt.Errorf("glob %q: %w", text, err)
		}
		rules = append(rules, rule{pattern, exclude})
	}
	return rules, nil
}

// match returns the files below dir that the globs take, by their path relative to dir.
func match(dir string, globs []string) (map[string]*resource.Asset, error) {
	rules, err := compile(globs)
	if err != nil {
		return nil, err
	}
	assets := map[string]*resource.Asset{}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		taken := false
		for _, rule := range rules {
			if rule.pattern.Match(name) {
				taken = !rule.exclude
			}
		}
		if taken {
			assets[name], err = resource.NewPathAsset(path.Join(dir, name))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("collect files of %s: %w", dir, err)
	}
	return assets, nil
}
