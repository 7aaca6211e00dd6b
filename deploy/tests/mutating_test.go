package tests

import (
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/diff"
)

const sidecarName = "mtls-sidecar"

func fixture(t *testing.T, name string) *core.Pod {
	t.Helper()
	return decodeAs[*core.Pod](t, "tests/testdata/pods/"+name+".yaml")
}

// componentPod is the pod template that a component of kustomize brings.
func componentPod(t *testing.T, folder string) core.PodSpec {
	t.Helper()
	return decodeAs[*apps.Deployment](t, "kustomize/"+folder+"/sidecar.yaml").Spec.Template.Spec
}

func TestThePolicyInjectsTheSidecarOfTheComponent(t *testing.T) {
	component := componentPod(t, "component")
	want := component.InitContainers[0]
	pod := mutate(t, request{pod: fixture(t, "plain")})
	if len(pod.Spec.InitContainers) != 1 {
		t.Fatalf("got %d init containers, want the sidecar", len(pod.Spec.InitContainers))
	}
	got := pod.Spec.InitContainers[0]
	// The component's name for the image is a place for kustomize to fill.
	want.Image = "ghcr.io/mtls-sidecar/mtls-sidecar:v0"
	if !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("the policy injects (+) and the component (-)\n%s", diff.Diff(want, got))
	}
	if !equality.Semantic.DeepEqual(pod.Spec.Volumes, component.Volumes) {
		t.Errorf("the policy adds (+) and the component (-)\n%s", diff.Diff(component.Volumes, pod.Spec.Volumes))
	}
	if got, want := pod.Spec.TerminationGracePeriodSeconds, component.TerminationGracePeriodSeconds; !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("the policy gives %v seconds, the component %v", got, want)
	}
}

func TestTheClassicComponentBringsTheSameContainer(t *testing.T) {
	native, classic := componentPod(t, "component"), componentPod(t, "component-classic")
	want := native.InitContainers[0]
	if want.RestartPolicy == nil || *want.RestartPolicy != core.ContainerRestartPolicyAlways {
		t.Error("the component's sidecar is no native one")
	}
	want.RestartPolicy = nil
	if !equality.Semantic.DeepEqual(classic.Containers, []core.Container{want}) {
		t.Errorf("got (+), want (-)\n%s", diff.Diff([]core.Container{want}, classic.Containers))
	}
	native.InitContainers, classic.Containers = nil, nil
	if !equality.Semantic.DeepEqual(classic, native) {
		t.Errorf("the rest is (+) and in the native layout (-)\n%s", diff.Diff(native, classic))
	}
}

func TestThePolicyHoldsBackApplicationsWithoutAHook(t *testing.T) {
	pod := mutate(t, request{pod: fixture(t, "several")})
	var got []string
	for _, c := range pod.Spec.Containers {
		stop := c.Lifecycle.PreStop
		if stop.HTTPGet != nil {
			got = append(got, c.Name+" "+stop.HTTPGet.Path+" "+stop.HTTPGet.Port.String())
		} else {
			got = append(got, c.Name+" own")
		}
	}
	if want := []string{"app /drained 9902", "sleeps own", "begins /drained 9902"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if start := pod.Spec.Containers[2].Lifecycle.PostStart; start == nil || start.Exec == nil {
		t.Errorf("the postStart hook is gone: %+v", start)
	}
}

func TestThePolicyLeavesAloneWhatIsThere(t *testing.T) {
	before := fixture(t, "several")
	pod := mutate(t, request{pod: before.DeepCopy()})
	var containers, volumes []string
	for _, c := range pod.Spec.InitContainers {
		containers = append(containers, c.Name)
	}
	for _, v := range pod.Spec.Volumes {
		volumes = append(volumes, v.Name)
	}
	if want := []string{"migrate", sidecarName}; !slices.Equal(containers, want) {
		t.Errorf("got the init containers %q, want %q", containers, want)
	}
	if want := []string{"data", "mtls-tls", "mtls-client-ca"}; !slices.Equal(volumes, want) {
		t.Errorf("got the volumes %q, want %q", volumes, want)
	}
	if got := pod.Spec.Volumes[1].Secret.SecretName; got != "of-its-own" {
		t.Errorf("the pod's own volume became that of %s", got)
	}
	if got := *pod.Spec.TerminationGracePeriodSeconds; got != 120 {
		t.Errorf("the grace period became %d", got)
	}
	if !equality.Semantic.DeepEqual(pod.Spec.InitContainers[0], before.Spec.InitContainers[0]) {
		t.Errorf("migrate became %+v", pod.Spec.InitContainers[0])
	}
}

func TestThePolicyReadsTheAnnotations(t *testing.T) {
	pod := fixture(t, "plain")
	pod.Annotations = map[string]string{"mtls-sidecar/tls-secret": "s", "mtls-sidecar/client-ca": "c", "mtls-sidecar/config": "v"}
	spec := mutate(t, request{pod: pod}).Spec
	if got := spec.Volumes[0].Secret.SecretName; got != "s" {
		t.Errorf("got the Secret %s, want s", got)
	}
	if got := spec.Volumes[1].ConfigMap.Name; got != "c" {
		t.Errorf("got the ConfigMap %s, want c", got)
	}
	// Not optional: a settings file that is not found must not mean defaults.
	want := []core.EnvFromSource{{ConfigMapRef: &core.ConfigMapEnvSource{LocalObjectReference: core.LocalObjectReference{Name: "v"}}}}
	if got := spec.InitContainers[0].EnvFrom; !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestThePolicyChangesNothingTheSecondTime(t *testing.T) {
	for _, name := range []string{"plain", "several"} {
		once := mutate(t, request{pod: fixture(t, name)})
		if twice := mutate(t, request{pod: once.DeepCopy()}); !equality.Semantic.DeepEqual(twice, once) {
			t.Errorf("%s changes\n%s", name, diff.Diff(once, twice))
		}
	}
}

func TestThePolicyLeavesInjectedPodsAlone(t *testing.T) {
	for _, overlay := range []string{"example", "classic", "podcertificate", "crl"} {
		pod := overlayPod(t, overlay)
		if got := mutate(t, request{pod: pod.DeepCopy()}); !equality.Semantic.DeepEqual(got, pod) {
			t.Errorf("%s changes\n%s", overlay, diff.Diff(pod, got))
		}
	}
}

func TestThePolicyLeavesUnlabelledPodsAlone(t *testing.T) {
	for _, labels := range []map[string]string{nil, {sidecarName: "false"}, {sidecarName: ""}} {
		pod := fixture(t, "plain")
		pod.Labels = labels
		if got := mutate(t, request{pod: pod.DeepCopy()}); !equality.Semantic.DeepEqual(got, pod) {
			t.Errorf("%v changes\n%s", labels, diff.Diff(pod, got))
		}
	}
}
