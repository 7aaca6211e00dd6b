package tests

import (
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// podTemplates are the pods of a YAML stream's workloads.
func podTemplates(t *testing.T, stream []byte) []core.PodTemplateSpec {
	t.Helper()
	var all []core.PodTemplateSpec
	for _, text := range split(t, stream) {
		object, err := decode(t, text)
		if err != nil {
			t.Fatal(err)
		}
		switch o := object.(type) {
		case *apps.Deployment:
			all = append(all, o.Spec.Template)
		case *apps.StatefulSet:
			all = append(all, o.Spec.Template)
		case *apps.DaemonSet:
			all = append(all, o.Spec.Template)
		case *batch.CronJob:
			all = append(all, o.Spec.JobTemplate.Spec.Template)
		case *batch.Job:
			all = append(all, o.Spec.Template)
		case *core.Pod:
			all = append(all, core.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec})
		}
	}
	return all
}

// allPods are the pods that an operator can get from here: those of complete
// manifests, of each overlay, of the mutating policy and of the README files.
func allPods(t *testing.T) map[string]core.PodTemplateSpec {
	t.Helper()
	all := map[string]core.PodTemplateSpec{}
	add := func(from string, stream []byte) {
		for _, template := range podTemplates(t, stream) {
			all[from+": "+template.Spec.Containers[0].Name] = template
		}
	}
	add("the CronJob", read(t, "crl/cronjob.yaml"))
	add("the example application", read(t, "kustomize/base/deployment.yaml"))
	for _, folder := range overlays(t) {
		add(filepath.Base(folder), build(t, folder))
	}
	for _, name := range []string{"plain", "several"} {
		pod := mutate(t, request{pod: fixture(t, name)})
		all["mutated: "+name] = core.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
	}
	for _, name := range []string{"../README.md", "README.md"} {
		for _, block := range yamlBlocks(string(read(t, name))) {
			if strings.Contains(block, "\nkind: Deployment\n") {
				add(name, []byte(block))
			}
		}
	}
	return all
}

// violations are the rules of Pod Security "restricted" in its latest version
// that a pod breaks.
func violations(t *testing.T, metadata *meta.ObjectMeta, spec *core.PodSpec) []string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, metadata, spec) {
		if !result.Allowed {
			all = append(all, result.ForbiddenReason+" ("+result.ForbiddenDetail+")")
		}
	}
	return all
}

func TestEveryPodIsRestricted(t *testing.T) {
	for name, pod := range allPods(t) {
		if found := violations(t, &pod.ObjectMeta, &pod.Spec); len(found) > 0 {
			t.Errorf("%s breaks %q", name, found)
		}
	}
}

func TestTheSidecarIsRestrictedByItself(t *testing.T) {
	for _, folder := range []string{"component", "component-classic"} {
		spec := componentPod(t, folder)
		if spec.SecurityContext != nil {
			t.Errorf("%s changes the security of the pod's other containers: %+v", folder, spec.SecurityContext)
		}
		if found := violations(t, &meta.ObjectMeta{}, &spec); len(found) > 0 {
			t.Errorf("%s breaks %q", folder, found)
		}
	}
}

func TestRestrictedRefusesOneFieldLess(t *testing.T) {
	for name, change := range map[string]func(*core.SecurityContext){
		"allowPrivilegeEscalation": func(c *core.SecurityContext) { c.AllowPrivilegeEscalation = nil },
		"capabilities":             func(c *core.SecurityContext) { c.Capabilities = nil },
		"runAsNonRoot":             func(c *core.SecurityContext) { c.RunAsNonRoot = nil },
		"seccompProfile":           func(c *core.SecurityContext) { c.SeccompProfile = nil },
	} {
		spec := componentPod(t, "component")
		change(sidecarOf(&spec).SecurityContext)
		if found := violations(t, &meta.ObjectMeta{}, &spec); len(found) != 1 {
			t.Errorf("without %s: got %q, want one violation", name, found)
		}
	}
}
