package proxy

import (
	"time"

	"go.uber.org/zap"
)

// tunnelLine is the access log's last line about a tunnel, which outlives what is
// known of its request. The first is the request's, whose status is 101.
type tunnelLine struct {
	server *Server
	fields []zap.Field
	began  time.Time
}

// tunnelLine is nil unless every request is logged.
func (x *exchange) tunnelLine() *tunnelLine {
	if x.server.config.AccessLog != AccessAll {
		return nil
	}
	k := &x.work.kept
	return &tunnelLine{x.server, []zap.Field{addressField(x.conn.remote),
		zap.String(keyPath, string(k.path)), zap.String(keyRequestID, string(k.requestID))}, x.account.began}
}

// closed writes the line, once both directions have ended.
func (l *tunnelLine) closed(t *tunnel) {
	if l == nil {
		return
	}
	fields := append(l.fields, zap.Float64(keyDuration, time.Since(l.began).Seconds()),
		zap.Int64(keyRequestBody, t.received), zap.Int64(keyAnswerBody, t.sent))
	if t.broken.Load() {
		fields = append(fields, reasonField(reasonCut))
	}
	l.server.log.Info("tunnel closed", fields...)
}
