package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// login holds what one endpoint asks of the SSH library, and the connection to the agent that serves it.
type login struct {
	config *ssh.ClientConfig
	agent  io.Closer // nil without an agent
}

func (l *login) close() {
	if l.agent != nil {
		_ = l.agent.Close()
	}
}

// login reads keys and passwords. It fails at once where trying again cannot help.
func (e *Endpoint) login() (*login, error) {
	result := &login{config: &ssh.ClientConfig{User: e.user()}}
	if err := e.pinHostKey(result.config); err != nil {
		return nil, err
	}
	signers, err := e.signers(result)
	if err != nil {
		return nil, err
	}
	if signers != nil {
		result.config.Auth = append(result.config.Auth, ssh.PublicKeysCallback(signers))
	}
	if e.Password != nil {
		result.config.Auth = append(result.config.Auth,
			ssh.Password(*e.Password), ssh.KeyboardInteractive(e.answerAll))
	}
	return result, nil
}

// pinHostKey makes the host key of the endpoint the only one that is accepted. Without one, any key is.
func (e *Endpoint) pinHostKey(config *ssh.ClientConfig) error {
	if e.HostKey == nil || strings.TrimSpace(*e.HostKey) == "" {
		config.HostKeyCallback = ssh.InsecureIgnoreHostKey()
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
	if err != nil {
		return fmt.Errorf("hostKey of %s is no public key like %q: %w", e.Host, "ssh-ed25519 AAAA…", err)
	}
	config.HostKeyCallback = ssh.FixedHostKey(key)
	// A server with keys of several kinds shows the one that the client names first.
	config.HostKeyAlgorithms = algorithms(key.Type())
	return nil
}

// algorithms lists the signatures that a host key of a type can make.
func algorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	return []string{keyType}
}

// signers returns the private key of the endpoint, followed by the ones of its agent; nil if it has neither. The
// library tries public keys once a connection, so both have to be in one list. The agent of the environment is for
// endpoints that come without credentials: one that is gone or does not answer must not stop a login that has its key.
func (e *Endpoint) signers(result *login) (func() ([]ssh.Signer, error), error) {
	var own []ssh.Signer
	if e.PrivateKey != nil {
		signer, err := e.parsePrivateKey()
		if err != nil {
			return nil, fmt.Errorf("privateKey for %s: %w", e.Host, err)
		}
		own = append(own, signer)
	}
	socket := or(e.AgentSocketPath, "")
	if socket == "" && own == nil && e.Password == nil {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" {
		if own == nil {
			return nil, nil
		}
		return func() ([]ssh.Signer, error) { return own, nil }, nil
	}

	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("reach the SSH agent (agentSocketPath, or else SSH_AUTH_SOCK): %w", err)
	}
	result.agent = conn
	client := agent.NewClient(conn)
	return func() ([]ssh.Signer, error) {
		held, err := client.Signers()
		return slices.Concat(own, held), err
	}, nil
}

func (e *Endpoint) parsePrivateKey() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
	}
	signer, err := ssh.ParsePrivateKey([]byte(*e.PrivateKey))
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, fmt.Errorf("%w: give it as privateKeyPassword", err)
	}
	return signer, err
}

// answerAll gives the password to each question of a server that asks by itself, as PAM does.
func (e *Endpoint) answerAll(_, _ string, questions []string, _ []bool) ([]string, error) {
	return slices.Repeat([]string{*e.Password}, len(questions)), nil
}
