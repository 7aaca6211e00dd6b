package trust

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestTheEndOfItsContextEndsAFetchAtOnce(t *testing.T) {
	noLeaks(t)
	der := mintCRL(t, newWorld(t).root, 1)
	stages := map[string]func(w http.ResponseWriter, r *http.Request, asked chan<- bool){
		"before the head": func(_ http.ResponseWriter, r *http.Request, asked chan<- bool) {
			asked <- true
			<-r.Context().Done()
		},
		"within the body": func(w http.ResponseWriter, r *http.Request, asked chan<- bool) {
			w.Write(der[:9])
			w.(http.Flusher).Flush()
			asked <- true
			<-r.Context().Done()
		},
	}
	for name, answer := range stages {
		t.Run(name, func(t *testing.T) {
			asked := make(chan bool, 1)
			url := crlServer(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r, asked) })
			r := runFetch(t, &CRLFetch{URL: url, MaxBytes: roomForCRLs, Refresh: time.Hour, Timeout: time.Hour})
			<-asked
			r.cancel()
			r.wait()
			if len(r.reports) > 0 {
				t.Errorf("a fetch that was broken off is reported: %+v", <-r.reports)
			}
		})
	}
	t.Run("between two", func(t *testing.T) {
		r := runFetch(t, &CRLFetch{URL: crlServer(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(der) }),
			MaxBytes: roomForCRLs, Refresh: time.Hour})
		r.report()
		r.cancel()
		r.wait()
	})
	t.Run("beforehand", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if lists, err := (&CRLFetch{URL: "http://127.0.0.1/", MaxBytes: roomForCRLs}).Once(ctx); lists != nil || err == nil {
			t.Errorf("%d lists, error %v", len(lists), err)
		}
	})
}
