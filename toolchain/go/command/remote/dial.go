package remote

import (
	"context"
	"fmt"
	"net"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/retry"
	"golang.org/x/crypto/ssh"
)

// Client is an SSH connection together with all that it stands on: a bastion, and agents.
type Client struct {
	*ssh.Client
	below []func()
}

// Close ends the connection, and then the ones that carried it.
func (c *Client) Close() {
	if c.Client != nil {
		_ = c.Client.Close()
	}
	for i := len(c.below) - 1; i >= 0; i-- {
		c.below[i]()
	}
}

// Dial connects and logs in. It tries again after a failure of any kind, because a machine that starts refuses first
// the connection and then the key.
func (c *Connection) Dial(ctx context.Context) (_ *Client, err error) {
	client := &Client{}
	defer func() {
		if err != nil {
			client.Close()
		}
	}()
	target, err := c.login()
	if err != nil {
		return nil, err
	}
	client.below = append(client.below, target.close)

	dial, message := dialDirectly, "Dial"
	if c.Proxy != nil {
		bastion, err := c.Proxy.dial(ctx, client)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		dial, message = bastion.DialContext, "Dial from proxy"
	}
	client.Client, err = persist(ctx, message, c.dialErrorLimit(), func() (*ssh.Client, error) {
		return handshake(ctx, dial, &c.Endpoint, target.config)
	})
	return client, err
}

// dial connects to a bastion, which client closes when it is itself closed.
func (c *ProxyConnection) dial(ctx context.Context, client *Client) (*ssh.Client, error) {
	login, err := c.login()
	if err != nil {
		return nil, err
	}
	client.below = append(client.below, login.close)
	bastion, err := persist(ctx, "Dial proxy", c.dialErrorLimit(), func() (*ssh.Client, error) {
		return handshake(ctx, dialDirectly, &c.Endpoint, login.config)
	})
	if err != nil {
		return nil, err
	}
	client.below = append(client.below, func() { _ = bastion.Close() })
	return bastion, nil
}

// dialer opens a stream to an address.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func dialDirectly(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// handshake makes one attempt. Its time limit covers the login too: a machine that starts may accept a connection long
// before it answers on it.
func handshake(ctx context.Context, dial dialer, endpoint *Endpoint, config *ssh.ClientConfig) (*ssh.Client, error) {
	if timeout := endpoint.dialTimeout(); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no SSH login within %s", timeout))
		defer cancel()
	}
	conn, err := dial(ctx, "tcp", endpoint.address())
	if err != nil {
		return nil, because(ctx, err)
	}
	// A stream through a bastion knows no deadline, but any stream can be closed under the login.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	sshConn, channels, requests, err := ssh.NewClientConn(conn, endpoint.address(), config)
	if err != nil {
		_ = conn.Close()
		return nil, because(ctx, err)
	}
	if !stop() {
		_ = sshConn.Close()
		return nil, context.Cause(ctx)
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}

// because prefers the reason for which a context ended over the error that this has caused.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// persist repeats an attempt at growing intervals, until it has failed more than limit times. -1 is no limit.
func persist[T any](ctx context.Context, what string, limit int, attempt func() (T, error)) (T, error) {
	var result T
	done, _, err := retry.Until(ctx, retry.Acceptor{
		Accept: func(try int, _ time.Duration) (bool, any, error) {
			var err error
			if result, err = attempt(); err == nil {
				return true, nil, nil
			}
			failed := try + 1
			if limit >= 0 && failed > limit {
				return true, nil, fmt.Errorf("after %d failed attempts: %w", failed, err)
			}
			p.GetLogger(ctx).InfoStatusf("%s %d/%s failed: retrying", what, failed, limitText(limit))
			return false, nil, nil
		},
	})
	if err == nil && !done {
		err = context.Cause(ctx)
	}
	return result, err
}

func limitText(limit int) string {
	if limit < 0 {
		return "inf"
	}
	return fmt.Sprint(limit)
}
