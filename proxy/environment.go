package proxy

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"mtls-sidecar/headers"
)

const prefix = "MTLS_"

// Fault is one variable that cannot be used as it is set.
type Fault struct {
	Variable, Value, Problem string
}

// String names the variable, the value and the remedy.
func (f Fault) String() string {
	if f.Value == "" {
		return f.Variable + " " + f.Problem
	}
	return fmt.Sprintf("%s=%q %s", f.Variable, f.Value, f.Problem)
}

// ConfigError is every fault of a configuration at once, sorted by variable.
type ConfigError struct{ Faults []Fault }

// Error lists the faults, each beginning on a line of its own.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = "  " + f.String()
	}
	noun := "1 fault"
	if len(e.Faults) != 1 {
		noun = fmt.Sprintf("%d faults", len(e.Faults))
	}
	return fmt.Sprintf("the configuration cannot be used, %s:\n%s", noun, strings.Join(lines, "\n"))
}

// serviceLink matches what Kubernetes injects for a Service named mtls or
// mtls-anything: MTLS_PORT, MTLS_SERVICE_HOST, MTLS_PORT_8443_TCP_ADDR, …
var serviceLink = regexp.MustCompile(
	`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// portByHand tells MTLS_LISTEN_PORT=9443, which somebody has made up, from what
// Kubernetes injects under such a name, which is tcp://address:port.
func portByHand(name, value string) bool {
	return strings.HasSuffix(name, "_PORT") && !strings.HasSuffix(name, "_SERVICE_PORT") && !strings.Contains(value, "://") &&
		!strings.Contains(name, "_PORT_")
}

// Environment reads a Config from environment entries (os.Environ's form).
// Names outside MTLS_ are not looked at. The error is a *ConfigError.
func Environment(environ []string) (*Config, error) {
	set := map[string]string{}
	var faults []Fault
	known := Variables()
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || value == "" {
			continue
		}
		switch {
		case slices.ContainsFunc(known, func(v Variable) bool { return v.Name == name }):
			set[name] = value
		case serviceLink.MatchString(name) && !portByHand(name, value):
		default:
			faults = append(faults, Fault{name, "", fmt.Sprintf(
				"is not a variable of this program; the nearest one is %s", headers.Nearest(name, variableNames(known)))})
		}
	}
	config := &Config{}
	wrong := parseFaults(env.ParseWithOptions(config, env.Options{Environment: set}), set)
	if len(wrong) > 0 {
		// The rest is looked at as if what is wrong were not set.
		for _, f := range wrong {
			delete(set, f.Variable)
		}
		config = &Config{}
		wrong = append(wrong, parseFaults(env.ParseWithOptions(config, env.Options{Environment: set}), set)...)
		if slices.ContainsFunc(wrong, func(f Fault) bool { return f.Variable == "MTLS_HEADERS" }) {
			config.Headers.Template = &headers.Template{} // which names are sent, nobody knows
		}
	}
	faults = append(faults, wrong...)
	faults = append(faults, lonelyFaults(set, config)...)
	faults = append(faults, config.validate()...)
	if len(faults) > 0 {
		slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.Variable, b.Variable) })
		return nil, &ConfigError{faults}
	}
	config.set = set
	return config, nil
}

// parseFaults turns the library's errors, which name the Go field, into faults
// that name the variable.
func parseFaults(err error, set map[string]string) []Fault {
	var aggregate env.AggregateError
	if !errors.As(err, &aggregate) {
		if err != nil {
			return []Fault{{prefix + "*", "", err.Error()}}
		}
		return nil
	}
	var faults []Fault
	for _, e := range aggregate.Errors {
		var parse env.ParseError
		if !errors.As(e, &parse) {
			faults = append(faults, Fault{prefix + "*", "", e.Error()})
			continue
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
		name := field.Tag.Get("env")
		for _, part := range parts(parse.Err) {
			text := part.Error()
			if strings.HasPrefix(text, `"`) { // a piece of the value, and what is wrong with it
				text = name + "=" + text
			}
			if strings.HasPrefix(text, name+"=") {
				faults = append(faults, faultFromText(text))
			} else {
				faults = append(faults, Fault{name, redactURLs(set[name]), text})
			}
		}
	}
	return faults
}

// Variable is a name and a default, as the README lists them.
type Variable struct{ Name, Default string }

// Variables lists every variable in the order of Config.
func Variables() []Variable {
	fields := reflect.VisibleFields(reflect.TypeFor[Config]())
	var list []Variable
	for _, f := range fields {
		if name := f.Tag.Get("env"); name != "" {
			list = append(list, Variable{name, f.Tag.Get("envDefault")})
		}
	}
	return list
}

func variableNames(known []Variable) []string {
	list := make([]string, len(known))
	for i, v := range known {
		list[i] = v.Name
	}
	return list
}

// faultFromText splits an error of the form VARIABLE="value" problem.
func faultFromText(text string) Fault {
	name, rest, _ := strings.Cut(text, "=")
	quoted, err := strconv.QuotedPrefix(rest)
	if !strings.HasPrefix(name, prefix) || err != nil {
		return Fault{prefix + "*", "", text}
	}
	value, _ := strconv.Unquote(quoted) // is one, by QuotedPrefix
	return Fault{name, value, strings.TrimSpace(rest[len(quoted):])}
}
