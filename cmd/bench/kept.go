package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
)

// kept is a session whose connection stays.
type kept struct {
	conn    *tls.Conn
	request []byte
	answers *answers
}

func newKept(ctx context.Context, to target, w work) (session, error) {
	conn, err := to.dial(ctx, to.config)
	if err != nil {
		return nil, err
	}
	return &kept{conn, w.request, newAnswers(conn, w.answer)}, nil
}

func (k *kept) exchange() error {
	if _, err := k.conn.Write(k.request); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	return k.answers.next()
}

func (k *kept) close() { _ = k.conn.Close() }

// rotating is a session that has several connections and uses each in its turn: many
// are open, few are busy.
type rotating struct {
	all  []session
	next int
}

func (r *rotating) exchange() error {
	r.next = (r.next + 1) % len(r.all)
	return r.all[r.next].exchange()
}

func (r *rotating) close() {
	for _, one := range r.all {
		one.close()
	}
}

// fresh is a session that connects for each request, and resumes or does not.
type fresh struct {
	ctx     context.Context //nolint:containedctx // as long as a run
	to      target
	config  *tls.Config
	request []byte
	want    []byte
	resumed bool
}

// newFresh makes the first connection, from which the next can be resumed.
func newFresh(ctx context.Context, to target, w work) (session, error) {
	f := &fresh{ctx: ctx, to: to, config: to.config.Clone(), request: w.request, want: w.answer}
	if !w.resumed {
		return f, nil
	}
	f.config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if err := f.exchange(); err != nil {
		return nil, err
	}
	f.resumed = true
	return f, nil
}

func (f *fresh) exchange() error {
	conn, err := f.to.dial(f.ctx, f.config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if conn.ConnectionState().DidResume != f.resumed {
		if f.resumed {
			return errors.New("the session is not resumed")
		}
		return errors.New("the session is resumed")
	}
	if _, err := conn.Write(f.request); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	return newAnswers(io.Reader(conn), f.want).next()
}

func (f *fresh) close() {}
