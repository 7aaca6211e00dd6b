package proxy

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestSettingsTellWhatIsInForceAndWhereItIsFrom(t *testing.T) {
	config := environment(t,
		"MTLS_VERIFY_CLIENT=on",
		"MTLS_DRAIN_TIMEOUT=20s", // its default
		"MTLS_ACCESS_LOG=",       // counts as unset
		"MTLS_CRL=/lists, https://user:secret@lists.example/ca.crl",
		"MTLS_SERVICE_HOST=10.0.0.1", // Kubernetes'
		"PATH=/bin")
	got := map[string]Setting{}
	for _, one := range config.Settings() {
		got[one.Variable] = one
	}
	if len(got) != len(Variables()) {
		t.Errorf("%d settings, want one for each of %d variables", len(got), len(Variables()))
	}
	for _, want := range []Setting{
		{"MTLS_VERIFY_CLIENT", "on", SourceEnv, "optional"},
		{"MTLS_DRAIN_TIMEOUT", "20s", SourceEnv, "20s"},
		{"MTLS_ACCESS_LOG", "errors", SourceDefault, "errors"},
		{"MTLS_CRL", "/lists, https://…@lists.example/ca.crl", SourceEnv, ""},
		{"MTLS_OCSP_RESPONDER", "", SourceDefault, ""},
	} {
		if got[want.Variable] != want {
			t.Errorf("got %+v, want %+v", got[want.Variable], want)
		}
	}
}

func TestTheConfigurationIsOneLineWithWhatDiffersFirst(t *testing.T) {
	reader := newSlowReader()
	close(reader.wake)
	config := environment(t, "MTLS_VERIFY_CLIENT=on", "MTLS_DRAIN_TIMEOUT=20s")
	logging := newLogging(config, reader)
	config.LogSettings(logging.Logger)
	logging.Close()
	var line struct {
		Level, Msg         string
		Settings, Defaults map[string]string
	}
	if err := json.Unmarshal(reader.all.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line.Level != "info" || line.Msg != "configuration" || len(line.Settings) != 1 || line.Settings["MTLS_VERIFY_CLIENT"] != "on" {
		t.Errorf("got %s %q with the settings %v", line.Level, line.Msg, line.Settings)
	}
	if len(line.Defaults) != len(Variables())-1 || line.Defaults["MTLS_DRAIN_TIMEOUT"] != "20s" || line.Defaults["MTLS_LISTEN_ADDR"] != ":8443" {
		t.Errorf("defaults: %v", line.Defaults)
	}
}

func TestSettingsAreInTheOrderOfTheDocumentation(t *testing.T) {
	var got, want []string
	for _, one := range environment(t).Settings() {
		got = append(got, one.Variable)
	}
	for _, v := range Variables() {
		want = append(want, v.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
