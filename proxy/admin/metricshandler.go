package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Limits of /metrics. Prometheus asks twice a minute and waits ten seconds.
const (
	maxScrapes    = 3
	scrapeTimeout = 10 * time.Second
)

// MetricsHandler answers /metrics with what collect gives at that moment, and with
// the Go runtime's and the process's own metrics. What is wrong with a sample is
// logged and leaves that sample out. The error is of this program.
func MetricsHandler(collect func(*Samples), log *zap.Logger) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, collector := range []prometheus.Collector{
		newExposition(collect),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	scrapes := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:           scrapeLog{log},
		ErrorHandling:      promhttp.ContinueOnError,
		EnableOpenMetrics:  true,
		DisableCompression: true, // a compressor takes a megabyte to save the network some 30 KiB
	})
	// The timeout's handler writes when the scrape has given its place back.
	return http.TimeoutHandler(taking(maxScrapes, scrapes), scrapeTimeout,
		"collecting the metrics took more than "+scrapeTimeout.String()+"; ask less often, or give the sidecar more CPU\n"), nil
}

// taking has others wait while so many are inside. Turned away would be Prometheus,
// which asks seldom, wherever somebody asks all the time.
//
// What comes out is written at once: whoever does not read it makes others hold it,
// and they hold no more than that then.
func taking(most int, inner http.Handler) http.Handler {
	places := make(chan *bytes.Buffer, most)
	for range most {
		places <- new(bytes.Buffer)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case place := <-places:
			defer func() { places <- place }()
			place.Reset()
			inner.ServeHTTP(gathering{w, place}, r)
			_, _ = w.Write(place.Bytes())
		case <-r.Context().Done():
		}
	})
}

// gathering is an answer whose body is put aside.
type gathering struct {
	http.ResponseWriter
	body *bytes.Buffer
}

func (g gathering) Write(p []byte) (int, error) { return g.body.Write(p) }

// scrapeLog is where promhttp tells of faults.
type scrapeLog struct{ log *zap.Logger }

// Println writes one line.
func (l scrapeLog) Println(v ...any) {
	l.log.Warn("a scrape of /metrics went wrong", zap.String("error.message", labelValue(fmt.Sprint(v...))))
}

// exposition makes Prometheus' form of our samples.
type exposition struct {
	collect func(*Samples)
	descs   [metricCount]*prometheus.Desc
}

func newExposition(collect func(*Samples)) *exposition {
	e := &exposition{collect: collect}
	for m := range families {
		f := &families[m]
		e.descs[m] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	return e
}

// Describe names all families.
func (e *exposition) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range e.descs {
		to <- desc
	}
}

// Collect gives all values of one moment.
func (e *exposition) Collect(to chan<- prometheus.Metric) {
	var samples Samples
	e.collect(&samples)
	for i := range samples.all {
		to <- e.metric(&samples.all[i])
	}
}

func (e *exposition) metric(s *sample) prometheus.Metric {
	desc := e.descs[s.metric]
	var metric prometheus.Metric
	var err error
	switch kind := families[s.metric].kind; {
	case (kind == histogramKind) != (s.histogram != nil):
		err = fmt.Errorf("%s is given as something else than it is", families[s.metric].name)
	case kind == histogramKind:
		count, sum, buckets := s.histogram.state()
		metric, err = prometheus.NewConstHistogram(desc, count, sum, buckets, s.labels...)
	case kind == counterKind:
		metric, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.value, s.labels...)
	default:
		metric, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.value, s.labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return metric
}
