package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxProbeBody is how much of the application's answer is passed on. The kubelet
// reads 10 KiB.
const maxProbeBody = 64 << 10

// CheckPath tells whether a path may be relayed to the application for probes
// (MTLS_ADMIN_UPSTREAM_PATHS): absolute, and one that everybody reads in the same
// way, since it is compared byte for byte.
func CheckPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("the path %q does not begin with a slash; write it as the application serves it, such as /healthz", path)
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`?#%;\`, c) >= 0 {
			return fmt.Errorf("the path %q has a %q in it; choose a path of plain characters, without a query", path, c)
		}
	}
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
			return fmt.Errorf("the path %q can be read in two ways; write it without empty segments and dots for folders", path)
		}
	}
	return nil
}

// probe passes a probe on to the application, which listens on loopback, where the
// kubelet cannot reach it. Only the path goes there, and it is one of the
// configuration's; status, kind and body come back.
func (s *Server) probe(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	// What reads in the background would take its end for the client's.
	_ = control.SetReadDeadline(time.Now().Add(probeTimeout + readTimeout))
	_ = control.SetWriteDeadline(time.Now().Add(probeTimeout + writeTimeout))
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()

	status, kind, body, err := s.ask(ctx, r.Method, strings.TrimPrefix(r.RequestURI, "/upstream"))
	switch {
	case r.Context().Err() != nil:
		// The prober has given up, and the application is not to blame.
	case errors.Is(err, context.DeadlineExceeded):
		say(w, http.StatusGatewayTimeout, "the application gave no answer within "+probeTimeout.String()+"; look at its log")
	case err != nil:
		say(w, http.StatusBadGateway, "the application cannot be asked: "+err.Error())
	default:
		// Its page must not act in the name of this port.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		if kind == "" {
			kind = "application/octet-stream"
		}
		send(w, status, kind, body)
	}
}

// ask gets the beginning of the application's answer.
func (s *Server) ask(ctx context.Context, method, path string) (status int, kind string, body []byte, err error) {
	answer, err := s.options.Probe(ctx, method, path)
	if err != nil {
		return 0, "", nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 599 {
		return 0, "", nil, fmt.Errorf("its status code %d is none of an answer; look at what listens there", answer.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxProbeBody))
	if err != nil {
		return 0, "", nil, fmt.Errorf("reading its answer: %w", err)
	}
	return answer.StatusCode, answer.Header.Get("Content-Type"), body, nil
}
