package upstream

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where the application is and how long to wait for it.
type Config struct {
	Network, Address string        // tcp or unix, as for net.Dial
	ConnectTimeout   time.Duration // bounds a dial
	IdleTimeout      time.Duration // a connection idle for longer is not used again
	MaxIdle          int           // kept connections at most; 0 is 1024
}

const maxIdle = 1024

// shards is how many stacks the kept connections lie on, so that requests on
// different processors do not meet at one lock.
const shards = 8

// Pool keeps idle connections, the last used first: a burst then leaves the
// surplus to grow old and be closed.
type Pool struct {
	config Config
	stacks [shards]stack
	idle   atomic.Int64
	closed atomic.Bool
	janitor
}

type stack struct {
	mu    sync.Mutex
	conns []*Conn // oldest first
	_     [64]byte
}

// NewPool makes an empty pool; connections are made by Dial and come in by Put.
func NewPool(c Config) *Pool {
	if c.MaxIdle == 0 {
		c.MaxIdle = maxIdle
	}
	return &Pool{config: c}
}

// Get returns a kept connection that still works, or nil. The hint spreads
// callers over the stacks; one that comes back with the same hint finds its own
// connection first.
func (p *Pool) Get(hint uint32, now time.Time) *Conn {
	if p.idle.Load() == 0 {
		return nil
	}
	for i := range uint32(shards) {
		for {
			c := p.stacks[(hint+i)%shards].pop()
			if c == nil {
				break
			}
			p.idle.Add(-1)
			if now.Before(c.expires) && c.quiet() {
				c.reused = true
				return c
			}
			c.Close()
		}
	}
	return nil
}

// Dial makes a fresh connection. The error is net.Dial's.
func (p *Pool) Dial(ctx context.Context) (*Conn, error) {
	dialer := net.Dialer{Timeout: p.config.ConnectTimeout, Control: boundReceived}
	socket, err := dialer.DialContext(ctx, p.config.Network, p.config.Address)
	if err != nil {
		return nil, err
	}
	return newConn(socket), nil
}

// Put keeps a connection whose last exchange was complete. The idle time is
// the pool's, or what the application announced in Keep-Alive: timeout if that
// is shorter (negative: it announced none).
func (p *Pool) Put(c *Conn, hint uint32, now time.Time, announced time.Duration) {
	keep := p.config.IdleTimeout
	if announced >= 0 {
		// A second less than announced: the application's clock starts earlier
		// than ours, and a request that crosses its close on the wire is lost.
		keep = min(keep, announced-time.Second)
	}
	if keep <= 0 || p.closed.Load() || p.idle.Load() >= int64(p.config.MaxIdle) {
		c.Close()
		return
	}
	c.expires = now.Add(keep)
	p.idle.Add(1)
	p.stacks[hint%shards].push(c)
	p.janitor.wake(p)
	if p.closed.Load() {
		p.closeExpired(time.Time{})
	}
}

// Idle is the number of kept connections.
func (p *Pool) Idle() int { return int(p.idle.Load()) }

// Close closes the kept connections and keeps no more.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.janitor.stop()
	p.closeExpired(time.Time{})
}

// closeExpired closes what has been idle too long at now, everything when now
// is zero.
func (p *Pool) closeExpired(now time.Time) {
	for i := range p.stacks {
		for _, c := range p.stacks[i].takeExpired(now) {
			p.idle.Add(-1)
			c.Close()
		}
	}
}

func (s *stack) push(c *Conn) {
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
}

func (s *stack) pop() *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.conns) - 1
	if last < 0 {
		return nil
	}
	c := s.conns[last]
	s.conns[last] = nil
	s.conns = s.conns[:last]
	return c
}

func (s *stack) takeExpired(now time.Time) []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var expired []*Conn
	kept := s.conns[:0]
	for _, c := range s.conns {
		if now.IsZero() || !now.Before(c.expires) {
			expired = append(expired, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(s.conns[len(kept):])
	s.conns = kept
	return expired
}
