package soak

import (
	"context"
	"crypto/tls"
	"time"
)

// A session cache in a role's manner says that each client has one of its own.
func resuming(version uint16) manner {
	return manner{version: version, sessions: tls.NewLRUClientSessionCache(1)}
}

// roles are all clients of the day.
func roles() []role {
	nobody := always(func(p *people) *person { return p.nobody })
	steady := always(func(p *people) *person { return p.steady })
	named := always(func(p *people) *person { return p.named })
	rsa := always(func(p *people) *person { return p.rsa })
	chained := always(func(p *people) *person { return p.chained })
	fickle := oneOf(func(p *people) []*person { return []*person{p.coming, p.going, p.suspended} })
	coming := always(func(p *people) *person { return p.coming })
	refused := oneOf(func(p *people) []*person { return p.refused })
	known := oneOf(func(p *people) []*person { return []*person{p.nobody, p.steady, p.named, p.chained} })
	const ms = time.Millisecond
	tls12, h2 := manner{version: tls.VersionTLS12}, manner{protocols: []string{"h2"}}
	h2of12 := manner{version: tls.VersionTLS12, protocols: []string{"h2"}}
	return []role{
		{"kept, nobody", 1, nobody, manner{}, (*worker).kept, 100 * ms},
		{"kept, believed", 1, named, manner{}, (*worker).kept, 100 * ms},
		{"kept, TLS 1.2", 1, rsa, tls12, (*worker).kept, 100 * ms},
		{"kept, intermediate", 1, chained, manner{}, (*worker).kept, 100 * ms},
		{"kept, CA comes and goes", 2, fickle, manner{}, (*worker).kept, 100 * ms},
		{"kept, to be revoked", 2, leaving, manner{}, (*worker).kept, 100 * ms},
		{"kept, to expire", 2, shortLived, manner{}, (*worker).kept, 100 * ms},
		{"one request", 1, known, manner{}, (*worker).single, 200 * ms},
		{"one request, refused", 2, refused, manner{}, (*worker).single, 300 * ms},
		{"resumed", 1, steady, resuming(0), (*worker).single, 150 * ms},
		{"resumed, TLS 1.2", 1, steady, resuming(tls.VersionTLS12), (*worker).single, 150 * ms},
		{"resumed, nobody", 1, nobody, resuming(0), (*worker).single, 150 * ms},
		{"resumed, CA comes and goes", 1, coming, resuming(0), (*worker).single, 150 * ms},
		{"resumed, to be revoked", 1, leaving, resuming(0), (*worker).single, 150 * ms},
		{"resumed, to be revoked, TLS 1.2", 1, leaving, resuming(tls.VersionTLS12), (*worker).single, 150 * ms},
		{"resumed, to expire", 1, shortLived, resuming(0), (*worker).single, 150 * ms},
		{"HTTP/2, nobody", 1, nobody, h2, (*worker).streams, 200 * ms},
		{"HTTP/2, believed", 1, named, h2of12, (*worker).streams, 200 * ms},
		{"HTTP/2, CA comes and goes", 1, fickle, h2, (*worker).streams, 200 * ms},
		{"HTTP/2, to be revoked", 1, leaving, h2, (*worker).streams, 200 * ms},
		{"HTTP/2, to expire", 1, shortLived, h2, (*worker).streams, 200 * ms},
		{"HTTP/2, refused", 1, refused, h2, (*worker).streams, 400 * ms},
		{"WebSocket, believed", 1, steady, manner{}, (*worker).tunnel, 200 * ms},
		{"WebSocket, CA comes and goes", 1, fickle, manner{}, (*worker).tunnel, 200 * ms},
		{"WebSocket, to be revoked", 1, leaving, manner{}, (*worker).tunnel, 200 * ms},
		{"WebSocket, to expire", 1, shortLived, manner{}, (*worker).tunnel, 200 * ms},
		{"event stream, to be revoked", 1, leaving, manner{}, (*worker).listens, 200 * ms},
		{"event stream, to expire", 1, shortLived, manner{}, (*worker).listens, 200 * ms},
		{"event stream, CA comes and goes", 1, fickle, manner{}, (*worker).listens, 200 * ms},
		{"slow upload, to be revoked", 1, leaving, manner{}, (*worker).uploadsForLong, 200 * ms},
		{"slow upload, to expire", 1, shortLived, manner{}, (*worker).uploadsForLong, 200 * ms},
		{"uploads", 2, known, manner{}, (*worker).uploads, 300 * ms},
		{"downloads", 2, known, manner{}, (*worker).downloads, 300 * ms},
		{"pipelining", 1, known, manner{}, (*worker).pipelined, 300 * ms},
		{"barred path", 1, nobody, manner{}, (*worker).barred, 300 * ms},
		{"aborts", 2, known, manner{}, (*worker).aborts, 200 * ms},
		{"slow", 3, known, manner{narrow: true}, (*worker).slow, 500 * ms},
		{"hostile", 2, known, manner{}, (*worker).hostile, 150 * ms},
		{"plain HTTP", 1, nobody, manner{}, (*worker).plain, 500 * ms},
	}
}

// kept makes many requests on one connection, at the pace of somebody who clicks.
func (w *worker) kept(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	for range 5 + w.random.IntN(60) {
		m := w.small()
		m.must = l.who.certificate != nil && w.random.IntN(4) == 0
		w.asks(l, m)
		if l.over || !w.pause(ctx, 60*time.Millisecond) {
			return
		}
	}
}

// single makes one request or two; what it resumes was begun under other files than today's.
func (w *worker) single(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	w.asks(l, w.small())
}

func (w *worker) uploads(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	for range 1 + w.random.IntN(4) {
		m := w.upload(pick(w.random, []int{1 << 10, 64 << 10, 3 << 20}))
		if w.random.IntN(5) == 0 {
			m = w.refusedUpload()
		}
		w.asks(l, m)
		if l.over || !w.pause(ctx, 100*time.Millisecond) {
			return
		}
	}
}

func (w *worker) downloads(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	for range 1 + w.random.IntN(4) {
		w.asks(l, w.download(pick(w.random, []int{4 << 10, 256 << 10, 3 << 20})))
		if l.over || !w.pause(ctx, 100*time.Millisecond) {
			return
		}
	}
}

// barred asks for what is behind a certificate without having one.
func (w *worker) barred(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	m := w.small()
	m.must = true
	w.asks(l, m)
}
