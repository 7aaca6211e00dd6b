package proxy

import (
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Refusal is a connection or a request that was turned away, as an operator looks
// at it. Its texts are short. Those that tell of a certificate are empty unless the
// client has proved that it holds its key.
type Refusal struct {
	Time          time.Time
	ClientAddress string // without a port
	RequestID     string // empty: there was no request, or none that could be read
	Path          string // likewise
	Status        int    // of the answer; 0: there was none
	Reason        string // the word that log, metrics and page have for it
	Text          string // what was wrong, in words
	Subject       string // of the client's certificate; RFC 2253's form
	Issuer        string
	Serial        string    // hexadecimal digits
	NotAfter      time.Time // zero: no certificate
	Advice        string    // what an operator can do about it
}

// denial is a refusal on its way to the log, the metrics and the status page.
type denial struct {
	message string // of the line
	reason  string // one word
	text    string // what was wrong
	advice  string // empty: the table's
	conn    *conn
	x       *exchange // nil: there is no request
	status  int       // of the answer; 0: none
	grave   bool      // worth a warning: it is not the client's fault, or worse than one
	fields  []zap.Field
}

// refusals are what is remembered of them.
type refusals struct {
	mu    sync.Mutex
	last  [keptRefusals]Refusal
	count int // so far
	rates refusalRates
}

// keptRefusals is how many are remembered; maxKeptText bounds each of their texts, in bytes.
const (
	keptRefusals = 50
	maxKeptText  = 256
)

// refuse is where every refusal is counted, remembered and logged.
func (s *Server) refuse(d denial) {
	s.metrics.refused(d.reason)
	if d.advice == "" {
		d.advice = remedyOf(d.reason)
	}
	var certificate *x509.Certificate
	var whose certificateNames
	if who := d.conn.peer.Load(); who != nil {
		certificate, whose = who.chain[0], *who.names()
	}
	s.refusals.add(d.remembered(certificate, whose))
	line := s.log.Check(d.level(), d.message)
	if line == nil {
		return
	}
	leftOut, allowed := uint64(0), true
	if s.config.AccessLog != AccessAll {
		leftOut, allowed = s.refusals.rates.allow(d.reason, time.Now())
	}
	if !allowed {
		return
	}
	fields := d.described()
	if certificate != nil {
		fields = append(fields, clientFields(certificate, whose)...)
	}
	fields = append(fields, d.fields...)
	if leftOut > 0 {
		fields = append(fields, zap.Uint64(keyLeftOut, leftOut))
	}
	line.Write(fields...)
}

func (d *denial) level() zapcore.Level {
	if d.grave {
		return zapcore.WarnLevel
	}
	return zapcore.InfoLevel
}

// described are the fields that every refusal has.
func (d *denial) described() []zap.Field {
	fields := make([]zap.Field, 0, 16)
	if d.x != nil {
		fields = append(fields, d.x.requestField())
	} else {
		fields = append(fields, addressField(d.conn.remote))
	}
	fields = append(fields, reasonField(d.reason))
	if d.text != "" {
		fields = append(fields, messageField(d.text))
	}
	if d.status != 0 {
		fields = append(fields, zap.Int(keyStatus, d.status))
	}
	return append(fields, zap.String("advice", d.advice))
}

// remembered is the refusal for the status page.
func (d *denial) remembered(certificate *x509.Certificate, whose certificateNames) Refusal {
	r := Refusal{
		Time: time.Now().UTC(), ClientAddress: d.conn.remote, Status: d.status,
		Reason: d.reason, Text: shortText(d.text, maxKeptText), Advice: d.advice,
	}
	if d.x != nil && d.x.account.parsed {
		k := &d.x.work.kept
		r.RequestID, r.Path = string(k.requestID), shortText(string(k.path), maxKeptText)
	}
	if certificate != nil {
		r.Subject, r.Issuer, r.Serial = shortText(whose.subject, maxKeptText), shortText(whose.issuer, maxKeptText), whose.serial
		r.NotAfter = certificate.NotAfter.UTC()
	}
	return r
}

func (r *refusals) add(one Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[r.count%keptRefusals] = one
	r.count++
}

// Refusals are the last 50, the newest first.
func (s *Server) Refusals() []Refusal {
	r := &s.refusals
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Refusal, 0, min(r.count, keptRefusals))
	for i := range cap(list) {
		list = append(list, r.last[(r.count-1-i)%keptRefusals])
	}
	return slices.Clip(list)
}
