#include "core/provider/client.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <unordered_set>

#include "core/object/wire.h"
#include "core/provider/call_watch.h"
#include "core/provider/channel.h"
#include "core/provider/process.h"
#include "core/provider/program.h"
#include "core/provider/request.h"
#include "schemas/provider.grpc.pb.h"

namespace postern::provider {
namespace {

using object::FromWire;
using object::ToWire;
using std::chrono::milliseconds;

constexpr size_t kReadKeys = 2000;            // keys a call, so that answers stay under the limit
constexpr size_t kReadBytes = 256 << 10;      // and bytes of keys
constexpr milliseconds kDeathPatience{1000};  // from a broken connection to the end of the process
constexpr milliseconds kStopPatience{3000};

using Call = CallWatch::Call;

class ProcessClient final : public Client {
 public:
  ProcessClient(const StartOptions& options, const v1::TargetConfig& config)
      : options_(options),
        name_(fmt::format("provider {} ({})", ProviderName(options.program), config.name())),
        watch_(options.silence) {}
  ~ProcessClient() override;

  Result<void> Begin(const v1::TargetConfig& config, const object::Secrets& secrets);

  void Cancel() override { watch_.Cancel(); }
  int pid() const override { return pid_; }
  Result<object::Probe> ProbeTarget() override;
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind> kinds,
                                                     object::ObjectSink& sink) override;
  Result<std::vector<object::ScopeStatus>> EnumerateFields(object::Kind kind,
                                                           object::FieldSet fields,
                                                           object::ObjectSink& sink) override;
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override;
  Result<std::vector<object::ReadAnswer>> ReadKnown(
      std::span<const object::KnownKey> known) override;
  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets& secrets,
                     object::OutcomeSink& sink) override;

 private:
  struct ReadPart;
  Result<std::vector<object::ScopeStatus>> Stream(const v1::EnumerateRequest& request,
                                                  object::ObjectSink& sink);
  Result<void> Hello();
  Result<void> Configure(const v1::TargetConfig& config, const object::Secrets& secrets);
  Result<void> ReadSome(std::span<const object::KnownKey> keys,
                        std::vector<object::ReadAnswer>* answers);
  tl::unexpected<Error> Explain(const Call& call, const grpc::Status& status);
  tl::unexpected<Error> Broken(const std::string& why);
  tl::unexpected<Error> GiveUp(ErrorCode code, std::string message);

  const StartOptions options_;
  const std::string name_;
  int pid_ = -1;
  CallWatch watch_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<v1::Provider::Stub> stub_;
  std::unique_ptr<Error> gone_;  // why every later call fails; the calling thread's own
};

ProcessClient::~ProcessClient() {
  stub_.reset();
  if (process_) process_->Stop(gone_ ? milliseconds(0) : kStopPatience);
}

tl::unexpected<Error> ProcessClient::GiveUp(ErrorCode code, std::string message) {
  if (const std::string words = process_->LastWords(); !words.empty()) {
    message += "; its last words: " + words;
  }
  gone_ = std::make_unique<Error>(Error{code, std::move(message)});
  return tl::unexpected(*gone_);
}

tl::unexpected<Error> ProcessClient::Broken(const std::string& why) {
  return GiveUp(ErrorCode::kInternal, fmt::format("{} breaks the protocol: {}", name_, why));
}

tl::unexpected<Error> ProcessClient::Explain(const Call& call, const grpc::Status& status) {
  if (watch_.cancelled()) {
    return Fail(ErrorCode::kCancelled, fmt::format("{} of {} was cancelled", call.what(), name_));
  }
  if (watch_.silent()) {
    return GiveUp(ErrorCode::kTimeout, fmt::format("{} said nothing for {} s during {}", name_,
                                                   options_.silence.count() / 1000.0, call.what()));
  }
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return GiveUp(ErrorCode::kTimeout, fmt::format("{} did not answer {} within {} s", name_,
                                                     call.what(), call.limit().count() / 1000.0));
    case grpc::StatusCode::UNIMPLEMENTED:
      return GiveUp(ErrorCode::kUnsupported,
                    fmt::format("{} does not know the call {}", name_, call.what()));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Fail(ErrorCode::kIncomplete,
                  fmt::format("a message of {} of {} is larger than 8 MiB", call.what(), name_));
    case grpc::StatusCode::FAILED_PRECONDITION:  // the SDK: a call before Configure
      return Broken(status.error_message());
    default:
      break;
  }
  const std::string death = process_->WaitForDeath(kDeathPatience);
  if (!death.empty()) {
    return GiveUp(ErrorCode::kUnavailable,
                  fmt::format("{} {} during {}", name_, death, call.what()));
  }
  if (process_->Stopped()) {
    return GiveUp(ErrorCode::kTimeout,
                  fmt::format("{} did not answer {}: something has stopped its process {}, as "
                              "SIGSTOP or a debugger does",
                              name_, call.what(), pid_));
  }
  return GiveUp(ErrorCode::kUnavailable,
                fmt::format("{} lives but the connection broke during {} ({}); is it a provider?",
                            name_, call.what(), status.error_message()));
}

