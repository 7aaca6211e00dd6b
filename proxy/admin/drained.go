package admin

import (
	"net/http"
	"time"

	"go.uber.org/zap"
)

// drained waits until a drain is over: the application's preStop hook asks for it,
// so that the application stays until nobody asks it anything any more. It starts
// nothing, since anybody can ask for it; and it does not wait for a drain that
// nobody has begun, since the kubelet runs preStop hooks after a failed liveness
// probe, too.
func (s *Server) drained(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	// A read in the background notices when the client goes away, without end.
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Time{})
	status, text := s.awaitDrained(r)
	if status == 0 {
		return // nobody is there any more
	}
	_ = control.SetReadDeadline(time.Now().Add(readTimeout))
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
	say(w, status, text)
}

func (s *Server) awaitDrained(r *http.Request) (status int, text string) {
	over, stop := s.after(drainPatience)
	defer stop()
	begun := s.options.Draining
	for {
		select {
		case <-s.options.Drained:
			return http.StatusOK, "drained"
		default:
		}
		select {
		case <-s.options.Drained:
		case <-begun:
			begun, over = nil, nil // from here on only the end counts
		case <-over:
			over = nil
			select {
			case <-begun: // both at once
				continue
			default:
			}
			return http.StatusServiceUnavailable, "no drain has begun within " + drainPatience.String() +
				": run mtls-sidecar drain in the sidecar's preStop hook, or send it SIGTERM"
		case <-s.closing:
			select {
			case <-s.options.Drained: // both at once: that is what was asked for
			default:
				return http.StatusServiceUnavailable, "the sidecar stops without waiting for the end of the drain: a signal told it to hurry"
			}
		case <-r.Context().Done():
			return 0, ""
		}
	}
}

// drainHeader is what a request to begin a drain must carry. No form can send it,
// and no script of another site without being allowed to first (Fetch §3.3,
// CORS preflight).
const drainHeader, drainWord = "Mtls-Sidecar", "drain"

// drain begins one.
func (s *Server) drain(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(drainHeader) != drainWord {
		say(w, http.StatusForbidden, "a drain begins by the command mtls-sidecar drain, or by this request with the header "+drainHeader+": "+drainWord)
		return
	}
	if !s.options.Drain() {
		say(w, http.StatusOK, "a drain has begun before; /drained answers when it is over")
		return
	}
	s.options.Log.Info("a drain was asked for", zap.String("client.address", asker(r)))
	say(w, http.StatusOK, "a drain has begun; /drained answers when it is over")
}
