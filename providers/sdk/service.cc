#include "providers/sdk/service.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "core/object/wire.h"
#include "schemas/provider.pb.h"

namespace postern::sdk {
namespace {

constexpr int kSocket = 3;
constexpr std::chrono::seconds kGrace{2};  // for a call that runs when the core goes

// False: nobody but the core may start a provider, or the core is gone already.
bool BindToCore(std::string_view name) {
  const char* mark = std::getenv("POSTERN_PROVIDER");  // NOLINT(concurrency-mt-unsafe)
  if (mark == nullptr) {
    fmt::print(stderr, "this is a provider ({}); postern starts it by itself\n", name);
    return false;
  }
  char* rest = nullptr;
  const long parent = std::strtol(mark, &rest, 10);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return false;  // it died before the line above
  // Memory holds passwords. 1 and not 0: a limit of 0 doesn't stop a core_pattern that is a pipe,
  // 1 does (linux, fs/coredump.c), and no core file is as small.
  const rlimit no_core = {1, 1};
  setrlimit(RLIMIT_CORE, &no_core);
  // sudo could not raise under no_new_privs, so a target with `become` goes without.
  if (std::string_view(rest) != " may-raise") prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // A handler and not SIG_IGN, which programs that we start would inherit.
  struct sigaction ignore = {};
  ignore.sa_handler = [](int) {};
  sigaction(SIGPIPE, &ignore, nullptr);
  return true;
}

void WaitUntilCoreCloses(int socket) {
  pollfd wait = {socket, POLLRDHUP, 0};
  while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
  }
}

std::unique_ptr<grpc::Server> StartServer(grpc::Service* service) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(object::kMaxMessageBytes);
  builder.SetMaxSendMessageSize(object::kMaxMessageBytes);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  // The core's keep-alive pings aren't an attack.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.RegisterService(service);
  return builder.BuildAndStart();
}

}  // namespace

void SayHello(std::string_view name, const provider::v1::HelloRequest& request,
              provider::v1::HelloReply* reply) {
  // Outside the core's range it is still answered: the core says which two versions met.
  const bool common =
      request.min_protocol() <= object::kProtocol && object::kProtocol <= request.max_protocol();
  reply->set_protocol(object::kProtocol);
  reply->set_provider(std::string(name));
  reply->set_version(POSTERN_VERSION);
  if (!common) {
    fmt::print(stderr, "the core speaks protocols {} to {}, this provider {}\n",
               request.min_protocol(), request.max_protocol(), object::kProtocol);
  }
}

int RunService(std::string_view name, grpc::Service* service,
               const std::function<bool(std::chrono::milliseconds)>& close) {
  if (!BindToCore(name)) return 2;
  fcntl(kSocket, F_SETFD, FD_CLOEXEC);
  const int watched = fcntl(kSocket, F_DUPFD_CLOEXEC, 10);
  if (watched < 0) {
    fmt::print(stderr, "descriptor 3 is not the core's socket\n");
    return 2;
  }
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {  // NOLINT(concurrency-mt-unsafe)
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
  const std::unique_ptr<grpc::Server> server = StartServer(service);
  if (!server) return 2;
  grpc::AddInsecureChannelFromFd(server.get(), kSocket);
  WaitUntilCoreCloses(watched);
  if (!close(kGrace)) _exit(3);  // a target that hangs can't be told to stop
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

}  // namespace postern::sdk
