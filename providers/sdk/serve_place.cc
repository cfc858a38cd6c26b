#include "providers/sdk/serve_place.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

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

// The bytes of a Put, as they come from the core. They are read ahead, because a delivery waits for
// the thread that encrypts them: 1 GiB takes 4.2 s so, and 4.9 s when it receives as well
// (deliver's bench).
class Incoming {
 public:
  explicit Incoming(grpc::ServerReader<v1::PutRequest>& reader) : reader_(reader) {}
  // Waits for one more message of the core at most: it is writing until it has its answer.
  ~Incoming() {
    if (!ahead_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    room_.notify_one();
    ahead_.join();
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  bool Begin() {
    if (!reader_.Read(&request_)) return false;
    path_ = request_.path();
    offset_ = request_.offset();
    if (!request_.last()) ahead_ = std::thread([this] { ReadAhead(); });
    return true;
  }
  const std::string& path() const { return path_; }
  uint64_t offset() const { return offset_; }

  Result<size_t> Take(char* buffer, size_t size) {
    while (used_ == request_.data().size()) {
      if (request_.last()) return 0;
      if (!Next()) return Fail(ErrorCode::kCancelled, "the core broke the transfer off");
    }
    const size_t count = std::min(size, request_.data().size() - used_);
    request_.data().copy(buffer, count, used_);
    used_ += count;
    return count;
  }

 private:
  static constexpr size_t kAhead = 4;  // messages; the core sends 512 KiB in one

  void ReadAhead() {
    v1::PutRequest request;
    for (bool more = true; more;) {
      const bool got = reader_.Read(&request);
      std::unique_lock lock(mutex_);
      room_.wait(lock, [this] { return stopped_ || waiting_ < kAhead; });
      if (stopped_) return;
      more = got && !request.last();
      if (got) {
        // Swapped, not copied: the bytes keep their memory and go round.
        messages_[(first_ + waiting_++) % kAhead].Swap(&request);
      } else {
        ended_ = true;
      }
      lock.unlock();
      came_.notify_one();
    }
  }

  bool Next() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return waiting_ > 0 || ended_; });
    if (waiting_ == 0) return false;
    request_.Swap(&messages_[first_]);
    first_ = (first_ + 1) % kAhead;
    --waiting_;
    used_ = 0;
    lock.unlock();
    room_.notify_one();
    return true;
  }

  grpc::ServerReader<v1::PutRequest>& reader_;
  std::string path_;
  uint64_t offset_ = 0;
  v1::PutRequest request_;  // what is taken from
  size_t used_ = 0;
  std::thread ahead_;
  std::mutex mutex_;
  std::condition_variable room_, came_;
  // Guarded by mutex_.
  std::array<v1::PutRequest, kAhead> messages_;
  size_t first_ = 0, waiting_ = 0;
  bool ended_ = false, stopped_ = false;
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
    options.offset = incoming.offset();
    const auto source = [&](char* buffer, size_t size) { return incoming.Take(buffer, size); };
    auto done = turn.place()->Put(incoming.path(), source, options);
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
