package tests

import (
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// sidecarOf is the container mtls-sidecar, in either layout.
func sidecarOf(spec *core.PodSpec) *core.Container {
	for _, list := range [][]core.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			if list[i].Name == sidecarName {
				return &list[i]
			}
		}
	}
	return nil
}

// overlayPod is a pod of the one Deployment of an overlay.
func overlayPod(t *testing.T, overlay string) *core.Pod {
	t.Helper()
	templates := podTemplates(t, build(t, root+"/kustomize/overlays/"+overlay))
	at := slices.IndexFunc(templates, func(p core.PodTemplateSpec) bool { return sidecarOf(&p.Spec) != nil })
	if at < 0 {
		t.Fatalf("%s has no pod with the sidecar", overlay)
	}
	return &core.Pod{
		TypeMeta:   meta.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: meta.ObjectMeta{Name: overlay, Labels: templates[at].Labels, Annotations: templates[at].Annotations},
		Spec:       templates[at].Spec,
	}
}

func TestTheValidatingPolicyTakesWhatTheOthersMake(t *testing.T) {
	pods := map[string]*core.Pod{}
	for _, overlay := range []string{"example", "classic", "cert-manager", "podcertificate", "crl"} {
		pods[overlay] = overlayPod(t, overlay)
	}
	for _, name := range []string{"plain", "several"} {
		pods["mutated "+name] = mutate(t, request{pod: fixture(t, name)})
	}
	for name, pod := range pods {
		messages, applies := refusals(t, request{pod: pod})
		if !applies || len(messages) > 0 {
			t.Errorf("%s: applies is %v, refused for %q", name, applies, messages)
		}
	}
}

func TestTheValidatingPolicyRefusesWhatDoesNotProtect(t *testing.T) {
	const image = "none of ghcr.io/mtls-sidecar/mtls-sidecar:…, ghcr.io/mtls-sidecar/mtls-sidecar@…"
	for _, test := range []struct {
		name   string
		change func(*core.PodSpec)
		want   string // a part of the only message; none when empty
	}{
		{"no sidecar", func(s *core.PodSpec) { s.InitContainers = nil }, "there is not one container mtls-sidecar"},
		{"an init container that ends", func(s *core.PodSpec) { sidecarOf(s).RestartPolicy = nil }, "there is not one container mtls-sidecar"},
		{"two of them", func(s *core.PodSpec) { s.Containers = append(s.Containers, *sidecarOf(s)) }, "there is not one container mtls-sidecar"},
		{"another image", func(s *core.PodSpec) { sidecarOf(s).Image = "nginx" }, "the image nginx"},
		{"a repository that begins so", func(s *core.PodSpec) { sidecarOf(s).Image = "ghcr.io/mtls-sidecar/mtls-sidecar-too:v0" }, image},
		{"a digest", func(s *core.PodSpec) { sidecarOf(s).Image = "ghcr.io/mtls-sidecar/mtls-sidecar@sha256:00" }, ""},
		{"another command", func(s *core.PodSpec) { sidecarOf(s).Command = []string{"/mtls-sidecar", "demo"} }, "has a command or args"},
		{"a subcommand", func(s *core.PodSpec) { sidecarOf(s).Args = []string{"demo"} }, "has a command or args"},
		{"no hooks", func(s *core.PodSpec) { sidecarOf(s).Lifecycle = nil }, "lacks the hook by which it drains"},
		{"another hook", func(s *core.PodSpec) { sidecarOf(s).Lifecycle.PreStop.Exec.Command[1] = "version" }, "lacks the hook by which it drains"},
		{"an application without hooks", func(s *core.PodSpec) { s.Containers[0].Lifecycle = nil }, "port: 9902 to app"},
		{"with a postStart hook alone", func(s *core.PodSpec) { s.Containers[0].Lifecycle.PreStop = nil }, "port: 9902 to app"},
		{"with a hook of its own", func(s *core.PodSpec) {
			s.Containers[0].Lifecycle.PreStop = &core.LifecycleHandler{Sleep: &core.SleepAction{Seconds: 7}}
		}, ""},
		{"with a hook at the wrong port", func(s *core.PodSpec) { s.Containers[0].Lifecycle.PreStop.HTTPGet.Port = intstr.FromInt32(8080) }, "the number 9902"},
		{"with a hook at a name", func(s *core.PodSpec) {
			s.Containers[0].Lifecycle.PreStop.HTTPGet.Port = intstr.FromString("mtls-admin")
		}, "the number 9902"},
		{"the node's network", func(s *core.PodSpec) { s.HostNetwork = true }, "hostNetwork"},
		{"the application on the node", func(s *core.PodSpec) {
			s.Containers[0].Ports = []core.ContainerPort{{ContainerPort: 8080, HostPort: 80}}
		}, "a hostPort leads past the sidecar to the application (8080)"},
		{"the admin port on the node", func(s *core.PodSpec) { sidecarOf(s).Ports[1].HostPort = 9902 }, "or to the admin port (9902)"},
		{"TLS on the node", func(s *core.PodSpec) { sidecarOf(s).Ports[0].HostPort = 443 }, ""},
		{"a port that is not on the node", func(s *core.PodSpec) { s.Containers[0].Ports = []core.ContainerPort{{ContainerPort: 8080}} }, ""},
	} {
		pod := overlayPod(t, "example")
		test.change(&pod.Spec)
		messages, _ := refusals(t, request{pod: pod})
		if test.want == "" && len(messages) > 0 || test.want != "" && (len(messages) != 1 || !strings.Contains(messages[0], test.want)) {
			t.Errorf("%s: got %q, want %q", test.name, messages, test.want)
		}
	}
}

func TestTheValidatingPolicyIsForLabelledPodsAndNamespaces(t *testing.T) {
	bare := fixture(t, "plain")
	bare.Labels = nil
	required := map[string]string{sidecarName: "required"}
	for _, test := range []struct {
		name    string
		request request
		refused bool
	}{
		{"no label anywhere", request{pod: bare}, false},
		{"the pod's label", request{pod: fixture(t, "plain")}, true},
		{"the namespace's label", request{pod: bare, namespace: required}, true},
		{"another value of the namespace's label", request{pod: bare, namespace: map[string]string{sidecarName: "true"}}, false},
	} {
		messages, _ := refusals(t, test.request)
		if got := len(messages) > 0; got != test.refused {
			t.Errorf("%s: refused is %v for %q, want %v", test.name, got, messages, test.refused)
		}
	}
}

func TestTheValidatingPolicyLetsOlderPodsEnd(t *testing.T) {
	old := fixture(t, "plain")
	finished := old.DeepCopy()
	finished.Annotations = map[string]string{"poke": "1"}
	if messages, _ := refusals(t, request{pod: finished, old: old}); len(messages) > 0 {
		t.Errorf("a change of metadata was refused for %q", messages)
	}
	changed := overlayPod(t, "example")
	before := changed.DeepCopy()
	sidecarOf(&changed.Spec).Image = "nginx"
	if messages, _ := refusals(t, request{pod: changed, old: before}); len(messages) != 1 {
		t.Errorf("another image for a running pod: got %q, want one refusal", messages)
	}
}
