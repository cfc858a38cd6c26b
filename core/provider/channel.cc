#include "core/provider/channel.h"

#include <grpc/support/log.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>

#include <cstdlib>

#include "core/object/wire.h"

namespace postern::provider {

std::shared_ptr<grpc::Channel> MakeChannel(int fd, std::chrono::milliseconds keep_alive) {
  // gRPC writes its own lines to stderr when a peer dies; we say it in our words.
  static const bool quiet = [] {
    if (std::getenv("GRPC_VERBOSITY") == nullptr) {  // NOLINT(concurrency-mt-unsafe)
      gpr_set_log_function([](gpr_log_func_args*) {});
    }
    return true;
  }();
  (void)quiet;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(object::kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(object::kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(keep_alive.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(keep_alive.count()));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return grpc::CreateCustomInsecureChannelFromFd("postern-provider", fd, arguments);
}

}  // namespace postern::provider
