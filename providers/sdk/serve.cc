#include "providers/sdk/serve.h"

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
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "core/base/kill_point.h"
#include "core/object/wire.h"
#include "schemas/provider.grpc.pb.h"

namespace postern::sdk {
namespace {

using object::FromWire;
using object::ToWire;
namespace v1 = provider::v1;
using Clock = std::chrono::steady_clock;

constexpr int kSocket = 3;
constexpr std::chrono::seconds kGrace{2};              // for a call that runs when the core goes
constexpr std::chrono::milliseconds kOutcomeDelay{5};  // outcomes of a fast target share messages

// Rows into messages of about kBatchBytes; one message object for all, so that its strings keep
// their memory. Write blocks while the core is behind (HTTP/2 flow control).
class BatchSink final : public object::ObjectSink {
 public:
  BatchSink(grpc::ServerContext& context, grpc::ServerWriter<v1::EnumerateReply>& writer)
      : context_(context), writer_(writer) {}

  bool Add(const object::ObjectView& object) override {
    if (broken_) return false;
    ToWire(object, reply_.add_rows());
    bytes_ += object::WireBytes(object);
    if (bytes_ < object::kBatchBytes) return true;
    broken_ = !writer_.Write(reply_) || context_.IsCancelled();
    reply_.clear_rows();
    bytes_ = 0;
    base::KillPoint("provider.enumerate.batch");
    return !broken_;
  }
  v1::EnumerateReply& rest() { return reply_; }

 private:
  grpc::ServerContext& context_;
  grpc::ServerWriter<v1::EnumerateReply>& writer_;
  v1::EnumerateReply reply_;
  size_t bytes_ = 0;
  bool broken_ = false;
};

using ApplyStream = grpc::ServerReaderWriter<v1::ApplyReply, v1::ApplyRequest>;

// A slow target's outcomes go out at once, so that the core can log them; a fast one's in batches.
class OutcomeStream final : public object::OutcomeSink {
 public:
  explicit OutcomeStream(ApplyStream& stream) : stream_(stream) {}

  void Add(object::Outcome outcome) override {
    bytes_ += object::WireBytes(outcome.live.object.view()) + outcome.message.size();
    ToWire(outcome, reply_.add_outcomes());
    if (bytes_ < object::kBatchBytes && Clock::now() - flushed_ < kOutcomeDelay) return;
    stream_.Write(reply_);  // a core that is gone ends us soon; what runs is finished
    reply_.Clear();
    bytes_ = 0;
    flushed_ = Clock::now();
    base::KillPoint("provider.apply.answered");
  }
  v1::ApplyReply& rest() { return reply_; }

 private:
  ApplyStream& stream_;
  v1::ApplyReply reply_;
  size_t bytes_ = 0;
  Clock::time_point flushed_{};
};

class Service final : public v1::Provider::Service {
 public:
  Service(std::string_view name, const Factory& factory) : name_(name), factory_(factory) {}

  // True when no call runs any more; then the target is closed and later calls are refused.
  bool Close(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    closing_ = true;
    if (!idle_.wait_for(lock, patience, [this] { return !busy_; })) return false;
    target_.reset();
    return true;
  }

 private:
  // One call at a time reaches the target: a new one waits until a cancelled one has returned.
  class Turn {
   public:
    explicit Turn(Service& service) : service_(service) {
      std::unique_lock lock(service.mutex_);
      service.idle_.wait(lock, [&] { return !service.busy_; });
      service.busy_ = true;
      closing_ = service.closing_;
    }
    ~Turn() {
      const std::lock_guard lock(service_.mutex_);
      service_.busy_ = false;
      service_.idle_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    object::Target* target() const { return closing_ ? nullptr : service_.target_.get(); }
    bool closing() const { return closing_; }

   private:
    Service& service_;
    bool closing_ = false;
  };
  static grpc::Status NotConfigured() {
    return {grpc::StatusCode::FAILED_PRECONDITION, "no target is configured"};
  }

  grpc::Status Hello(grpc::ServerContext*, const v1::HelloRequest* request,
                     v1::HelloReply* reply) override {
    // Outside the core's range it is still answered: the core says which two versions met.
    const bool common = request->min_protocol() <= object::kProtocol &&
                        object::kProtocol <= request->max_protocol();
    reply->set_protocol(object::kProtocol);
    reply->set_provider(name_);
    reply->set_version(POSTERN_VERSION);
    if (!common) {
      fmt::print(stderr, "the core speaks protocols {} to {}, this provider {}\n",
                 request->min_protocol(), request->max_protocol(), object::kProtocol);
    }
    return grpc::Status::OK;
  }

  grpc::Status Configure(grpc::ServerContext*, const v1::ConfigureRequest* request,
                         v1::ConfigureReply* reply) override {
    const Turn turn(*this);
    if (turn.closing() || target_) return {grpc::StatusCode::FAILED_PRECONDITION, "configured"};
    const object::Secrets secrets(request->secrets().begin(), request->secrets().end());
    auto target = factory_(request->target(), secrets);
    if (target) {
      target_ = std::move(*target);
    } else {
      ToWire(target.error(), reply->mutable_failure());
    }
    return grpc::Status::OK;
  }

