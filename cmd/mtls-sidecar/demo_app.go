package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// demoApp is an application as it stands behind a sidecar: plain HTTP, one open
// route, and one that looks at the VERIFIED header.
type demoApp struct {
	*http.Server
	mu   sync.Mutex
	last string
}

func startDemoApp() (*demoApp, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	app := &demoApp{}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		app.note(r)
		fmt.Fprintln(w, "Hello. Everybody may read this.")
	})
	routes.HandleFunc("GET /protected", func(w http.ResponseWriter, r *http.Request) {
		app.note(r)
		if r.Header.Get("VERIFIED") != "SUCCESS" {
			http.Error(w, "This is for clients with a certificate.", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "Hello, %s.\n", r.Header.Get("DN"))
	})
	app.Server = &http.Server{Addr: listener.Addr().String(), Handler: routes}
	go func() {
		if err := app.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println("the demo application stopped:", err)
		}
	}()
	return app, nil
}

// note remembers what the application saw, every copy of each header.
func (a *demoApp) note(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = fmt.Sprintf("VERIFIED: %q", r.Header.Values("VERIFIED"))
	if dn := r.Header.Values("DN"); len(dn) > 0 {
		a.last += fmt.Sprintf(", DN: %q", dn)
	}
}

// takeSeen returns what was noted since the last call.
func (a *demoApp) takeSeen() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.last
	a.last = ""
	if seen == "" {
		return "nothing"
	}
	return seen
}
