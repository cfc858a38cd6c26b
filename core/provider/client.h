// core/provider/client.h: start a provider process and talk to it.
//
// The only core folder that sees gRPC, and only in its .cc files. A Client is an object::Target
// whose calls go to a process over an inherited socket pair (no path, no port, nobody else can
// connect). The process dies with us. Threads: one at a time a client, but Cancel from any thread.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "core/object/target.h"
#include "core/provider/program.h"

namespace postern::provider::v1 {
class TargetConfig;
}

namespace postern::provider {

class Client : public object::Target {
 public:
  // Ends running calls with kCancelled; later calls fail at once.
  virtual void Cancel() = 0;
  virtual int pid() const = 0;
};

struct StartOptions {
  std::string program;  // absolute path of the provider's binary
  // How long an answer may take. Streams (Enumerate, Apply) and Read have no end of their own: they
  // fail when nothing at all came for `silence`. A process that is frozen as a whole (SIGSTOP)
  // doesn't answer the connection's own pings: one is sent after `keep_alive` without traffic and
  // waited for as long.
  std::chrono::milliseconds hello{10'000};
  std::chrono::milliseconds configure{60'000};  // opens the connection to the target
  std::chrono::milliseconds probe{60'000};
  std::chrono::milliseconds silence{600'000};
  std::chrono::milliseconds keep_alive{20'000};
};

// Spawns, says Hello, configures. Errors: kUnavailable when it doesn't start or dies (with the last
// lines it wrote to stderr), kUnsupported on another protocol, else what Configure answered.
// Cost: about 10 ms.
Result<std::unique_ptr<Client>> Start(const StartOptions& options, const v1::TargetConfig& config,
                                      const object::Secrets& secrets);

}  // namespace postern::provider
