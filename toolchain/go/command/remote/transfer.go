package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
)

// transfer copies files over one SFTP connection. Files are made with the modes that the server gives them.
type transfer struct {
	sftp *sftp.Client
}

// withTransfer connects, lets the function copy, and closes the connection again.
func withTransfer(ctx context.Context, connection *Connection, copyAll func(*transfer) error) error {
	client, err := connection.Dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, client.Close)
	defer stop()

	// Concurrent writes can leave a hole in a file when one of them fails. The copy then fails too, and is done again.
	files, err := sftp.NewClient(client.Client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return fmt.Errorf("start SFTP on %s, which needs sshd's sftp subsystem: %w", connection.Host, because(ctx, err))
	}
	defer func() { _ = files.Close() }()
	if err := copyAll(&transfer{files}); err != nil {
		return because(ctx, err)
	}
	return nil
}

// copyPath copies a file or a folder to where it belongs:
//
//	source   | destination is a folder | does not exist | is a file
//	---------|-------------------------|----------------|-------------
//	folder   | dest/folder             | dest/folder    | error
//	folder/  | its content into dest   | into dest      | error
//	file     | dest/file               | dest           | dest, replaced
func (t *transfer) copyPath(source, destination string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		existing, err := t.stat(destination)
		if err != nil {
			return err
		}
		if existing != nil && existing.IsDir() {
			destination = path.Join(destination, filepath.Base(source))
		} else if err := t.makeFolder(path.Dir(destination)); err != nil {
			return err
		}
		return t.copyFile(source, destination)
	}
	if !strings.HasSuffix(source, "/") {
		destination = path.Join(destination, filepath.Base(source))
	}
	return t.copyFolder(source, destination)
}

func (t *transfer) copyFolder(source, destination string) error {
	return fs.WalkDir(os.DirFS(source), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := path.Join(destination, name)
		if entry.IsDir() {
			return t.makeFolder(target)
		}
		return t.copyFile(filepath.Join(source, name), target)
	})
}

func (t *transfer) copyFile(source, destination string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := t.write(file, destination); err != nil {
		return fmt.Errorf("copy %s: %w", source, err)
	}
	return nil
}

// writeText writes a text that has no file, and therefore no name by which it could go into a folder.
func (t *transfer) writeText(text io.Reader, destination string) error {
	existing, err := t.stat(destination)
	if err != nil {
		return err
	}
	if existing != nil && existing.IsDir() {
		return fmt.Errorf("remotePath %s is a folder; a text asset needs the path of a file", destination)
	}
	if err := t.makeFolder(path.Dir(destination)); err != nil {
		return err
	}
	return t.write(text, destination)
}

func (t *transfer) write(content io.Reader, destination string) error {
	file, err := t.sftp.Create(destination)
	if err != nil {
		return fmt.Errorf("create remote file %s: %w", destination, err)
	}
	_, err = file.ReadFrom(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write remote file %s: %w", destination, err)
	}
	return nil
}

// makeFolder makes a folder, and the ones above it where they are missing.
func (t *transfer) makeFolder(folder string) error {
	existing, err := t.stat(folder)
	if err != nil {
		return err
	}
	if existing != nil && !existing.IsDir() {
		return fmt.Errorf("remote path %s exists and is no folder", folder)
	}
	if existing == nil {
		if err := t.sftp.MkdirAll(folder); err != nil {
			return fmt.Errorf("make remote folder %s: %w", folder, err)
		}
	}
	return nil
}

// stat returns nil for what does not exist.
func (t *transfer) stat(name string) (fs.FileInfo, error) {
	info, err := t.sftp.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at remote path %s: %w", name, err)
	}
	return info, nil
}