Result<void> ProcessClient::Begin(const v1::TargetConfig& config, const object::Secrets& secrets) {
  SpawnOptions spawn;
  spawn.program = options_.program;
  spawn.target = config.name();
  const std::string& become = config.host().become();
  spawn.may_raise = !become.empty() && become != "none";
  spawn.ssh_agent = config.host().address().starts_with("ssh:");
  auto process = Process::Spawn(spawn, [this] { watch_.Tick(); });
  if (!process) return tl::unexpected(process.error());
  process_ = std::move(*process);
  pid_ = process_->pid();
  stub_ = v1::Provider::NewStub(MakeChannel(process_->TakeSocket(), options_.keep_alive));
  if (auto hello = Hello(); !hello) return hello;
  return Configure(config, secrets);
}

Result<void> ProcessClient::Hello() {
  Call call(watch_, "Hello", options_.hello);
  v1::HelloRequest request;
  request.set_min_protocol(object::kProtocol);
  request.set_max_protocol(object::kProtocol);
  request.set_core_version(POSTERN_VERSION);
  v1::HelloReply reply;
  const grpc::Status status = stub_->Hello(&call.context, request, &reply);
  if (!status.ok()) return Explain(call, status);
  if (reply.protocol() != object::kProtocol) {
    return GiveUp(ErrorCode::kUnsupported,
                  fmt::format("{} {} speaks protocol {}, this core {}: install both from one build",
                              name_, reply.version(), reply.protocol(), object::kProtocol));
  }
  return {};
}

Result<void> ProcessClient::Configure(const v1::TargetConfig& config,
                                      const object::Secrets& secrets) {
  Call call(watch_, "Configure", options_.configure);
  v1::ConfigureRequest request;
  *request.mutable_target() = config;
  for (const auto& [name, value] : secrets) (*request.mutable_secrets())[name] = value;
  v1::ConfigureReply reply;
  const grpc::Status status = stub_->Configure(&call.context, request, &reply);
  if (!status.ok()) return Explain(call, status);
  if (reply.has_failure()) return tl::unexpected(FromWire(reply.failure()));
  return {};
}

Result<object::Probe> ProcessClient::ProbeTarget() {
  if (gone_) return tl::unexpected(*gone_);
  Call call(watch_, "Probe", options_.probe);
  v1::ProbeReply reply;
  const grpc::Status status = stub_->Probe(&call.context, v1::ProbeRequest(), &reply);
  if (!status.ok()) return Explain(call, status);
  if (reply.has_failure()) return tl::unexpected(FromWire(reply.failure()));
  return FromWire(reply);
}

Result<std::vector<object::ScopeStatus>> ProcessClient::Enumerate(
    std::span<const object::Kind> kinds, object::ObjectSink& sink) {
  v1::EnumerateRequest request;
  for (const object::Kind kind : kinds) request.add_kinds(static_cast<uint32_t>(kind));
  return Stream(request, sink);
}

Result<std::vector<object::ScopeStatus>> ProcessClient::EnumerateFields(object::Kind kind,
                                                                        object::FieldSet fields,
                                                                        object::ObjectSink& sink) {
  v1::EnumerateRequest request;
  request.add_kinds(static_cast<uint32_t>(kind));
  request.set_fields(fields);
  return Stream(request, sink);
}

Result<std::vector<object::ScopeStatus>> ProcessClient::Stream(const v1::EnumerateRequest& request,
                                                               object::ObjectSink& sink) {
  if (gone_) return tl::unexpected(*gone_);
  Call call(watch_, "Enumerate");
  auto reader = stub_->Enumerate(&call.context, request);
  std::vector<object::ScopeStatus> scopes;
  Arrived arrived;
  v1::EnumerateReply reply;  // one for all messages: its strings keep their memory
  bool last = false;
  while (!last && call.Watch([&] { return reader->Read(&reply); })) {
    for (const v1::ObjectRow& row : reply.rows()) {
      const auto view = FromWire(row);
      if (!view) return Broken(view.error().message);
      ++arrived[view->kind];
      if (sink.Add(*view)) continue;
      call.context.TryCancel();
      return Fail(ErrorCode::kCancelled, "the observation was stopped");
    }
    last = reply.last();
  }
  const grpc::Status status = call.Watch([&] { return reader->Finish(); });
  if (!status.ok()) return Explain(call, status);
  if (!last) return Broken("an enumeration ended without its last message");
  if (reply.has_failure()) return tl::unexpected(FromWire(reply.failure()));
  for (const v1::ScopeStatus& row : reply.scopes()) {
    auto scope = FromWire(row);
    if (!scope) return Broken(scope.error().message);
    scopes.push_back(std::move(*scope));
  }
  CheckCounts(arrived, &scopes);
  return scopes;
}

