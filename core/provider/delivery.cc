#include "core/provider/delivery.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include "core/object/wire.h"
#include "core/provider/call_watch.h"
#include "core/provider/channel.h"
#include "core/provider/process.h"
#include "core/provider/program.h"
#include "schemas/delivery.grpc.pb.h"

namespace postern::provider {
namespace {

using object::FromWire;
using std::chrono::milliseconds;
using Call = CallWatch::Call;
namespace wire = delivery::v1;

constexpr size_t kPiece = size_t{512} << 10;
constexpr milliseconds kDeathPatience{1000};
constexpr milliseconds kStopPatience{3000};

object::PlaceFile FileOf(const wire::File& row) {
  return {row.name(), row.bytes(), row.modified(), row.folder()};
}

class RemotePlace final : public object::Place {
 public:
  RemotePlace(const PlaceOptions& options, const std::string& name)
      : options_(options), name_("place " + name), watch_(options.silence) {}
  ~RemotePlace() override {
    stub_.reset();
    if (process_) process_->Stop(gone_ ? milliseconds(0) : kStopPatience);
  }

  Result<void> Begin(const std::string& program);
  Result<OpenedPlace> Open(const decl::Endpoint& endpoint,
                           const std::vector<PlaceCredential>& credentials);
  int pid() const { return process_->pid(); }

  Result<void> Put(const std::string& path, const object::ByteSource& bytes,
                   const object::PutOptions& options) override;
  Result<void> Get(const std::string& path, const object::ByteSink& bytes, uint64_t limit) override;
  Result<std::optional<object::PlaceFile>> Stat(const std::string& path) override;
  Result<std::vector<object::PlaceFile>> List(const std::string& folder) override;
  Result<void> Rename(const std::string& from, const std::string& to, bool replace) override;
  Result<void> Remove(const std::string& path) override;
  object::PlaceFeatures features() const override { return features_; }

 private:
  tl::unexpected<Error> Explain(const Call& call, const grpc::Status& status);
  // A call with one message each way.
  template <class Request, class Reply, class Method>
  Result<Reply> Ask(const char* what, Method method, const Request& request, milliseconds limit);
  template <class Reply>
  Result<void> Judge(const Call& call, const grpc::Status& status, const Reply& reply);

  const PlaceOptions options_;
  const std::string name_;
  CallWatch watch_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<wire::Delivery::Stub> stub_;
  object::PlaceFeatures features_;
  std::unique_ptr<Error> gone_;  // why every later call fails; the calling thread's own
};

tl::unexpected<Error> RemotePlace::Explain(const Call& call, const grpc::Status& status) {
  std::string message;
  const bool silent = watch_.silent();
  const bool late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  if (silent || late) {
    message = fmt::format("{} did not answer {} in time", name_, call.what());
  } else if (const std::string death = process_->WaitForDeath(kDeathPatience); !death.empty()) {
    message = fmt::format("the provider of {} {} during {}", name_, death, call.what());
  } else {
    message = fmt::format("the connection to the provider of {} broke during {} ({})", name_,
                          call.what(), status.error_message());
  }
  if (const std::string words = process_->LastWords(); !words.empty()) {
    message += "; its last words: " + words;
  }
  gone_ = std::make_unique<Error>(
      Error{silent || late ? ErrorCode::kTimeout : ErrorCode::kUnavailable, std::move(message)});
  return tl::unexpected(*gone_);
}

template <class Reply>
Result<void> RemotePlace::Judge(const Call& call, const grpc::Status& status, const Reply& reply) {
  if (!status.ok()) return Explain(call, status);
  if (reply.has_failure()) return base::Wrap(name_, FromWire(reply.failure()));
  return {};
}

template <class Request, class Reply, class Method>
Result<Reply> RemotePlace::Ask(const char* what, Method method, const Request& request,
                               milliseconds limit) {
  if (gone_) return tl::unexpected(*gone_);
  Call call(watch_, what, limit);
  Reply reply;
  const grpc::Status status =
      call.Watch([&] { return (stub_.get()->*method)(&call.context, request, &reply); });
  if constexpr (requires { reply.has_failure(); }) {
    if (auto judged = Judge(call, status, reply); !judged) return tl::unexpected(judged.error());
  } else {
    if (!status.ok()) return Explain(call, status);
  }
  return reply;
}

Result<void> RemotePlace::Begin(const std::string& program) {
  if (access(program.c_str(), X_OK) != 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("there is no provider program {}; POSTERN_PROVIDERS names the folder "
                            "of the providers when they aren't beside postern",
                            program));
  }
  SpawnOptions spawn;
  spawn.program = program;
  spawn.target = name_;
  auto process = Process::Spawn(spawn, [this] { watch_.Tick(); });
  if (!process) return tl::unexpected(process.error());
  process_ = std::move(*process);
  stub_ = wire::Delivery::NewStub(MakeChannel(process_->TakeSocket(), options_.keep_alive));
  v1::HelloRequest request;
  request.set_min_protocol(object::kProtocol);
  request.set_max_protocol(object::kProtocol);
  request.set_core_version(POSTERN_VERSION);
  auto hello = Ask<v1::HelloRequest, v1::HelloReply>("Hello", &wire::Delivery::Stub::Hello, request,
                                                     options_.hello);
  if (!hello) return tl::unexpected(hello.error());
  if (hello->protocol() != object::kProtocol) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} speaks protocol {}, this core {}: install both from one build",
                            program, hello->protocol(), object::kProtocol));
  }
  return {};
}

