// postern-provider-filetransfer: hosts and their file-transfer servers, over the provider protocol.
#include "providers/filetransfer/target.h"
#include "providers/sdk/serve.h"

int main() {
  return postern::sdk::Serve("filetransfer", [](const auto& config, const auto& secrets) {
    return postern::filetransfer::MakeTarget(config, secrets);
  });
}
