package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// State is where the sidecar stands in its life.
type State string

// The states, in order.
const (
	Starting State = "starting" // configuration, certificates, CA or listener are not there yet
	Serving  State = "serving"
	Draining State = "draining"
	Drained  State = "drained" // the listener is closed, nothing is in flight
)

// Status is everything that the status page and its JSON tell. Any text may come
// from a stranger's certificate: what shows it makes it harmless. A zero time is an
// unknown one.
type Status struct {
	Version   string    `json:"version"`
	Revision  string    `json:"revision,omitempty"`
	GoVersion string    `json:"goVersion"`
	Started   time.Time `json:"started,omitzero"`
	Now       time.Time `json:"now,omitzero"` // the present where it is zero
	State     State     `json:"state"`
	NotReady  []string  `json:"notReady"` // reasons, while /readyz says no
	LogLevel  string    `json:"logLevel"` // filled in by Server

	Listen      string   `json:"listen"`      // where TLS is accepted
	Application string   `json:"application"` // MTLS_UPSTREAM_URL
	Exposed     Exposure `json:"exposed"`

	ServerCertificates []Certificate    `json:"serverCertificates"`
	ClientCAs          []Certificate    `json:"clientCAs"`
	RevocationLists    []RevocationList `json:"revocationLists"`
	OCSP               OCSP             `json:"ocsp"`

	Troubles []Trouble `json:"troubles"`
	Refusals []Refusal `json:"refusals"` // the last ones, newest first
	Counters []Counter `json:"counters"` // those of a group one after the other
	Settings []Setting `json:"settings"`
}

// Exposure is whether the application can be reached past the sidecar.
type Exposure struct {
	Addresses []string  `json:"addresses"` // where it listens outside loopback
	Looked    time.Time `json:"looked,omitzero"`
	Fault     string    `json:"fault,omitempty"` // why it cannot be told
}

// Certificate is one that the sidecar has or believes in.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	DaysLeft  int       `json:"daysLeft"` // whole ones, negative once it has ended; filled in by Server
	SHA256    string    `json:"sha256"`
	KeyKind   string    `json:"keyKind"` // RSA, ECDSA, Ed25519
	KeyBits   int       `json:"keyBits,omitempty"`
	DNSNames  []string  `json:"dnsNames"`
	Source    string    `json:"source"` // the file
}

// ListState is whether a revocation list counts.
type ListState string

// What a list may be.
const (
	ListCurrent ListState = "current"
	ListEnded   ListState = "ended"
	ListWaiting ListState = "waiting" // does not count yet: nobody has shown its CA, so it may be forged; or it is dated in the future
	ListGrace   ListState = "grace"   // past its nextUpdate, and counting by MTLS_CRL_GRACE
)

// RevocationList is a CRL in force.
type RevocationList struct {
	Issuer     string    `json:"issuer"`
	Number     string    `json:"number,omitempty"`
	Entries    int       `json:"entries"`
	ThisUpdate time.Time `json:"thisUpdate,omitzero"`
	NextUpdate time.Time `json:"nextUpdate,omitzero"`
	Source     string    `json:"source"` // file or URL
	State      ListState `json:"state"`
}

// OCSP is what the clients' CAs were asked.
type OCSP struct {
	Mode    string       `json:"mode"` // MTLS_OCSP
	Held    int          `json:"held"` // answers in all, of which Answers may be some
	Answers []OCSPAnswer `json:"answers"`
}

// OCSPAnswer is one that is held.
type OCSPAnswer struct {
	Subject    string    `json:"subject"`
	Serial     string    `json:"serial"`
	Status     string    `json:"status"` // good, revoked, unknown
	ThisUpdate time.Time `json:"thisUpdate,omitzero"`
	NextUpdate time.Time `json:"nextUpdate,omitzero"`
	Responder  string    `json:"responder"`
}

// Trouble keeps news from coming into force.
type Trouble struct {
	Name  string    `json:"name"` // of the files, or the URL
	Fault string    `json:"fault"`
	Since time.Time `json:"since,omitzero"`
}

// Refusal is an answer of the sidecar's own.
type Refusal struct {
	Time      time.Time `json:"time,omitzero"`
	Client    string    `json:"client"` // address
	RequestID string    `json:"requestId,omitempty"`
	Reason    string    `json:"reason"` // the word of log and metrics
	Text      string    `json:"text"`   // what it means
	Advice    string    `json:"advice"` // what to do about it
	Subject   string    `json:"subject,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
}

// Counter is a number worth looking at.
type Counter struct {
	Group string `json:"group"`
	Name  string `json:"name"` // of the metric
	Value int64  `json:"value"`
	What  string `json:"what"` // it counts
}

// Where a setting's value is from.
const (
	FromEnvironment = "env"
	FromDefault     = "default"
)

// Setting is one variable of the configuration. There is no secret among them:
// those are in files.
type Setting struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`
	Source   string `json:"source"` // env or default
	Default  string `json:"default"`
	Meaning  string `json:"meaning,omitempty"`
}

// status is the present one, fit to be shown.
func (s *Server) status() *Status {
	shown := legible(s.options.Status())
	if shown.Now.IsZero() {
		shown.Now = time.Now().UTC().Truncate(time.Second)
	}
	if s.options.Level != (zap.AtomicLevel{}) {
		shown.LogLevel = s.options.Level.String()
	}
	for _, certificates := range [][]Certificate{shown.ServerCertificates, shown.ClientCAs} {
		for i := range certificates {
			certificates[i].DaysLeft = daysLeft(certificates[i].NotAfter, shown.Now)
		}
	}
	return shown
}

// daysLeft rounds down: a certificate that ended an hour ago has -1.
func daysLeft(until, now time.Time) int {
	seconds := until.Unix() - now.Unix()
	days := seconds / (24 * 60 * 60)
	if seconds < 0 && seconds%(24*60*60) != 0 {
		days--
	}
	return int(days)
}

func (s *Server) statusJSON(w http.ResponseWriter, _ *http.Request) {
	body, err := json.MarshalIndent(s.status(), "", "  ")
	if err != nil {
		say(w, http.StatusInternalServerError, "the status cannot be told: "+err.Error())
		return
	}
	send(w, http.StatusOK, "application/json", append(body, '\n'))
}