  grpc::Status Probe(grpc::ServerContext*, const v1::ProbeRequest*,
                     v1::ProbeReply* reply) override {
    const Turn turn(*this);
    if (turn.target() == nullptr) return NotConfigured();
    if (auto probe = turn.target()->ProbeTarget(); probe) {
      ToWire(*probe, reply);
    } else {
      ToWire(probe.error(), reply->mutable_failure());
    }
    return grpc::Status::OK;
  }

  grpc::Status Enumerate(grpc::ServerContext* context, const v1::EnumerateRequest* request,
                         grpc::ServerWriter<v1::EnumerateReply>* writer) override {
    const Turn turn(*this);
    if (turn.target() == nullptr) return NotConfigured();
    std::vector<object::Kind> kinds;
    for (const uint32_t number : request->kinds()) {
      const object::KindTable* table = object::FindKind(number);
      if (table == nullptr) return {grpc::StatusCode::INVALID_ARGUMENT, "no such kind"};
      kinds.push_back(table->kind);
    }
    BatchSink sink(*context, *writer);
    auto scopes = turn.target()->Enumerate(kinds, sink);
    sink.rest().set_last(true);
    if (scopes) {
      for (const auto& scope : *scopes) ToWire(scope, sink.rest().add_scopes());
    } else {
      ToWire(scopes.error(), sink.rest().mutable_failure());
    }
    writer->Write(sink.rest());
    return grpc::Status::OK;
  }

  grpc::Status Read(grpc::ServerContext*, const v1::ReadRequest* request,
                    v1::ReadReply* reply) override {
    const Turn turn(*this);
    if (turn.target() == nullptr) return NotConfigured();
    std::vector<object::ObjectKey> keys;
    keys.reserve(request->keys_size());
    for (const v1::KeyRow& row : request->keys()) {
      auto key = FromWire(row);
      if (!key) return {grpc::StatusCode::INVALID_ARGUMENT, key.error().message};
      keys.push_back(std::move(*key));
    }
    if (auto answers = turn.target()->Read(keys); answers) {
      for (const object::ReadAnswer& answer : *answers) ToWire(answer, reply->add_answers());
    } else {
      ToWire(answers.error(), reply->mutable_failure());
    }
    return grpc::Status::OK;
  }

  grpc::Status Apply(grpc::ServerContext* context, ApplyStream* stream) override {
    const Turn turn(*this);
    if (turn.target() == nullptr) return NotConfigured();
    std::vector<object::OperationGroup> groups;
    object::Secrets secrets;
    if (auto status = ReceiveOperations(stream, &groups, &secrets); !status.ok()) {
      return status;
    }
    // Cut off before the last message: the core died while it sent, so nothing is carried out.
    if (context->IsCancelled()) return grpc::Status::CANCELLED;
    base::KillPoint("provider.apply.received");
    OutcomeStream sink(*stream);
    if (auto done = turn.target()->Apply(groups, secrets, sink); !done) {
      ToWire(done.error(), sink.rest().mutable_failure());
    }
    stream->Write(sink.rest());
    return grpc::Status::OK;
  }

  static grpc::Status ReceiveOperations(ApplyStream* stream,
                                        std::vector<object::OperationGroup>* groups,
                                        object::Secrets* secrets) {
    v1::ApplyRequest request;
    bool continues = false;
    while (stream->Read(&request)) {
      for (const auto& [name, value] : request.secrets()) (*secrets)[name] = value;
      for (const v1::OperationGroup& part : request.groups()) {
        if (!continues || groups->empty()) groups->emplace_back().container = part.container();
        for (const v1::Operation& row : part.operations()) {
          auto operation = FromWire(row);
          if (!operation) return {grpc::StatusCode::INVALID_ARGUMENT, operation.error().message};
          groups->back().operations.push_back(std::move(*operation));
        }
        continues = part.continues();
      }
    }
    if (continues) return {grpc::StatusCode::CANCELLED, "the operations were cut off"};
    return grpc::Status::OK;
  }

  const std::string name_;
  const Factory& factory_;
  std::mutex mutex_;
  std::condition_variable idle_;
  bool busy_ = false, closing_ = false;     // guarded by mutex_
  std::unique_ptr<object::Target> target_;  // the turn's own
};

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

std::unique_ptr<grpc::Server> StartServer(Service* service) {
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

int Serve(std::string_view name, const Factory& factory) {
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
  Service service(name, factory);
  const std::unique_ptr<grpc::Server> server = StartServer(&service);
  if (!server) return 2;
  grpc::AddInsecureChannelFromFd(server.get(), kSocket);
  WaitUntilCoreCloses(watched);
  if (!service.Close(kGrace)) _exit(3);  // a target that hangs can't be told to stop
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

}  // namespace postern::sdk
