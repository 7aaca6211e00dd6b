package admin

import (
	"strings"
	"sync/atomic"
	"time"
)

// Metric is a family of metrics at /metrics: metricstable.go has their names,
// labels and meanings.
type Metric uint8

// Samples are the values of all families at one moment. What is given of a family
// that is a histogram comes by Histogram, everything else by Value.
type Samples struct {
	all  []sample
	seen map[string]bool
}

// sample is one line of a family, or the several of a histogram.
type sample struct {
	metric    Metric
	value     float64
	labels    []string // values, in the order of the table
	histogram *Histogram
}

// Value gives the value of a series: labels in the order of the table. Of equal
// labels the first counts, since Prometheus takes no series twice; they are cut
// and made valid UTF-8 where they must be.
func (s *Samples) Value(m Metric, value float64, labels ...string) {
	s.add(sample{metric: m, value: value, labels: labels})
}

// Histogram gives the state of a histogram.
func (s *Samples) Histogram(m Metric, h *Histogram, labels ...string) {
	s.add(sample{metric: m, histogram: h, labels: labels})
}

func (s *Samples) add(one sample) {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	var key strings.Builder
	key.WriteByte(byte(one.metric))
	for i, label := range one.labels {
		one.labels[i] = labelValue(label)
		key.WriteString(one.labels[i])
		key.WriteByte(0)
	}
	if !s.seen[key.String()] {
		s.seen[key.String()] = true
		s.all = append(s.all, one)
	}
}

// maxLabel is how long a label's value may be, in bytes: those that certificates
// have a say in could be of any size.
const maxLabel = 256

func labelValue(text string) string {
	if len(text) > maxLabel {
		text = text[:maxLabel] + "..."
	}
	return strings.ToValidUTF8(text, "")
}

// Bool is 1 or 0.
func Bool(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Timestamp is a moment as Prometheus has it: seconds since 1970, to the millisecond.
func Timestamp(at time.Time) float64 { return float64(at.UnixMilli()) / 1e3 }

// bounds are the upper ends of a histogram's buckets: those that OpenTelemetry
// recommends for http.server.request.duration, and three below for what goes over
// loopback.
var bounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 75 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 7500 * time.Millisecond, 10 * time.Second,
}

// Histogram counts durations by size. Its zero value is empty and ready; it must
// not be copied. An observation is two additions, without a lock.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Uint64
	sum    atomic.Uint64 // nanoseconds; it may wrap after centuries, which Prometheus takes for a restart
}

// Observe counts one duration.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(uint64(max(0, d)))
}

// state is what Prometheus wants of a histogram: each bucket with all that is in
// those below.
func (h *Histogram) state() (count uint64, sum float64, buckets map[float64]uint64) {
	sum = time.Duration(h.sum.Load()).Seconds()
	buckets = make(map[float64]uint64, len(bounds))
	for i, bound := range bounds {
		count += h.counts[i].Load()
		buckets[bound.Seconds()] = count
	}
	return count + h.counts[len(bounds)].Load(), sum, buckets
}

// Count is how many durations have been observed.
func (h *Histogram) Count() uint64 {
	count, _, _ := h.state()
	return count
}
