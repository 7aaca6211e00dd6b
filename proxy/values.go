package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"mtls-sidecar/headers"
)

// The types of variables. Each parses its own text and says in its error which
// form was expected; the variable's name is put in front by Environment.

// VerifyClient is a value of MTLS_VERIFY_CLIENT.
type VerifyClient string

// InvalidCert is a value of MTLS_INVALID_CERT.
type InvalidCert string

// RejectWith is a value of MTLS_REJECT_WITH.
type RejectWith string

// Exposed is a value of MTLS_UPSTREAM_EXPOSED.
type Exposed string

// ForwardedFor is a value of MTLS_FORWARDED_FOR.
type ForwardedFor string

// AccessLog is a value of MTLS_ACCESS_LOG.
type AccessLog string

// LogFormat is a value of MTLS_LOG_FORMAT.
type LogFormat string

// UnmarshalText accepts nginx's four words.
func (v *VerifyClient) UnmarshalText(text []byte) error {
	return oneOf(v, text, VerifyOptional, VerifyOn, VerifyOptionalNoCA, VerifyOff)
}

// UnmarshalText accepts reject, failed and none.
func (v *InvalidCert) UnmarshalText(text []byte) error {
	return oneOf(v, text, InvalidReject, InvalidFailed, InvalidNone)
}

// UnmarshalText accepts page and alert.
func (v *RejectWith) UnmarshalText(text []byte) error {
	return oneOf(v, text, RejectPage, RejectAlert)
}

// UnmarshalText accepts warn, refuse and ignore.
func (v *Exposed) UnmarshalText(text []byte) error {
	return oneOf(v, text, ExposedWarn, ExposedRefuse, ExposedIgnore)
}

// UnmarshalText accepts append, replace and off.
func (v *ForwardedFor) UnmarshalText(text []byte) error {
	return oneOf(v, text, ForwardedAppend, ForwardedReplace, ForwardedOff)
}

// UnmarshalText accepts all, errors and off.
func (v *AccessLog) UnmarshalText(text []byte) error {
	return oneOf(v, text, AccessAll, AccessErrors, AccessOff)
}

// UnmarshalText accepts json and console.
func (v *LogFormat) UnmarshalText(text []byte) error {
	return oneOf(v, text, "json", "console")
}

func oneOf[T ~string](v *T, text []byte, words ...T) error {
	if slices.Contains(words, T(text)) {
		*v = T(text)
		return nil
	}
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	return fmt.Errorf("must be one of %s", strings.Join(names, ", "))
}

// HeaderTemplate is a value of MTLS_HEADERS.
type HeaderTemplate struct{ *headers.Template }

// UnmarshalText accepts what headers.ParseTemplate does.
func (t *HeaderTemplate) UnmarshalText(text []byte) (err error) {
	t.Template, err = headers.ParseTemplate(string(text))
	return err
}

// Switch is true or false.
type Switch bool

// UnmarshalText accepts the words true and false alone.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true":
		*s = true
	case "false":
		*s = false
	default:
		return errors.New("must be true or false")
	}
	return nil
}

// List is a comma-separated list; elements are trimmed, empty ones dropped.
type List []string

// UnmarshalText splits at commas.
func (l *List) UnmarshalText(text []byte) error {
	*l = nil
	for element := range strings.SplitSeq(string(text), ",") {
		if element = strings.TrimSpace(element); element != "" {
			*l = append(*l, element)
		}
	}
	if len(*l) == 0 {
		return errors.New("must name at least one element, separated by commas")
	}
	return nil
}

// Duration is a time with a unit.
type Duration struct{ time.Duration }

// UnmarshalText accepts what time.ParseDuration does, without a sign.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return errors.New("must be a time with its unit, such as 500ms, 10s or 5m")
	}
	d.Duration = parsed
	return nil
}

// Size is a number of bytes.
type Size int64

var sizeUnits = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30},
	{"", 1},
}

// UnmarshalText accepts bytes, and KiB, MiB, GiB or Kubernetes' Ki, Mi, Gi.
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range sizeUnits {
		digits, found := strings.CutSuffix(string(text), unit.suffix)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || int64(n) > math.MaxInt64/unit.factor {
			break
		}
		*s = Size(int64(n) * unit.factor)
		return nil
	}
	return errors.New("must be a number of bytes, such as 65536, 64KiB or 1MiB")
}

// String gives the size in the largest unit that fits it exactly.
func (s Size) String() string {
	for _, unit := range []int{2, 1, 0} {
		u := sizeUnits[unit]
		if s != 0 && int64(s)%u.factor == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.factor, u.suffix)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Count is a whole number from 0.
type Count int

// UnmarshalText accepts decimal digits.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return errors.New("must be a whole number, 0 or more")
	}
	*c = Count(n)
	return nil
}

// Depth is a number of intermediates, -1 for no limit.
type Depth int

// UnmarshalText accepts a number from 0 to 100, or none.
func (d *Depth) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*d = -1
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || n > 100 {
		return errors.New("must be none, or a number of intermediates from 0 to 100")
	}
	*d = Depth(n)
	return nil
}

// TLSVersion is a crypto/tls version number.
type TLSVersion uint16

// UnmarshalText accepts 1.2 and 1.3.
func (v *TLSVersion) UnmarshalText(text []byte) error {
	switch string(text) {
	case "1.2":
		*v = tls.VersionTLS12
	case "1.3":
		*v = tls.VersionTLS13
	default:
		return errors.New("must be 1.2 or 1.3")
	}
	return nil
}

// LogLevel is a zap level.
type LogLevel struct{ zapcore.Level }

// UnmarshalText accepts debug, info, warn and error.
func (l *LogLevel) UnmarshalText(text []byte) error {
	var word string
	if err := oneOf(&word, text, "debug", "info", "warn", "error"); err != nil {
		return err
	}
	return l.Level.UnmarshalText([]byte(word))
}