Result<void> ProcessClient::ReadSome(std::span<const object::KnownKey> keys,
                                     std::vector<object::ReadAnswer>* answers) {
  v1::ReadRequest request;
  for (const object::KnownKey& key : keys) ToWire(key, request.add_keys());
  v1::ReadReply reply;
  {
    Call call(watch_, "Read");
    const grpc::Status status =
        call.Watch([&] { return stub_->Read(&call.context, request, &reply); });
    if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && keys.size() > 1) {
      reply.Clear();  // the answers are too large for one message: ask in halves, below
    } else if (!status.ok()) {
      return Explain(call, status);
    } else if (reply.has_failure()) {
      return tl::unexpected(FromWire(reply.failure()));
    } else if (static_cast<size_t>(reply.answers_size()) != keys.size()) {
      return Broken(fmt::format("{} answers for {} keys", reply.answers_size(), keys.size()));
    }
  }
  if (reply.answers_size() == 0 && keys.size() > 1) {
    const size_t half = keys.size() / 2;
    if (auto first = ReadSome(keys.first(half), answers); !first) return first;
    return ReadSome(keys.subspan(half), answers);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    auto answer = FromWire(reply.answers(static_cast<int>(i)));
    if (!answer) return Broken(answer.error().message);
    if (answer->object.kind != keys[i].key.kind || answer->object.key != keys[i].key.key) {
      return Broken("an answer is for another key than the one that was asked for");
    }
    answers->push_back(std::move(*answer));
  }
  return {};
}

Result<std::vector<object::ReadAnswer>> ProcessClient::Read(
    std::span<const object::ObjectKey> keys) {
  std::vector<object::KnownKey> known;
  known.reserve(keys.size());
  for (const object::ObjectKey& key : keys) known.push_back({key, ""});
  return ReadKnown(known);
}

Result<std::vector<object::ReadAnswer>> ProcessClient::ReadKnown(
    std::span<const object::KnownKey> known) {
  if (gone_) return tl::unexpected(*gone_);
  std::vector<object::ReadAnswer> answers;
  answers.reserve(known.size());
  for (size_t begin = 0; begin < known.size();) {
    size_t end = begin, bytes = 0;
    while (end < known.size() && end - begin < kReadKeys && bytes < kReadBytes) {
      bytes += known[end].key.key.size() + known[end].id.size();
      ++end;
    }
    if (auto part = ReadSome(known.subspan(begin, end - begin), &answers); !part) {
      return tl::unexpected(part.error());
    }
    begin = end;
  }
  return answers;
}

Result<void> ProcessClient::Apply(std::span<const object::OperationGroup> groups,
                                  const object::Secrets& secrets, object::OutcomeSink& sink) {
  if (gone_) return tl::unexpected(*gone_);
  std::unordered_set<uint64_t> waiting;
  for (const auto& group : groups) {
    for (const auto& operation : group.operations) waiting.insert(operation.id);
  }
  Call call(watch_, "Apply");
  auto stream = stub_->Apply(&call.context);
  RequestWriter writer([&](const v1::ApplyRequest& request) { return stream->Write(request); });
  const bool written =
      call.Watch([&] { return writer.Write(groups, secrets) && stream->WritesDone(); });
  v1::ApplyReply reply;
  std::unique_ptr<Error> failure;
  while (written && call.Watch([&] { return stream->Read(&reply); })) {
    for (const v1::Outcome& row : reply.outcomes()) {
      auto outcome = FromWire(row);
      if (!outcome) return Broken(outcome.error().message);
      if (waiting.erase(row.id()) == 0) {
        return Broken(fmt::format("operation {} was answered twice or never asked", row.id()));
      }
      sink.Add(std::move(*outcome));
    }
    if (reply.has_failure()) failure = std::make_unique<Error>(FromWire(reply.failure()));
  }
  const grpc::Status status = call.Watch([&] { return stream->Finish(); });
  if (!status.ok()) return Explain(call, status);
  if (failure) return tl::unexpected(*failure);
  if (!waiting.empty()) {
    return Broken(fmt::format("{} operations have no answer", waiting.size()));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Client>> Start(const StartOptions& options, const v1::TargetConfig& config,
                                      const object::Secrets& secrets) {
  if (access(options.program.c_str(), X_OK) != 0) {
    return Fail(ErrorCode::kNotInstalled,
                fmt::format("there is no provider program {}; POSTERN_PROVIDERS names the folder "
                            "of the providers when they aren't beside postern",
                            options.program));
  }
  auto client = std::make_unique<ProcessClient>(options, config);
  if (auto begun = client->Begin(config, secrets); !begun) return tl::unexpected(begun.error());
  return client;
}

}  // namespace postern::provider
