// core/provider/request.h: cutting operations into messages, and checking what an enumeration
// brought. No gRPC. Not thread-safe.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "core/object/target.h"

namespace postern::provider::v1 {
class ApplyRequest;
class OperationGroup;
}  // namespace postern::provider::v1

namespace postern::provider {

// Groups into messages of about 256 KiB; a group that doesn't fit into one goes on in the next.
class RequestWriter {
 public:
  // False: the connection is gone.
  using Send = std::function<bool(const v1::ApplyRequest&)>;
  explicit RequestWriter(Send send) : send_(std::move(send)) {}
  // The secrets travel in the first message. There is always one.
  bool Write(std::span<const object::OperationGroup> groups, const object::Secrets& secrets);

 private:
  Send send_;
};

// Objects that arrived, by kind.
using Arrived = std::map<object::Kind, uint64_t>;

// A provider that says "complete" must have sent as many objects of the kind as it counted: what
// was lost on the way must not look like objects that are gone. Where the two differ the scope is
// incomplete.
void CheckCounts(const Arrived& arrived, std::vector<object::ScopeStatus>* scopes);

}  // namespace postern::provider
