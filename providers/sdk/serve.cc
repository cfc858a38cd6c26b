#include "providers/sdk/serve.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "core/base/kill_point.h"
#include "core/object/wire.h"
#include "providers/sdk/service.h"
#include "providers/sdk/turns.h"
#include "schemas/provider.grpc.pb.h"

namespace postern::sdk {
namespace {

using object::FromWire;
using object::ToWire;
namespace v1 = provider::v1;
using Clock = std::chrono::steady_clock;

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
    return turns_.Close(patience, [this] { target_.reset(); });
  }

 private:
  // With the target, when there is one and calls are still taken.
  class Turn : public Turns::Turn {
   public:
    explicit Turn(Service& service) : Turns::Turn(service.turns_), service_(service) {}
    object::Target* target() const { return closed() ? nullptr : service_.target_.get(); }

   private:
    Service& service_;
  };
  static grpc::Status NotConfigured() {
    return {grpc::StatusCode::FAILED_PRECONDITION, "no target is configured"};
  }

  grpc::Status Hello(grpc::ServerContext*, const v1::HelloRequest* request,
                     v1::HelloReply* reply) override {
    SayHello(name_, *request, reply);
    return grpc::Status::OK;
  }

  grpc::Status Configure(grpc::ServerContext*, const v1::ConfigureRequest* request,
                         v1::ConfigureReply* reply) override {
    const Turn turn(*this);
    if (turn.closed() || target_) return {grpc::StatusCode::FAILED_PRECONDITION, "configured"};
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
    auto scopes = request->fields() != 0 && kinds.size() == 1
                      ? turn.target()->EnumerateFields(kinds[0], request->fields(), sink)
                      : turn.target()->Enumerate(kinds, sink);
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
    std::vector<object::KnownKey> keys;
    keys.reserve(request->keys_size());
    for (const v1::KeyRow& row : request->keys()) {
      auto key = FromWire(row);
      if (!key) return {grpc::StatusCode::INVALID_ARGUMENT, key.error().message};
      keys.push_back(std::move(*key));
    }
    if (auto answers = turn.target()->ReadKnown(keys); answers) {
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
  Turns turns_;
  std::unique_ptr<object::Target> target_;  // the turn's own
};

}  // namespace

int Serve(std::string_view name, const Factory& factory) {
  Service service(name, factory);
  return RunService(name, &service,
                    [&](std::chrono::milliseconds patience) { return service.Close(patience); });
}

}  // namespace postern::sdk
