#include "providers/sdk/serve_place.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <string>

#include "core/base/kill_point.h"
#include "core/object/wire.h"
#include "providers/sdk/service.h"
#include "providers/sdk/turns.h"
#include "schemas/delivery.grpc.pb.h"

namespace postern::sdk {
namespace {

using object::ToWire;
namespace v1 = delivery::v1;

constexpr size_t kPiece = size_t{256} << 10;

// The bytes of a Put, as they come from the core.
class Incoming {
 public:
  explicit Incoming(grpc::ServerReader<v1::PutRequest>& reader) : reader_(reader) {}

  bool Begin() { return reader_.Read(&request_); }
  const v1::PutRequest& head() const { return request_; }
  Result<size_t> Take(char* buffer, size_t size) {
    while (used_ == request_.data().size()) {
      if (request_.last()) return 0;
      used_ = 0;
      if (!reader_.Read(&request_)) {
        return Fail(ErrorCode::kCancelled, "the core broke the transfer off");
      }
    }
    const size_t count = std::min(size, request_.data().size() - used_);
    request_.data().copy(buffer, count, used_);
    used_ += count;
    return count;
  }

 private:
  grpc::ServerReader<v1::PutRequest>& reader_;
  v1::PutRequest request_;  // one for all messages: its bytes keep their memory
  size_t used_ = 0;
};

void ToReply(const object::PlaceFile& file, v1::File* row) {
  row->set_name(file.name);
  row->set_bytes(file.bytes);
  row->set_modified(file.modified);
  row->set_folder(file.folder);
}

grpc::Status Answer(const Result<void>& done, v1::Done* reply) {
  if (!done) ToWire(done.error(), reply->mutable_failure());
  return grpc::Status::OK;
}

class Service final : public v1::Delivery::Service {
 public:
  Service(std::string_view name, const PlaceFactory& factory) : name_(name), factory_(factory) {}

  bool Close(std::chrono::milliseconds patience) {
    return turns_.Close(patience, [this] { opened_.place.reset(); });
  }

 private:
  // With the place, when there is one and calls are still taken.
  class Turn : public Turns::Turn {
   public:
    explicit Turn(Service& service) : Turns::Turn(service.turns_), service_(service) {}
    object::Place* place() const { return closed() ? nullptr : service_.opened_.place.get(); }

   private:
    Service& service_;
  };
  static grpc::Status NotOpen() {
    return {grpc::StatusCode::FAILED_PRECONDITION, "no place is open"};
  }

  grpc::Status Hello(grpc::ServerContext*, const provider::v1::HelloRequest* request,
                     provider::v1::HelloReply* reply) override {
    SayHello(name_, *request, reply);
    return grpc::Status::OK;
  }

  grpc::Status Open(grpc::ServerContext*, const v1::OpenRequest* request,
                    v1::OpenReply* reply) override {
    const Turn turn(*this);
    if (turn.closed() || opened_.place) return {grpc::StatusCode::FAILED_PRECONDITION, "open"};
    std::vector<object::PlaceCredential> credentials;
    for (const v1::Credential& row : request->credentials()) {
      credentials.push_back({row.name(), row.login(), row.private_key(), row.password()});
    }
    auto opened = factory_(request->endpoint(), credentials);
    if (!opened) {
      ToWire(opened.error(), reply->mutable_failure());
      return grpc::Status::OK;
    }
    opened_ = std::move(*opened);
    const object::PlaceFeatures features = opened_.place->features();
    reply->set_credential(opened_.credential);
    reply->set_fingerprint(opened_.fingerprint);
    reply->set_protocol(features.protocol);
    reply->set_replaces(features.replaces);
    reply->set_continues(features.continues);
    return grpc::Status::OK;
  }

  grpc::Status Put(grpc::ServerContext*, grpc::ServerReader<v1::PutRequest>* reader,
                   v1::Done* reply) override {
    const Turn turn(*this);
    if (turn.place() == nullptr) return NotOpen();
    Incoming incoming(*reader);
    if (!incoming.Begin()) return grpc::Status::CANCELLED;
    object::PutOptions options;
    options.offset = incoming.head().offset();
    const std::string path = incoming.head().path();
    const auto source = [&](char* buffer, size_t size) { return incoming.Take(buffer, size); };
    auto done = turn.place()->Put(path, source, options);
    base::KillPoint("provider.put.done");
    return Answer(done, reply);
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest* request,
                   grpc::ServerWriter<v1::GetReply>* writer) override {
    const Turn turn(*this);
    if (turn.place() == nullptr) return NotOpen();
    v1::GetReply reply;
    const auto send = [&]() -> Result<void> {
      if (!writer->Write(reply)) return Fail(ErrorCode::kCancelled, "the core went away");
      reply.clear_data();
      return {};
    };
    auto done = turn.place()->Get(
        request->path(),
        [&](std::string_view part) -> Result<void> {
          reply.mutable_data()->append(part);
          return reply.data().size() < kPiece ? Result<void>() : send();
        },
        request->limit());
    reply.set_last(true);
    if (!done) ToWire(done.error(), reply.mutable_failure());
    writer->Write(reply);
    return grpc::Status::OK;
  }

  grpc::Status Stat(grpc::ServerContext*, const v1::PathRequest* request,
                    v1::FilesReply* reply) override {
    const Turn turn(*this);
    if (turn.place() == nullptr) return NotOpen();
    auto found = turn.place()->Stat(request->path());
    if (!found) ToWire(found.error(), reply->mutable_failure());
    if (found && *found) ToReply(**found, reply->add_files());
    return grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext*, const v1::PathRequest* request,
                    v1::FilesReply* reply) override {
    const Turn turn(*this);
    if (turn.place() == nullptr) return NotOpen();
    auto found = turn.place()->List(request->path());
    if (!found) ToWire(found.error(), reply->mutable_failure());
    if (!found) return grpc::Status::OK;
    for (const object::PlaceFile& file : *found) ToReply(file, reply->add_files());
    return grpc::Status::OK;
  }

  grpc::Status Rename(grpc::ServerContext*, const v1::RenameRequest* request,
                      v1::Done* reply) override {
    const Turn turn(*this);
    if (turn.place() == nullptr) return NotOpen();
    base::KillPoint("provider.rename");
    auto done = turn.place()->Rename(request->from(), request->to(), request->replace());
    base::KillPoint("provider.renamed");
    return Answer(done, reply);
  }

  grpc::Status Remove(grpc::ServerContext*, const v1::PathRequest* request,
                      v1::Done* reply) override {
    const Turn turn(*this);
    if (turn.place() == nullptr) return NotOpen();
    return Answer(turn.place()->Remove(request->path()), reply);
  }

  const std::string name_;
  const PlaceFactory& factory_;
  Turns turns_;
  object::OpenedPlace opened_;  // the turn's own
};

}  // namespace

int ServePlace(std::string_view name, const PlaceFactory& factory) {
  Service service(name, factory);
  return RunService(name, &service,
                    [&](std::chrono::milliseconds patience) { return service.Close(patience); });
}

}  // namespace postern::sdk
