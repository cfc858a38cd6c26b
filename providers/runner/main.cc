// postern-provider-runner: jobs as they are installed on a machine, over the provider protocol.
#include "providers/runner/runner.h"
#include "providers/sdk/serve.h"

int main() {
  return postern::sdk::Serve("runner", [](const auto& config, const auto& secrets) {
    return postern::runner::MakeTarget(config, secrets);
  });
}
