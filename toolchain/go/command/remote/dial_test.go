package remote

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func ptr[T any](value T) *T { return &value }

func TestALimitOfFailuresAllowsOneMoreAttempt(t *testing.T) {
	for _, limit := range []int{0, 1, 3} {
		attempts := 0
		_, err := persist(context.Background(), "Dial", limit, func() (int, error) {
			attempts++
			return 0, errors.New("refused")
		})
		if attempts != limit+1 || err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("limit %d: %d attempts and error %v, want %d attempts and the last error", limit, attempts, err, limit+1)
		}
	}
}

func TestWithoutALimitOnlyACancelEndsTheAttempts(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	attempts := 0
	_, err := persist(ctx, "Dial", -1, func() (int, error) {
		if attempts++; attempts == 3 {
			cancel()
		}
		return 0, errors.New("refused")
	})
	if attempts != 3 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d attempts and error %v, want 3 and a cancel", attempts, err)
	}
}

// silent accepts connections and never says a word, as a machine does whose SSH server is not up yet.
func silent(t *testing.T) *Connection {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	port := float64(listener.Addr().(*net.TCPAddr).Port)
	return &Connection{Endpoint: Endpoint{Host: "127.0.0.1", Port: &port, DialErrorLimit: ptr(0)}}
}

func TestAServerThatNeverAnswersTimesOut(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	connection := silent(t)
	connection.PerDialTimeout = ptr(1)
	started := time.Now()

	_, err := connection.Dial(context.Background())

	if err == nil || !strings.Contains(err.Error(), "no SSH login within 1s") {
		t.Errorf("error %v, want the time limit", err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %s to notice", took)
	}
}

func TestACancelEndsALogin(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	connection := silent(t)
	connection.PerDialTimeout = ptr(0)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()

	if _, err := connection.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the one of the context", err)
	}
}

func TestUnreadableKeysFailAtOnce(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	for _, test := range []struct {
		endpoint Endpoint
		want     string
	}{
		{Endpoint{Host: "h", HostKey: ptr("not a key")}, "hostKey of h"},
		{Endpoint{Host: "h", PrivateKey: ptr("not a key")}, "privateKey for h"},
		{Endpoint{Host: "h", AgentSocketPath: ptr("/nonexistent")}, "agentSocketPath"},
	} {
		connection := &Connection{Endpoint: test.endpoint}
		if _, err := connection.Dial(context.Background()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one about %q", err, test.want)
		}
	}
}

func TestAnAgentIsAskedWhereNothingElseLogsIn(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "/nonexistent")
	for _, test := range []struct {
		endpoint Endpoint
		asked    bool
	}{
		{Endpoint{Host: "h"}, true},
		{Endpoint{Host: "h", PrivateKey: ptr(privateKey(t))}, false},
		{Endpoint{Host: "h", Password: ptr("secret")}, false},
		{Endpoint{Host: "h", Password: ptr("secret"), AgentSocketPath: ptr("/nonexistent")}, true},
	} {
		if _, err := test.endpoint.login(); (err != nil) != test.asked {
			t.Errorf("error %v, although an agent that is gone matters here: %t", err, test.asked)
		}
	}
}

func privateKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func TestAnRSAHostKeyIsAskedForByItsSignatures(t *testing.T) {
	if got := strings.Join(algorithms("ssh-rsa"), " "); got != "rsa-sha2-512 rsa-sha2-256 ssh-rsa" {
		t.Errorf("algorithms %q: a server of today signs with no other RSA than SHA-2", got)
	}
	if got := algorithms("ssh-ed25519"); len(got) != 1 || got[0] != "ssh-ed25519" {
		t.Errorf("algorithms %q, want the type itself", got)
	}
}
