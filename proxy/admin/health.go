package admin

import (
	"errors"
	"net/http"
)

// livez says that the program answers, and no more: a restart cures neither an
// expired certificate nor an application that is down.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	say(w, http.StatusOK, "alive")
}

// startupz never asks the application, which a native sidecar is started before:
// it would wait for what waits for it.
func (s *Server) startupz(w http.ResponseWriter, _ *http.Request) {
	if err := s.started(); err != nil {
		say(w, http.StatusServiceUnavailable, "not started: "+err.Error())
		return
	}
	say(w, http.StatusOK, "started")
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.ready(r); err != nil {
		say(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	say(w, http.StatusOK, "ready")
}

func (s *Server) started() error {
	if s.options.Started == nil {
		return nil
	}
	return s.options.Started()
}

func (s *Server) ready(r *http.Request) error {
	if err := s.started(); err != nil {
		return err
	}
	select {
	case <-s.options.Draining:
		return errors.New("draining")
	default:
	}
	if s.options.Ready == nil {
		return nil
	}
	return s.options.Ready(r.Context())
}
