# A Rack application that answers with its environment, as JSON.
require 'json'

run(lambda do |env|
  strings = env.select { |_, value| value.is_a?(String) }
  strings.transform_values! { |value| value.dup.force_encoding('UTF-8').scrub }
  [200, { 'content-type' => 'application/json' }, [JSON.generate(strings)]]
end)
