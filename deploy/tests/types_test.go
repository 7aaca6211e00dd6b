package tests

import (
	"bytes"
	"regexp"
	"sync"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	trust "github.com/cert-manager/trust-manager/pkg/apis/trust/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// kinds knows every kind that a manifest here may have.
var kinds = sync.OnceValues(func() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubernetes.AddToScheme, certmanager.AddToScheme, trust.AddToScheme, monitoring.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
})

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s, err := kinds()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decode reads one Kubernetes object; a field that its type does not have, or
// has twice, is an error.
func decode(t *testing.T, text []byte) (runtime.Object, error) {
	t.Helper()
	strict := serializer.NewCodecFactory(scheme(t), serializer.EnableStrict).UniversalDeserializer()
	object, _, err := strict.Decode(text, nil, nil)
	return object, err
}

// decodeAs reads the first document of a file of deploy, which must be a T.
func decodeAs[T runtime.Object](t *testing.T, path string) T {
	t.Helper()
	return decodeTextAs[T](t, split(t, read(t, path))[0])
}

func decodeTextAs[T runtime.Object](t *testing.T, text []byte) T {
	t.Helper()
	object, err := decode(t, text)
	if err != nil {
		t.Fatal(err)
	}
	typed, ok := object.(T)
	if !ok {
		t.Fatalf("got a %T, want a %T", object, typed)
	}
	return typed
}

// judgedElsewhere are files that are no Kubernetes objects, with who reads them.
var judgedElsewhere = map[string]func(*testing.T, []byte){
	"prometheus/rules.yaml":         isRules,
	"prometheus/rules_test.yaml":    nil, // promtool test rules, in cmd/mtls-sidecar
	"prometheus/scrape_config.yaml": nil, // promtool check config, likewise
	"compose/compose.yaml":          isCompose,
}

// isRules decodes a rule file of Prometheus, which has the form of a
// PrometheusRule's spec.
func isRules(t *testing.T, text []byte) {
	if err := yaml.UnmarshalStrict(text, &monitoring.PrometheusRuleSpec{}); err != nil {
		t.Error(err)
	}
}

// directive is an order to kustomize in a patch, no field of the object.
var directive = regexp.MustCompile(`(?m)^(\s*)(- )?\$patch: \w+\n(\s*)`)

func withoutDirectives(text []byte) []byte {
	return directive.ReplaceAll(text, []byte("$1$2"))
}

func TestEveryDocumentDecodesIntoItsOwnType(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range documents(t) {
		t.Run(d.path, func(t *testing.T) {
			judge, elsewhere := judgedElsewhere[d.path]
			seen[d.path] = true
			switch {
			case elsewhere && judge != nil:
				judge(t, d.text)
			case elsewhere:
			case bytes.Contains(d.text, []byte("apiVersion: kustomize.config.k8s.io/")):
				isKustomization(t, d.text)
			default:
				if _, err := decode(t, withoutDirectives(d.text)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for path := range judgedElsewhere {
		if !seen[path] {
			t.Errorf("%s is not there any more: take it from judgedElsewhere", path)
		}
	}
}

func isKustomization(t *testing.T, text []byte) {
	var k kustomize.Kustomization
	if err := k.Unmarshal(text); err != nil { // refuses unknown fields
		t.Error(err)
	}
	if deprecated := k.CheckDeprecatedFields(); deprecated != nil && len(*deprecated) > 0 {
		t.Error(*deprecated)
	}
	if faults := k.EnforceFields(); len(faults) > 0 {
		t.Error(faults)
	}
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	for _, text := range []string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndatas: {}\n",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\ndata: {a: b}\n",
		"apiVersion: v1\nkind: ConfigMop\nmetadata: {name: a}\n",
		"apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: a}\nspec: {durations: 1h}\n",
		"apiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata: {name: a}\nspec: {source: []}\n",
	} {
		if object, err := decode(t, []byte(text)); err == nil {
			t.Errorf("%q was taken for %v", text, object)
		}
	}
	var k kustomize.Kustomization
	if err := k.Unmarshal([]byte("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresource: []\n")); err == nil {
		t.Error("a kustomization with an unknown field was taken")
	}
}
