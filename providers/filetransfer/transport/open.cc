#include "providers/filetransfer/transport/open.h"

#include "providers/filetransfer/transport/ssh.h"
#include "schemas/declarations.pb.h"

namespace postern::filetransfer {

Result<std::unique_ptr<Transport>> OpenTransport(const decl::Host& host) {
  if (host.address() == "local:") {
    if (host.become() == "sudo") {
      return Fail(
          ErrorCode::kInvalid,
          "become = \"sudo\" can't work with address = \"local:\" (a provider may not raise its "
          "rights); run Postern as the user who may, or reach the host by ssh://");
    }
    return MakeLocalTransport();
  }
  auto address = ParseSshAddress(host.address());
  if (!address) return tl::unexpected(address.error());
  return MakeSshTransport({.address = std::move(*address),
                           .known_host = host.known_host(),
                           .identity = host.identity(),
                           .sudo = host.become() == "sudo"});
}

}  // namespace postern::filetransfer
