package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logLevel tells the log's level, or sets it until the program ends.
func (s *Server) logLevel(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		level, err := wantedLevel(r)
		if err != nil {
			w.Header().Set("Connection", "close") // some of the body may be left
			say(w, http.StatusBadRequest, err.Error())
			return
		}
		s.setLevel(level, r.RemoteAddr)
	}
	send(w, http.StatusOK, "application/json", fmt.Appendf(nil, "{\"level\":%q}\n", s.options.Level.String()))
}

// setLevel changes it, and logs the change while the more talkative of the two is in
// force, so that it does not go unseen.
func (s *Server) setLevel(level zapcore.Level, client string) {
	old := s.options.Level.Level()
	if level == old {
		return
	}
	tell := func() {
		s.options.Log.Log(max(zap.InfoLevel, min(old, level)), "log level changed",
			zap.String("client.address", client), zap.Stringer("from", old), zap.Stringer("to", level))
	}
	if level > old {
		tell()
		s.options.Level.SetLevel(level)
		return
	}
	s.options.Level.SetLevel(level)
	tell()
}

var errLevel = errors.New(`say which level: debug, info, warn or error, as ?level=debug or as the body {"level":"debug"}`)

// wantedLevel is what a PUT asks for.
func wantedLevel(r *http.Request) (zapcore.Level, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	if err != nil {
		return 0, fmt.Errorf("reading the body: %w", err)
	}
	asked := r.URL.Query()["level"]
	if len(bytes.TrimSpace(body)) > 0 {
		var wanted struct {
			Level string `json:"level"`
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&wanted); err != nil || decoder.More() || len(body) > maxBodyBytes {
			return 0, errLevel
		}
		asked = append(asked, wanted.Level)
	}
	if len(asked) != 1 {
		return 0, errLevel
	}
	// zap has levels beyond error, on which nothing that went wrong would be told.
	switch asked[0] {
	case "debug":
		return zap.DebugLevel, nil
	case "info":
		return zap.InfoLevel, nil
	case "warn":
		return zap.WarnLevel, nil
	case "error":
		return zap.ErrorLevel, nil
	}
	return 0, errLevel
}
