#include "core/provider/request.h"

#include <fmt/format.h>

#include <set>

#include "core/object/wire.h"
#include "schemas/provider.pb.h"

namespace postern::provider {
namespace {

constexpr size_t kRequestBytes = 256 << 10;

v1::OperationGroup* Open(const object::OperationGroup& group, v1::ApplyRequest* request) {
  v1::OperationGroup* message = request->add_groups();
  message->set_container(group.container);
  return message;
}

}  // namespace

bool RequestWriter::Write(std::span<const object::OperationGroup> groups,
                          const object::Secrets& secrets) {
  v1::ApplyRequest request;
  for (const auto& [name, value] : secrets) (*request.mutable_secrets())[name] = value;
  size_t bytes = 0;
  const auto flush = [&] {
    const bool sent = send_(request);
    request.Clear();
    bytes = 0;
    return sent;
  };
  for (const object::OperationGroup& group : groups) {
    v1::OperationGroup* message = Open(group, &request);
    for (const object::Operation& operation : group.operations) {
      if (bytes >= kRequestBytes) {
        message->set_continues(true);
        if (!flush()) return false;
        message = Open(group, &request);
      }
      object::ToWire(operation, message->add_operations());
      bytes += object::WireBytes(operation);
    }
    if (bytes >= kRequestBytes && !flush()) return false;
  }
  return flush();
}

void CheckCounts(const Arrived& arrived, std::vector<object::ScopeStatus>* scopes) {
  Arrived said;
  std::set<object::Kind> open;  // kinds with an incomplete scope: their counts prove nothing
  for (const object::ScopeStatus& scope : *scopes) {
    said[scope.kind] += scope.count;
    if (!scope.complete) open.insert(scope.kind);
  }
  for (object::ScopeStatus& scope : *scopes) {
    const auto found = arrived.find(scope.kind);
    const uint64_t came = found == arrived.end() ? 0 : found->second;
    if (open.contains(scope.kind) || came == said[scope.kind]) continue;
    scope.complete = false;
    scope.reason = fmt::format("the provider counted {} objects of this kind, {} arrived",
                               said[scope.kind], came);
  }
}

}  // namespace postern::provider
