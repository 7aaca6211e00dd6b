package tests

import (
	"testing"

	registration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/matching"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// The API server's own matcher, CEL compiler, patcher and validator, called as
// its admission plug-ins call them; only the informers that bring policies and
// namespaces to them are ours.

var (
	podKind     = core.SchemeGroupVersion.WithKind("Pod")
	podResource = core.SchemeGroupVersion.WithResource("pods")
)

// oldestMutating and oldestValidating are the releases that the policies say
// they need. A server takes expressions of the release before its own.
const (
	oldestMutating   = 35
	oldestValidating = 29
)

// request is one change of a pod that asks for admission.
type request struct {
	pod, old  *core.Pod // old is nil for a new pod
	namespace map[string]string
}

func (r request) attributes() admission.Attributes {
	operation, old := admission.Create, runtime.Object(nil)
	if r.old != nil {
		operation, old = admission.Update, r.old
	}
	return admission.NewAttributesRecord(r.pod, old, podKind, "default", r.pod.Name, podResource, "", operation, &meta.CreateOptions{}, false, nil)
}

// matcher knows the namespace of a request.
func (r request) matcher(t *testing.T) generic.PolicyMatcher {
	t.Helper()
	namespaces := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	if err := namespaces.Add(&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: "default", Labels: r.namespace}}); err != nil {
		t.Fatal(err)
	}
	return generic.NewPolicyMatcher(matching.NewMatcher(listers.NewNamespaceLister(namespaces), nil))
}

// selectEverything is what the API server makes of selectors that are left out.
func selectEverything(m *registration.MatchResources) *registration.MatchResources {
	if m == nil {
		return nil
	}
	filled := m.DeepCopy()
	if filled.NamespaceSelector == nil {
		filled.NamespaceSelector = &meta.LabelSelector{}
	}
	if filled.ObjectSelector == nil {
		filled.ObjectSelector = &meta.LabelSelector{}
	}
	return filled
}

// applies says whether policy and binding select the request.
func (r request) applies(t *testing.T, policy generic.PolicyAccessor, binding generic.BindingAccessor) bool {
	t.Helper()
	interfaces := admission.NewObjectInterfacesFromScheme(scheme(t))
	selected, _, _, err := r.matcher(t).DefinitionMatches(r.attributes(), interfaces, policy)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := r.matcher(t).BindingMatches(r.attributes(), interfaces, binding)
	if err != nil {
		t.Fatal(err)
	}
	return selected && bound
}

func compiler(t *testing.T, minor uint) *plugincel.CompositedCompiler {
	t.Helper()
	c, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, minor)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mutate is the pod as the MutatingAdmissionPolicy leaves it.
func mutate(t *testing.T, r request) *core.Pod {
	t.Helper()
	policies := split(t, read(t, "policy/mutating.yaml"))
	policy := decodeTextAs[*registration.MutatingAdmissionPolicy](t, policies[0])
	binding := decodeTextAs[*registration.MutatingAdmissionPolicyBinding](t, policies[1])
	if binding.Spec.PolicyName != policy.Name {
		t.Fatalf("the binding is of %s", binding.Spec.PolicyName)
	}
	policy.Spec.MatchConstraints = selectEverything(policy.Spec.MatchConstraints)
	binding.Spec.MatchResources = selectEverything(binding.Spec.MatchResources)
	if !r.applies(t, mutating.NewMutatingAdmissionPolicyAccessor(policy), mutating.NewMutatingAdmissionPolicyBindingAccessor(binding)) {
		return r.pod
	}
	if len(policy.Spec.MatchConditions) > 0 {
		t.Fatal("the policy has match conditions, which this test does not ask")
	}
	options := plugincel.OptionalVariableDeclarations{HasAuthorizer: true}
	compiler := compiler(t, oldestMutating)
	for _, v := range policy.Spec.Variables {
		result := compiler.CompileAndStoreVariable(&mutating.Variable{Name: v.Name, Expression: v.Expression}, options, environment.NewExpressions)
		if result.Error != nil {
			t.Fatalf("variable %s: %v", v.Name, result.Error)
		}
	}
	options.HasPatchTypes = true
	interfaces := admission.NewObjectInterfacesFromScheme(scheme(t))
	attributes, err := admission.NewVersionedAttributes(r.attributes(), podKind, interfaces)
	if err != nil {
		t.Fatal(err)
	}
	ctx := compiler.CreateContext(t.Context())
	for _, m := range policy.Spec.Mutations {
		condition := &patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}
		patcher := patch.NewJSONPatcher(compiler.CompileMutatingEvaluator(condition, options, environment.NewExpressions))
		changed, err := patcher.Patch(ctx, patch.Request{
			MatchedResource: podResource, VersionedAttributes: attributes, ObjectInterfaces: interfaces,
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			t.Fatal(err)
		}
		attributes.UpdateObject(changed)
	}
	return attributes.VersionedObject.Object().(*core.Pod)
}

