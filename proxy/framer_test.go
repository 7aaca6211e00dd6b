package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"go.uber.org/zap"
)

// net/http tells a fault by the kind of error, its code (RFC 9113 §7) and a name of
// its own: see Go's net/http, HTTP2Config.CountError.
func TestFaultsThatTheFramerFindsAreCountedByWhatTheyAre(t *testing.T) {
	for name, want := range map[string]Event{
		"stream_PROTOCOL_ERROR_over_max_streams":           H2StreamLimit,
		"stream_REFUSED_STREAM_over_max_streams_race":      H2StreamLimit,
		"conn_ENHANCE_YOUR_CALM_too_many_early_resets":     H2Resets,
		"frame_headers_zero_stream":                        H2ProtocolError,
		"conn_PROTOCOL_ERROR_headers_even":                 H2ProtocolError,
		"stream_FLOW_CONTROL_ERROR_flow_on_data_length":    H2ProtocolError,
		"conn_FLOW_CONTROL_ERROR_setting_win_size":         H2ProtocolError,
		"stream_STREAM_CLOSED_headers_half_closed":         H2ProtocolError,
		"stream_STREAM_CLOSED_closed":                      eventCount, // none: a body whose answer came early
		"a name that the next version of Go may come with": H2ProtocolError,
	} {
		s, _ := partServer(&Config{})
		s.countFault(name)
		for event := range eventCount {
			if got := s.Count(event); (got == 1) != (event == want) {
				t.Errorf("%s: event %d is counted %d times", name, event, got)
			}
		}
	}
}

func TestAFramerGivesItsConnectionsToNetHTTPUntilItIsClosed(t *testing.T) {
	s := &Server{config: &Config{}, log: zap.NewNop()}
	f := newFramer(s)
	here, there := net.Pipe()
	defer there.Close()
	go func() { f.conns <- here }()
	if got, err := f.Accept(); got != here || err != nil {
		t.Errorf("Accept gives %v, %v; want the connection", got, err)
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := f.Accept()
		accepted <- err
	}()
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := await(t, "Accept returns", accepted); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close, Accept gives %v, want %v", err, net.ErrClosed)
	}
}

// A connection whose handshake ends while a shutdown does is not forgotten.
func TestAConnectionThatComesAfterTheFramersEndIsClosed(t *testing.T) {
	s := &Server{config: &Config{}, log: zap.NewNop()}
	s.framer, s.late = newFramer(s), newFramer(s)
	s.framer.goAway()
	s.late.goAway()
	here, there := net.Pipe()
	c := newConn(s, here, "")
	c.tls = tls.Server(&c.wire, &tls.Config{})
	s.conns.add(c)
	s.serveStreams(c)
	if n, err := there.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client gets %d bytes and %v, want the end", n, err)
	}
	s.conns.drain()
	await(t, "no connection is left", s.conns.empty)
	s.framer.stop()
	s.late.stop()
}
