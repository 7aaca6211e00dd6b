package admin

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Most of everything that is shown.
const (
	maxShownText  = 1 << 10 // bytes
	maxShownList  = 1000
	maxRefusals   = 50
	maxOCSPShown  = 100
	maxShownNames = 50 // DNS names of one certificate
)

// legible is a copy of a status that can be shown anywhere: every text, whoever
// wrote it, without what steers a terminal, hides or turns round what follows, and
// not too long; times in UTC and whole seconds; lists that are there, if empty.
func legible(s *Status) *Status {
	out := &Status{}
	if s != nil {
		copyLegible(reflect.ValueOf(out).Elem(), reflect.ValueOf(s).Elem())
	}
	out.Refusals = first(out.Refusals, maxRefusals)
	out.OCSP.Answers = first(out.OCSP.Answers, maxOCSPShown)
	for _, certificates := range [][]Certificate{out.ServerCertificates, out.ClientCAs} {
		for i := range certificates {
			certificates[i].DNSNames = first(certificates[i].DNSNames, maxShownNames)
		}
	}
	return out
}

// first is the beginning of a list, never nil.
func first[T any](list []T, most int) []T {
	if list == nil {
		return []T{}
	}
	return list[:min(len(list), most)]
}

func copyLegible(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.String:
		to.SetString(line(from.String()))
	case reflect.Slice:
		length := min(from.Len(), maxShownList)
		to.Set(reflect.MakeSlice(from.Type(), length, length))
		for i := range length {
			copyLegible(to.Index(i), from.Index(i))
		}
	case reflect.Struct:
		if at, is := from.Interface().(time.Time); is {
			to.Set(reflect.ValueOf(moment(at)))
			return
		}
		for i := range from.NumField() {
			copyLegible(to.Field(i), from.Field(i))
		}
	default:
		to.Set(from)
	}
}

// moment is a time as it is shown. Outside these years RFC 3339 has no form for it
// (§5.6), and encoding/json fails.
func moment(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Second)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// line is a text on one line, of visible characters and spaces; what else there is
// becomes a Go escape.
func line(text string) string {
	text, cut := strings.TrimSpace(text), ""
	if len(text) > maxShownText {
		text, cut = text[:maxShownText], "…"
		for i := 1; i < utf8.UTFMax && i < len(text); i++ { // no half character at the end
			if last := len(text) - i; utf8.RuneStart(text[last]) {
				if !utf8.FullRuneInString(text[last:]) {
					text = text[:last]
				}
				break
			}
		}
	}
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '\n':
			out.WriteString("; ")
		case r == utf8.RuneError && size == 1:
			out.WriteString(`\x` + strconv.FormatUint(uint64(text[0]), 16))
		case strconv.IsPrint(r):
			out.WriteString(text[:size])
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return out.String() + cut
}