// refusals are what the ValidatingAdmissionPolicy has against a request, and
// whether one of its bindings selects the request at all.
func refusals(t *testing.T, r request) (messages []string, applies bool) {
	t.Helper()
	documents := split(t, read(t, "policy/validating.yaml"))
	policy := decodeTextAs[*registration.ValidatingAdmissionPolicy](t, documents[0])
	policy.Spec.MatchConstraints = selectEverything(policy.Spec.MatchConstraints)
	for _, text := range documents[1:] {
		binding := decodeTextAs[*registration.ValidatingAdmissionPolicyBinding](t, text)
		if binding.Spec.PolicyName != policy.Name {
			t.Errorf("the binding %s is of %s", binding.Name, binding.Spec.PolicyName)
		}
		binding.Spec.MatchResources = selectEverything(binding.Spec.MatchResources)
		applies = applies || r.applies(t, validating.NewValidatingAdmissionPolicyAccessor(policy), validating.NewValidatingAdmissionPolicyBindingAccessor(binding))
	}
	if !applies {
		return nil, false
	}
	interfaces := admission.NewObjectInterfacesFromScheme(scheme(t))
	attributes, err := admission.NewVersionedAttributes(r.attributes(), podKind, interfaces)
	if err != nil {
		t.Fatal(err)
	}
	validator, compiler := newValidator(t, policy)
	result := validator.Validate(compiler.CreateContext(t.Context()), podResource, attributes, nil, nil, celconfig.RuntimeCELCostBudget, nil)
	for _, d := range result.Decisions {
		if d.Evaluation == validating.EvalError {
			t.Errorf("an expression failed: %s", d.Message)
		}
		if d.Action == validating.ActionDeny {
			messages = append(messages, d.Message)
		}
	}
	return messages, true
}

func newValidator(t *testing.T, policy *registration.ValidatingAdmissionPolicy) (validating.Validator, *plugincel.CompositedCompiler) {
	t.Helper()
	compiler := compiler(t, oldestValidating)
	options := plugincel.OptionalVariableDeclarations{HasAuthorizer: true}
	for _, v := range policy.Spec.Variables {
		result := compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, options, environment.NewExpressions)
		if result.Error != nil {
			t.Fatalf("variable %s: %v", v.Name, result.Error)
		}
	}
	var conditions, checks, messages []plugincel.ExpressionAccessor
	for i := range policy.Spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i]))
	}
	for _, v := range policy.Spec.Validations {
		checks = append(checks, &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason})
		if v.MessageExpression == "" {
			messages = append(messages, nil)
			continue
		}
		message := &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
		if result := compiler.CompileCELExpression(message, plugincel.OptionalVariableDeclarations{}, environment.NewExpressions); result.Error != nil {
			t.Fatalf("messageExpression %s: %v", v.MessageExpression, result.Error)
		}
		messages = append(messages, message)
	}
	filter := func(list []plugincel.ExpressionAccessor, options plugincel.OptionalVariableDeclarations) plugincel.ConditionEvaluator {
		return compiler.CompileCondition(list, options, environment.NewExpressions)
	}
	matcher := matchconditions.NewMatcher(filter(conditions, options), policy.Spec.FailurePolicy, "policy", "validate", policy.Name)
	return validating.NewValidator(filter(checks, options), matcher, filter(nil, options),
		filter(messages, plugincel.OptionalVariableDeclarations{}), policy.Spec.FailurePolicy, nil), compiler
}
