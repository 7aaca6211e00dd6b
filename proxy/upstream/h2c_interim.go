package upstream

import (
	"context"
	"net/http"
	"net/textproto"
	"sync"

	"mtls-sidecar/proxy/http1"
)

// h2cInterim passes interim answers on. net/http tells of them on the goroutine
// that reads the whole connection, which a slow client must not stop.
type h2cInterim struct {
	send   func(head []byte) error
	limit  int // bytes that may wait
	cancel context.CancelCauseFunc

	sender  sync.WaitGroup
	mu      sync.Mutex
	waiting [][]byte
	size    int
	busy    bool
	over    bool
}

func (i *h2cInterim) start(send func([]byte) error, limit int, cancel context.CancelCauseFunc) {
	i.send, i.limit, i.cancel = send, limit, cancel
}

var (
	errSwitching    = &http1.Error{Status: 502, Text: "the application switches protocols, which HTTP/2 does not have"} // RFC 9113 §8.6
	errInterimFlood = &http1.Error{Status: 502, Text: "the application sends interim answers faster than the client takes them"}
)

// got takes one interim answer. Its error resets the stream.
func (i *h2cInterim) got(status int, header textproto.MIMEHeader) error {
	if status == http.StatusSwitchingProtocols {
		return errSwitching
	}
	head, err := appendFields(appendStatus(nil, status), http.Header(header))
	if err != nil {
		return err
	}
	head = append(head, "\r\n"...)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over {
		return nil
	}
	if i.size += len(head); i.size > i.limit {
		return errInterimFlood
	}
	i.waiting = append(i.waiting, head)
	if !i.busy {
		i.busy = true
		i.sender.Go(i.sendAll)
	}
	return nil
}

func (i *h2cInterim) sendAll() {
	for head := i.next(); head != nil; head = i.next() {
		if err := i.send(head); err != nil {
			i.cancel(err)
			return // still busy: nothing more is sent
		}
	}
}

func (i *h2cInterim) next() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.waiting) == 0 {
		i.busy = false
		return nil
	}
	head := i.waiting[0]
	i.waiting = i.waiting[1:]
	i.size -= len(head)
	return head
}

// settle waits until nothing more will be sent; what still waits is sent first,
// unless the exchange has failed.
func (i *h2cInterim) settle(failed bool) {
	i.mu.Lock()
	i.over = true
	if failed {
		i.waiting = nil
	}
	i.mu.Unlock()
	i.sender.Wait()
}
