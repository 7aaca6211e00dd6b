package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"mtls-sidecar/proxy/admin"
	"mtls-sidecar/proxy/trust"
)

// Requests are counted by four labels, each of a closed list, whatever clients and
// applications say.

// codes are the status codes that are told apart: those that are registered (RFC 9110
// §16.2), and any other one by its class.
type codes struct {
	index  [600]uint8 // of labels, by status; 0: there was no answer
	labels []string
}

// codeClasses are 1xx to 5xx: http1 takes no other.
const codeClasses = 5

func newCodes() codes {
	c := codes{labels: []string{"none"}}
	for class := 1; class <= codeClasses; class++ {
		c.labels = append(c.labels, fmt.Sprintf("%dxx", class))
	}
	for status := 100; status < len(c.index); status++ {
		if c.index[status] = uint8(status / 100); http.StatusText(status) != "" {
			c.index[status] = uint8(len(c.labels))
			c.labels = append(c.labels, strconv.Itoa(status))
		}
	}
	return c
}

// Protocols, as in protocolLabels.
const (
	protocolHTTP10 = iota
	protocolHTTP11
	protocolHTTP2
	protocolCount
)

var protocolLabels = [protocolCount]string{"1.0", "1.1", "2"}

func (x *exchange) protocol() int {
	switch {
	case x.stream != nil:
		return protocolHTTP2
	case x.account.parsed && x.work.oldHTTP:
		return protocolHTTP10
	default:
		return protocolHTTP11
	}
}

// statusLabels are nginx's words for what the application was told.
var statusLabels = [...]string{trust.None: "NONE", trust.Success: "SUCCESS", trust.Failed: "FAILED"}

const statusCount = len(statusLabels)

// series is where a request is counted.
func (m *metrics) series(x *exchange) int {
	a := &x.account
	return ((int(a.method)*protocolCount+x.protocol())*statusCount+int(a.verified))*len(m.codes.labels) + int(m.codes.index[a.status])
}

// expectedCodes are those that a GET has series of from the start, so that the
// first one of a kind is seen to come.
var expectedCodes = []string{"200", "400", "401", "403", "404", "500", "502", "503", "504"}

// sampleRequests gives the series that are expected, and those that are not zero.
func (m *metrics) sampleRequests(to *admin.Samples) {
	for i := range m.requests {
		value := m.requests[i].Load()
		code := m.codes.labels[i%len(m.codes.labels)]
		rest := i / len(m.codes.labels)
		status := statusLabels[rest%statusCount]
		protocol := protocolLabels[rest/statusCount%protocolCount]
		is := method(rest / statusCount / protocolCount)
		if value > 0 || is == methodGet && slices.Contains(expectedCodes, code) {
			to.Value(admin.MetricRequests, float64(value), is.String(), code, protocol, status)
		}
	}
	for i := range m.durations {
		to.Histogram(admin.MetricRequestDuration, &m.durations[i], m.codes.labels[1+i])
	}
	to.Histogram(admin.MetricUpstreamResponse, &m.upstream)
	for fault, label := range faultLabels {
		if upstreamFault(fault) != noFault {
			to.Value(admin.MetricUpstreamErrors, float64(m.faults[fault].Load()), label)
		}
	}
	to.Value(admin.MetricUpstreamRetries, float64(m.retries.Load()))
}

var faultLabels = [upstreamFaultCount]string{upstreamRefused: "refused", upstreamTimeout: "timeout", upstreamInvalid: "invalid_answer",
	upstreamCut: "cut_short", upstreamExposed: "exposed"}
