package soak

import (
	"strconv"
	"strings"
)

// metrics are all series by name and labels, as they are exposed.
func (d *day) metrics() (map[string]float64, error) {
	text, err := d.sidecar.Get("/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(string(text)), nil
}

func parseMetrics(text string) map[string]float64 {
	all := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if value, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			all[line[:at]] = value
		}
	}
	return all
}

// sum adds the series of a family whose labels have a pair, such as code="200"; an empty
// pair is in all.
func sum(all map[string]float64, family, pair string) float64 {
	total := 0.0
	for series, value := range all {
		if name, labels, _ := strings.Cut(series, "{"); name == family && strings.Contains(labels, pair) {
			total += value
		}
	}
	return total
}
