package tests

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// variable is the default of one variable, from the product's source.
func variable(t *testing.T, name string) string {
	t.Helper()
	found := regexp.MustCompile(`env:"` + name + `"(?: envDefault:"([^"]*)")?`).FindSubmatch(read(t, "../proxy/config.go"))
	if found == nil {
		t.Fatalf("proxy/config.go has no %s", name)
	}
	return string(found[1])
}

// setting is what a variable is in a container.
func setting(t *testing.T, c *core.Container, name string) string {
	t.Helper()
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return variable(t, name)
}

// portOf is the port of a setting of the form host:port.
func portOf(t *testing.T, c *core.Container, name string) int32 {
	t.Helper()
	address := setting(t, c, name)
	port, err := strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return int32(port)
}

func seconds(t *testing.T, text string) int64 {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return int64(d / time.Second)
}

// meshedPods are the pods with the sidecar.
func meshedPods(t *testing.T) map[string]core.PodTemplateSpec {
	t.Helper()
	pods := allPods(t)
	for name, pod := range pods {
		if sidecarOf(&pod.Spec) == nil {
			delete(pods, name)
		}
	}
	if len(pods) < 8 {
		t.Fatalf("found %d pods with the sidecar only", len(pods))
	}
	return pods
}

// named finds a container's port by number or name, as the kubelet does.
func named(c *core.Container, port intstr.IntOrString) int32 {
	for _, p := range c.Ports {
		if port.Type == intstr.String && p.Name == port.StrVal {
			return p.ContainerPort
		}
	}
	return port.IntVal
}

func TestTheSidecarsPortsAreThoseItListensOn(t *testing.T) {
	for name, pod := range meshedPods(t) {
		sidecar := sidecarOf(&pod.Spec)
		want := []int32{portOf(t, sidecar, "MTLS_LISTEN_ADDR"), portOf(t, sidecar, "MTLS_ADMIN_ADDR")}
		var got []int32
		for _, p := range sidecar.Ports {
			got = append(got, p.ContainerPort)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the container has the ports %d, the sidecar listens on %d", name, got, want)
		}
	}
}

func TestTheSidecarsProbesAndHookAreItsOwn(t *testing.T) {
	for name, pod := range meshedPods(t) {
		sidecar := sidecarOf(&pod.Spec)
		admin := portOf(t, sidecar, "MTLS_ADMIN_ADDR")
		for path, probe := range map[string]*core.Probe{
			"/startupz": sidecar.StartupProbe, "/livez": sidecar.LivenessProbe, "/readyz": sidecar.ReadinessProbe,
		} {
			switch {
			case probe == nil || probe.HTTPGet == nil:
				t.Errorf("%s: no probe asks for %s", name, path)
			case probe.HTTPGet.Path != path || named(sidecar, probe.HTTPGet.Port) != admin || probe.HTTPGet.Scheme == core.URISchemeHTTPS:
				t.Errorf("%s: a probe asks for %+v, want %s at %d", name, probe.HTTPGet, path, admin)
			}
		}
		if sidecar.Lifecycle == nil || sidecar.Lifecycle.PreStop == nil || sidecar.Lifecycle.PreStop.Exec == nil ||
			!slices.Equal(sidecar.Lifecycle.PreStop.Exec.Command, []string{"/mtls-sidecar", "drain"}) {
			t.Errorf("%s: the sidecar's hooks are %+v, want preStop with /mtls-sidecar drain", name, sidecar.Lifecycle)
		}
	}
}

func TestApplicationsWaitUntilTheSidecarHasDrained(t *testing.T) {
	for name, pod := range meshedPods(t) {
		admin := intstr.FromInt32(portOf(t, sidecarOf(&pod.Spec), "MTLS_ADMIN_ADDR"))
		for _, c := range pod.Spec.Containers {
			if c.Name == sidecarName {
				continue
			}
			if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
				t.Errorf("%s: %s has no preStop hook", name, c.Name)
				continue
			}
			if get := c.Lifecycle.PreStop.HTTPGet; get != nil && (get.Path != "/drained" || get.Port != admin) {
				t.Errorf("%s: %s asks for %s at %s, want /drained at %s", name, c.Name, get.Path, get.Port.String(), admin.String())
			}
		}
	}
}

func TestApplicationsProbesAreRelayed(t *testing.T) {
	for name, pod := range meshedPods(t) {
		sidecar := sidecarOf(&pod.Spec)
		relayed := strings.FieldsFunc(setting(t, sidecar, "MTLS_ADMIN_UPSTREAM_PATHS"), func(r rune) bool { return r == ',' || r == ' ' })
		for _, c := range pod.Spec.Containers {
			for _, probe := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if c.Name == sidecarName || probe == nil || probe.HTTPGet == nil {
					continue
				}
				path, ours := strings.CutPrefix(probe.HTTPGet.Path, "/upstream")
				admin := intstr.FromInt32(portOf(t, sidecar, "MTLS_ADMIN_ADDR"))
				if !ours || probe.HTTPGet.Port != admin || !slices.Contains(relayed, path) {
					t.Errorf("%s: %s is probed at %s of %s, which the sidecar does not relay (%q, port %s)",
						name, c.Name, probe.HTTPGet.Path, probe.HTTPGet.Port.String(), relayed, admin.String())
				}
			}
		}
	}
}

