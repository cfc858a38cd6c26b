// A core that starts a provider for memory:FILE, prints the provider's pid and is killed.
#include <csignal>
#include <cstdio>
#include <string>

#include "core/provider/client.h"
#include "schemas/provider.pb.h"

int main(int, char** argv) {
  postern::provider::v1::TargetConfig config;
  config.set_name("host:edge");
  config.mutable_host()->set_name("edge");
  config.mutable_host()->set_address(std::string("memory:") + argv[1]);
  postern::provider::StartOptions options;
  options.program = postern::provider::ProviderProgram("memory");
  const auto client = postern::provider::Start(options, config, {});
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 1;
  }
  std::printf("%d\n", (*client)->pid());
  std::fflush(stdout);
  return std::raise(SIGKILL);
}
