// The IAM provider: one process for one IAM system.
#include "providers/iam/iam.h"
#include "providers/sdk/serve.h"
#include "schemas/provider.pb.h"

int main() {
  return postern::sdk::Serve("iam", [](const auto& config, const auto& secrets) {
    return postern::iam::Open(config.iam(), secrets);
  });
}