func TestTheGracePeriodHoldsTheDrainAndTheApplicationsStop(t *testing.T) {
	const spare, applicationsStop = 5, 10
	for name, pod := range meshedPods(t) {
		sidecar := sidecarOf(&pod.Spec)
		want := seconds(t, setting(t, sidecar, "MTLS_DRAIN_DELAY")) + seconds(t, setting(t, sidecar, "MTLS_DRAIN_TIMEOUT")) + applicationsStop + spare
		if got := pod.Spec.TerminationGracePeriodSeconds; got == nil || *got < want {
			t.Errorf("%s: terminationGracePeriodSeconds is %v, want at least %d", name, got, want)
		}
	}
}

func TestTheSidecarIsLastInItsList(t *testing.T) {
	for name, pod := range meshedPods(t) {
		for _, list := range [][]core.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			at := slices.IndexFunc(list, func(c core.Container) bool { return c.Name == sidecarName })
			if at >= 0 && at != len(list)-1 {
				t.Errorf("%s: %s comes after the sidecar", name, list[len(list)-1].Name)
			}
		}
	}
}

func TestMountsAreWhereTheDefaultsLook(t *testing.T) {
	for name, pod := range meshedPods(t) {
		sidecar := sidecarOf(&pod.Spec)
		for _, path := range []string{
			setting(t, sidecar, "MTLS_CERT_FILE"), setting(t, sidecar, "MTLS_KEY_FILE"), setting(t, sidecar, "MTLS_CLIENT_CA_FILE"),
		} {
			if !slices.ContainsFunc(sidecar.VolumeMounts, func(m core.VolumeMount) bool {
				return strings.HasPrefix(path, m.MountPath+"/") && m.ReadOnly && m.SubPath == "" && m.SubPathExpr == ""
			}) {
				t.Errorf("%s: nothing is mounted for %s", name, path)
			}
		}
	}
}

func TestTheSidecarRunsAsTheImagesUserAndWritesNothing(t *testing.T) {
	for name, pod := range meshedPods(t) {
		c := sidecarOf(&pod.Spec)
		if s := c.SecurityContext; s == nil || s.RunAsUser == nil || *s.RunAsUser != 65532 || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			t.Errorf("%s: %+v", name, s)
		}
		_, cpu := c.Resources.Limits[core.ResourceCPU]
		if _, memory := c.Resources.Limits[core.ResourceMemory]; cpu || !memory || len(c.Resources.Requests) != 2 {
			t.Errorf("%s: the resources are %+v, want requests of both and a limit of memory alone", name, c.Resources)
		}
		if c.TerminationMessagePolicy != core.TerminationMessageFallbackToLogsOnError {
			t.Errorf("%s: terminationMessagePolicy is %q", name, c.TerminationMessagePolicy)
		}
	}
}

func TestServicesReachTheTLSPort(t *testing.T) {
	service := decodeAs[*core.Service](t, "kustomize/base/service.yaml")
	for _, overlay := range []string{"example", "classic"} {
		sidecar := sidecarOf(&overlayPod(t, overlay).Spec)
		if got, want := named(sidecar, service.Spec.Ports[0].TargetPort), portOf(t, sidecar, "MTLS_LISTEN_ADDR"); got != want {
			t.Errorf("%s: the Service leads to %d, want %d", overlay, got, want)
		}
	}
}

func TestTheNetworkPolicyOpensTheSidecarsPorts(t *testing.T) {
	policy := decodeAs[*networking.NetworkPolicy](t, "networkpolicy.yaml")
	pod := overlayPod(t, "example")
	for key, value := range policy.Spec.PodSelector.MatchLabels {
		if pod.Labels[key] != value {
			t.Errorf("it selects %s=%s, which the pod has not", key, value)
		}
	}
	var got []int
	for _, rule := range policy.Spec.Ingress {
		if anybody := len(rule.From) == 0; anybody != (rule.Ports[0].Port.IntValue() == 8443) {
			t.Errorf("%+v: TLS is for anybody, and nothing else is", rule)
		}
		got = append(got, rule.Ports[0].Port.IntValue())
	}
	sidecar := sidecarOf(&pod.Spec)
	want := []int{int(portOf(t, sidecar, "MTLS_LISTEN_ADDR")), int(portOf(t, sidecar, "MTLS_ADMIN_ADDR"))}
	if !slices.Equal(got, want) {
		t.Errorf("it opens %d, want %d", got, want)
	}
}
