package remote

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// loopback is a transfer to a server in this process, which has the same files.
func loopback(t *testing.T) *transfer {
	t.Helper()
	here, there := net.Pipe()
	server, err := sftp.NewServer(there)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve() }()
	client, err := sftp.NewClientPipe(here, here)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	return &transfer{client}
}

// tree lists the files below a folder, as "path=content".
func tree(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		found = append(found, name+"="+string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhereCopiesGo(t *testing.T) {
	for _, test := range []struct {
		name, source, destination, want, problem string
	}{
		{"a file to a new name", "file", "new", "folder/old=0 new=1 taken=0", ""},
		{"a file into a folder", "file", "folder", "folder/file=1 folder/old=0 taken=0", ""},
		{"a file over a file", "file", "taken", "folder/old=0 taken=1", ""},
		{"a file below missing folders", "file", "a/b/c", "a/b/c=1 folder/old=0 taken=0", ""},
		{"a folder to a new name", "dir", "new", "folder/old=0 new/dir/in/x=2 new/dir/y=3 taken=0", ""},
		{"a folder into a folder", "dir", "folder", "folder/dir/in/x=2 folder/dir/y=3 folder/old=0 taken=0", ""},
		{"the content of a folder", "dir/", "folder", "folder/in/x=2 folder/old=0 folder/y=3 taken=0", ""},
		{"a folder onto a file", "dir/", "taken", "", "no folder"},
		{"what does not exist", "nothing", "new", "", "nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, to := t.TempDir(), t.TempDir()
			write(t, filepath.Join(from, "file"), "1")
			write(t, filepath.Join(from, "dir/in/x"), "2")
			write(t, filepath.Join(from, "dir/y"), "3")
			write(t, filepath.Join(to, "folder/old"), "0")
			write(t, filepath.Join(to, "taken"), "0")

			err := loopback(t).copyPath(from+"/"+test.source, to+"/"+test.destination)

			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("error %v, want one about %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tree(t, to); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestATextNeedsTheNameOfAFile(t *testing.T) {
	to, transfer := t.TempDir(), loopback(t)

	if err := transfer.writeText(strings.NewReader("text"), to+"/a/b"); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, to); got != "a/b=text" {
		t.Errorf("got %q", got)
	}
	err := transfer.writeText(strings.NewReader("text"), to)
	if err == nil || !strings.Contains(err.Error(), "needs the path of a file") {
		t.Errorf("error %v, want one that asks for a file", err)
	}
}

func TestSourcesThatCannotBeCopied(t *testing.T) {
	path := func() *resource.Asset { return &resource.Asset{Path: "file"} }
	for _, test := range []struct {
		name   string
		source types.AssetOrArchive
		want   string
	}{
		{"a file", types.AssetOrArchive{Asset: path()}, ""},
		{"a text", types.AssetOrArchive{Asset: &resource.Asset{Text: "text"}}, ""},
		{"a folder", types.AssetOrArchive{Archive: &resource.Archive{Path: "dir"}}, ""},
		{"nothing", types.AssetOrArchive{}, "either an asset or an archive"},
		{"two things", types.AssetOrArchive{Asset: path(), Archive: &resource.Archive{Path: "dir"}}, "only one"},
		{"an address", types.AssetOrArchive{Asset: &resource.Asset{URI: "https://example.invalid"}}, "FileAsset"},
		{"a list", types.AssetOrArchive{Archive: &resource.Archive{Assets: map[string]any{"a": path()}}}, "FileArchive"},
	} {
		inputs := CopyToRemoteInputs{Source: test.source}
		if got := inputs.unfit(); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