Result<OpenedPlace> RemotePlace::Open(const decl::Endpoint& endpoint,
                                      const std::vector<PlaceCredential>& credentials) {
  wire::OpenRequest request;
  *request.mutable_endpoint() = endpoint;
  for (const PlaceCredential& credential : credentials) {
    wire::Credential* row = request.add_credentials();
    row->set_name(credential.name);
    row->set_login(credential.login);
    row->set_private_key(credential.private_key);
    row->set_password(credential.password);
  }
  auto reply = Ask<wire::OpenRequest, wire::OpenReply>("Open", &wire::Delivery::Stub::Open, request,
                                                       options_.open);
  if (!reply) return tl::unexpected(reply.error());
  features_ = {reply->protocol(), reply->replaces(), reply->continues()};
  OpenedPlace opened;
  opened.credential = reply->credential();
  opened.fingerprint = reply->fingerprint();
  return opened;
}

Result<void> RemotePlace::Put(const std::string& path, const object::ByteSource& bytes,
                              const object::PutOptions& options) {
  if (gone_) return tl::unexpected(*gone_);
  Call call(watch_, "Put");
  wire::Done reply;
  auto writer = stub_->Put(&call.context, &reply);
  wire::PutRequest request;
  request.set_path(path);
  request.set_offset(options.offset);
  uint64_t handed = 0;
  for (bool last = false; !last;) {
    std::string& piece = *request.mutable_data();
    piece.resize(kPiece);
    auto got = bytes(piece.data(), piece.size());
    if (!got) {
      call.context.TryCancel();
      (void)writer->Finish();
      return tl::unexpected(got.error());
    }
    piece.resize(*got);
    last = *got == 0;
    request.set_last(last);
    // False: it has answered already, with what Finish tells.
    if (!call.Watch([&] { return writer->Write(request); })) break;
    handed += *got;
    if (options.progress && *got > 0) options.progress(handed);
    request.clear_path();
    request.clear_offset();
  }
  writer->WritesDone();
  const grpc::Status status = call.Watch([&] { return writer->Finish(); });
  return Judge(call, status, reply);
}

Result<void> RemotePlace::Get(const std::string& path, const object::ByteSink& bytes,
                              uint64_t limit) {
  if (gone_) return tl::unexpected(*gone_);
  Call call(watch_, "Get");
  wire::GetRequest request;
  request.set_path(path);
  request.set_limit(limit);
  auto reader = stub_->Get(&call.context, request);
  wire::GetReply reply;
  bool last = false;
  while (!last && call.Watch([&] { return reader->Read(&reply); })) {
    last = reply.last();
    if (reply.data().empty()) continue;
    if (auto taken = bytes(reply.data()); !taken) {
      call.context.TryCancel();
      (void)reader->Finish();
      return taken;
    }
  }
  const grpc::Status status = call.Watch([&] { return reader->Finish(); });
  auto judged = Judge(call, status, reply);
  if (judged && !last) {
    return Fail(ErrorCode::kIncomplete, fmt::format("{}: {} ended before its end", name_, path));
  }
  return judged;
}

Result<std::optional<object::PlaceFile>> RemotePlace::Stat(const std::string& path) {
  wire::PathRequest request;
  request.set_path(path);
  auto reply = Ask<wire::PathRequest, wire::FilesReply>("Stat", &wire::Delivery::Stub::Stat,
                                                        request, milliseconds(0));
  if (!reply) return tl::unexpected(reply.error());
  if (reply->files_size() == 0) return std::nullopt;
  return FileOf(reply->files(0));
}

Result<std::vector<object::PlaceFile>> RemotePlace::List(const std::string& folder) {
  wire::PathRequest request;
  request.set_path(folder);
  auto reply = Ask<wire::PathRequest, wire::FilesReply>("List", &wire::Delivery::Stub::List,
                                                        request, milliseconds(0));
  if (!reply) return tl::unexpected(reply.error());
  std::vector<object::PlaceFile> files;
  files.reserve(reply->files_size());
  for (const wire::File& row : reply->files()) files.push_back(FileOf(row));
  return files;
}

Result<void> RemotePlace::Rename(const std::string& from, const std::string& to, bool replace) {
  wire::RenameRequest request;
  request.set_from(from);
  request.set_to(to);
  request.set_replace(replace);
  auto reply = Ask<wire::RenameRequest, wire::Done>("Rename", &wire::Delivery::Stub::Rename,
                                                    request, milliseconds(0));
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

Result<void> RemotePlace::Remove(const std::string& path) {
  wire::PathRequest request;
  request.set_path(path);
  auto reply = Ask<wire::PathRequest, wire::Done>("Remove", &wire::Delivery::Stub::Remove, request,
                                                  milliseconds(0));
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

}  // namespace

Result<OpenedPlace> OpenPlace(const decl::Endpoint& endpoint,
                              const std::vector<PlaceCredential>& credentials,
                              const PlaceOptions& options) {
  auto place = std::make_unique<RemotePlace>(options, endpoint.name());
  const std::string program =
      options.program.empty() ? ProviderProgram("delivery") : options.program;
  if (auto begun = place->Begin(program); !begun) return tl::unexpected(begun.error());
  auto opened = place->Open(endpoint, credentials);
  if (!opened) return opened;
  opened->pid = place->pid();
  opened->place = std::move(place);
  return opened;
}

}  // namespace postern::provider
