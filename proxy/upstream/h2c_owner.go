package upstream

import (
	"net/http"
	"slices"
	"time"
)

// h2cGroup is what one owner has. Were a connection shared, one client could
// stop all others on it: with an upload that nobody reads, which fills the window
// of the connection (RFC 9113 §5.2.2), or with resets, of which applications
// take so many on a connection before they end it.
type h2cGroup struct {
	conns   []*h2cConn // with streams; the one that is to be filled first comes first
	dialing *h2cDial   // that takes waiters
}

// The functions of H2C below are called with its lock held, unless they say
// otherwise.

func (h *H2C) group(owner any) *h2cGroup {
	g := h.groups[owner]
	if g == nil {
		g = new(h2cGroup)
		h.groups[owner] = g
	}
	return g
}

// drop forgets an owner that has nothing: owners are clients, which come and go.
func (h *H2C) drop(owner any, g *h2cGroup) {
	if len(g.conns) == 0 && g.dialing == nil {
		delete(h.groups, owner)
	}
}

// reserve takes a stream of the first connection of the owner that has one, else
// of the one that was nobody's for the shortest time, so that surplus ones grow
// old.
func (h *H2C) reserve(owner any) *h2cConn {
	if g := h.groups[owner]; g != nil {
		for _, c := range g.conns {
			if c.Reserve() == nil {
				c.streams++
				return c
			}
		}
	}
	for last := h.idle.Back(); last != nil; last = h.idle.Back() {
		c := h.idle.Remove(last).(*h2cConn)
		c.at = nil
		if c.Reserve() == nil {
			c.streams = 1
			h.keep(c, owner)
			return c
		}
		go h.retire(c) // the application takes no more on it
	}
	return nil
}

// keep gives a connection to an owner, or to nobody if it has no stream. It
// reports false if there are enough of nobody's: then it is to be retired.
func (h *H2C) keep(c *h2cConn, owner any) bool {
	switch {
	case c.gone:
		return true
	case c.streams > 0:
		c.owner = owner
		g := h.group(owner)
		g.conns = append(g.conns, c)
	case h.idle.Len() >= h.config.MaxIdle:
		return false
	default:
		c.at = h.idle.PushBack(c)
	}
	h.conns[c] = struct{}{}
	return true
}

// take takes a connection away from whoever has it.
func (h *H2C) take(c *h2cConn) {
	if c.at != nil {
		h.idle.Remove(c.at)
		c.at = nil
	}
	if g := h.groups[c.owner]; g != nil {
		if i := slices.Index(g.conns, c); i >= 0 {
			g.conns = slices.Delete(g.conns, i, i+1)
			h.drop(c.owner, g)
		}
	}
	c.owner = nil
}

// release gives a stream back. whole is whether both sides have said all they had
// to say on it. A connection on which one was cut goes to no other owner: what is
// left of its window, and how many resets the application has counted, nobody
// knows. The lock is not held.
func (h *H2C) release(c *h2cConn, whole bool) {
	h.mu.Lock()
	c.streams--
	c.cut = c.cut || !whole
	retire := false
	if c.streams == 0 && !c.gone {
		h.take(c)
		retire = c.cut || !h.keep(c, nil)
	}
	h.mu.Unlock()
	if retire {
		h.retire(c)
	}
}

// forget is told that a connection is closed. The lock is not held.
func (h *H2C) forget(c *h2cConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.gone = true
	h.take(c)
	delete(h.conns, c)
}

// retire closes a connection that has no more streams of ours, as soon as net/http
// has written what resets them and the application has heard of it. The lock is
// not held.
func (h *H2C) retire(c *h2cConn) {
	c.SetStateHook(closeQuiet)
	closeQuiet(c.ClientConn)
	if c.Err() == nil {
		time.AfterFunc(h.config.lingering, func() { _ = c.Close() })
	}
}

func closeQuiet(c *http.ClientConn) {
	if c.InFlight() == 0 {
		_ = c.Close()
	}
}
