// A provider that misbehaves as its target's name says ("host:junk"). It stands in for third-party
// programs that are broken, not just for crashes.
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "core/object/wire.h"
#include "providers/sdk/serve.h"
#include "schemas/provider.grpc.pb.h"

namespace {

using postern::object::Kind;
namespace object = postern::object;
namespace v1 = postern::provider::v1;

[[noreturn]] void HangForEver() {
  for (;;) pause();
}

// Speaks gRPC but not the rules of the protocol.
class RuleBreaker final : public v1::Provider::Service {
 public:
  explicit RuleBreaker(std::string mode) : mode_(std::move(mode)) {}

 private:
  grpc::Status Hello(grpc::ServerContext*, const v1::HelloRequest*,
                     v1::HelloReply* reply) override {
    reply->set_protocol(mode_ == "wrong-version" ? 9 : object::kProtocol);
    reply->set_provider("bad");
    reply->set_version("9.9");
    return grpc::Status::OK;
  }
  grpc::Status Configure(grpc::ServerContext*, const v1::ConfigureRequest*,
                         v1::ConfigureReply*) override {
    return grpc::Status::OK;
  }
  grpc::Status Enumerate(grpc::ServerContext*, const v1::EnumerateRequest*,
                         grpc::ServerWriter<v1::EnumerateReply>* writer) override {
    v1::EnumerateReply reply;
    if (mode_ == "unknown-kind") reply.add_rows()->set_kind(999);
    if (mode_ == "miscounts") {
      v1::ScopeStatus* scope = reply.add_scopes();
      scope->set_kind(static_cast<uint32_t>(Kind::kAccount));
      scope->set_complete(true);
      scope->set_sentinel_seen(true);
      scope->set_count(5);  // and not one row
    }
    reply.set_last(mode_ != "no-last");
    writer->Write(reply);
    return grpc::Status::OK;
  }
  grpc::Status Read(grpc::ServerContext*, const v1::ReadRequest*, v1::ReadReply* reply) override {
    if (mode_ == "other-key") {
      v1::ReadAnswer* answer = reply->add_answers();
      answer->set_answer(2);
      answer->mutable_row()->set_kind(static_cast<uint32_t>(Kind::kAccount));
      answer->mutable_row()->set_key("another");
    }
    return grpc::Status::OK;
  }
  grpc::Status Apply(grpc::ServerContext*,
                     grpc::ServerReaderWriter<v1::ApplyReply, v1::ApplyRequest>* stream) override {
    v1::ApplyRequest request;
    while (stream->Read(&request)) {
    }
    v1::ApplyReply reply;
    for (int i = 0; mode_ == "answers-twice" && i < 2; ++i) {
      v1::Outcome* outcome = reply.add_outcomes();
      outcome->set_id(1);
      outcome->set_status(1);
      outcome->mutable_live()->set_answer(2);
      outcome->mutable_live()->mutable_row()->set_kind(static_cast<uint32_t>(Kind::kAccount));
    }
    stream->Write(reply);
    return grpc::Status::OK;
  }

  const std::string mode_;
};

int BreakRules(const std::string& mode) {
  RuleBreaker service(mode);
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  grpc::AddInsecureChannelFromFd(server.get(), 3);
  HangForEver();  // until SIGTERM: the core must not depend on our good will
}

// Keeps the protocol until it hangs where its mode says.
class HangingTarget final : public object::Target {
 public:
  explicit HangingTarget(std::string mode) : mode_(std::move(mode)) {}
  postern::Result<object::Probe> ProbeTarget() override {
    if (mode_ == "hang-probe") HangForEver();
    return object::Probe{.product = "hanging", .identity = "nobody"};
  }
  postern::Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const Kind>,
                                                              object::ObjectSink&) override {
    HangForEver();
  }
  postern::Result<std::vector<object::ReadAnswer>> Read(
      std::span<const object::ObjectKey>) override {
    HangForEver();
  }
  postern::Result<void> Apply(std::span<const object::OperationGroup>, const object::Secrets&,
                              object::OutcomeSink&) override {
    HangForEver();
  }

 private:
  const std::string mode_;
};

}  // namespace

int main(int, char** argv) {
  const std::string name = argv[1], mode = name.substr(name.find(':') + 1);
  if (mode == "junk") {
    const std::string junk(4096, 'j');
    [[maybe_unused]] const ssize_t written = write(3, junk.data(), junk.size());
    HangForEver();
  }
  if (mode == "silent") HangForEver();
  if (mode == "exits") {
    std::fputs("first line\n\x1b[31mno such library: libfoo.so\n", stderr);
    return 3;
  }
  if (mode.starts_with("hang-")) {
    return postern::sdk::Serve("bad", [&](const v1::TargetConfig&, const object::Secrets&) {
      if (mode == "hang-configure") HangForEver();
      return postern::Result<std::unique_ptr<object::Target>>(
          std::make_unique<HangingTarget>(mode));
    });
  }
  return BreakRules(mode);
}
