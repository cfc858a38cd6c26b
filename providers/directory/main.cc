// The directory provider: one process for one LDAP directory.
#include "providers/directory/directory.h"
#include "providers/sdk/serve.h"
#include "schemas/provider.pb.h"

int main() {
  return postern::sdk::Serve("directory", [](const auto& config, const auto& secrets) {
    return postern::directory::Open(config.directory(), secrets);
  });
}
