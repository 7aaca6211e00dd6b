package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"mtls-sidecar/proxy"
)

// errNotBelieved is inspect's result when a certificate did not get SUCCESS.
var errNotBelieved = errors.New("not SUCCESS")

// unjudged is inspect's result when it could not judge, or not by the whole of the
// configuration.
type unjudged struct{ cause error }

func (e unjudged) Error() string { return "cannot be judged:\n" + e.cause.Error() }

// Is gives it the exit code of files that cannot be used.
func (e unjudged) Is(target error) bool { return target == errFiles }

// inspect judges certificate files as the sidecar would judge the clients that
// present them, with the configuration of the environment, and says why. A file that cannot
// be read does not keep the others from being judged.
func inspect(files, environ []string, stdout io.Writer) error {
	if len(files) == 0 {
		return usageError("inspect needs the file of at least one client certificate")
	}
	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	inspector, err := proxy.NewInspector(ctx, config)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil {
		return fmt.Errorf("%w:\n%w", errFiles, err)
	}
	defer inspector.Close()
	faults := []error{inspector.Partial}
	var refused []string
	out := report{indent: "  ", width: 80}
	for _, warning := range inspector.Warnings {
		out.prose("warning", warning)
	}
	for _, file := range files {
		finding, err := inspector.Inspect(ctx, file)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			faults = append(faults, err)
			continue
		case !finding.Success:
			refused = append(refused, proxy.Printable(file))
		}
		out.explain(file, finding, time.Now())
	}
	if _, err := io.WriteString(stdout, out.String()); err != nil {
		return err
	}
	if fault := errors.Join(faults...); fault != nil {
		return unjudged{fault}
	}
	if len(refused) > 0 {
		return fmt.Errorf("%w: %s", errNotBelieved, strings.Join(refused, ", "))
	}
	return nil
}

// explain is the report on one file.
func (r *report) explain(file string, f *proxy.Finding, now time.Time) {
	fmt.Fprintf(r, "%s\n", proxy.Printable(file))
	r.item("verdict", f.Verify)
	r.item("reason", f.Reason)
	r.prose("remedy", f.Advice)
	if f.Culprit != nil {
		r.item("about", proxy.Subject(f.Culprit))
	}
	for _, note := range f.Notes {
		r.prose("note", note)
	}
	r.chain(f, now)
	if !f.Until.IsZero() {
		r.item("until", f.Until.UTC().Format(time.RFC3339))
	}
	r.prose("answer", f.Answer)
	for line := range strings.Lines(f.Lines) {
		r.item("header", strings.TrimRight(line, "\r\n"))
	}
}

// chain lists the certificates, the client's own first, each with its dates and what is known of its revocation.
func (r *report) chain(f *proxy.Finding, now time.Time) {
	label := "chain"
	for _, link := range f.Chain {
		from := "of this file"
		if link.Trusted {
			from = "of MTLS_CLIENT_CA_FILE"
		}
		r.item(label, proxy.Subject(link.Certificate))
		label = ""
		r.prose("", "  "+lifetime(link.Certificate, now)+", "+from)
		r.item("", "  serial "+proxy.Serial(link.Certificate))
		for _, list := range link.Lists {
			r.prose("", "  CRL "+proxy.DescribeConsulted(list, now))
		}
		if link.NoList != "" {
			r.prose("", "  CRL "+link.NoList)
		}
		switch {
		case link.Answer != nil && link.Answer.Err != nil && f.Success:
			r.prose("", "  OCSP "+proxy.DescribeOCSP(*link.Answer, now)+"; let in all the same (MTLS_OCSP_FAIL=allow)")
		case link.Answer != nil:
			r.prose("", "  OCSP "+proxy.DescribeOCSP(*link.Answer, now))
		case link.Unasked != "":
			r.prose("", "  OCSP "+link.Unasked)
		}
	}
}
