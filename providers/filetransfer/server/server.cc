#include "providers/filetransfer/server/server.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::filetransfer {

using object::ObjectKey;
using object::Operation;
using object::Outcome;
using object::Status;

void Server::ReadBack(std::span<const Operation> operations, std::vector<Outcome>& outcomes) {
  std::vector<ObjectKey> keys;
  for (const Operation& operation : operations) {
    keys.push_back({operation.kind, operation.new_key.empty() ? operation.key : operation.new_key});
  }
  const std::vector<FolderEntry> none;
  auto live = Read(keys, &none);
  for (size_t i = 0; i < operations.size(); ++i) {
    Outcome& outcome = outcomes[i];
    outcome.live.object.kind = operations[i].kind;
    outcome.live.object.key = keys[i].key;
    if (!live) {
      outcome.live.reason = live.error().message;
      if (outcome.status == Status::kApplied) {
        outcome.status = Status::kUnknown;
        outcome.message = "written; reading it back failed: " + live.error().message;
      }
      continue;
    }
    outcome.live = std::move((*live)[i]);
    const bool there = outcome.live.answer == object::Answer::kValue;
    if (outcome.status == Status::kApplied && operations[i].after.empty() && there) {
      outcome.status = Status::kUnknown;
      outcome.message = "written, and it is still there";
    }
  }
}

Outcome Refusal(const Operation& operation, std::string why) {
  Outcome out{.id = operation.id, .status = Status::kDenied, .live = {}, .message = std::move(why)};
  out.live.object.kind = operation.kind;
  out.live.object.key = operation.key;
  out.live.reason = "not read: the operation was refused";
  return out;
}

void TreeNeeds::Add(TreeNeeds other) {
  for (auto& account : other.accounts) accounts.push_back(std::move(account));
  for (auto& row : other.wanted) wanted.push_back(std::move(row));
}

Result<TreeNeeds> Server::NeedsOfPeers() const {
  TreeNeeds out;
  for (Server* peer : peers_) {
    auto needs = peer->NeedsOfTree();
    if (!needs) return needs;
    out.Add(std::move(*needs));
  }
  return out;
}

Server* Server::Fitter() const {
  const auto at = std::find_if(peers_.begin(), peers_.end(),
                               [](const Server* peer) { return peer->fits_tree(); });
  return at == peers_.end() ? nullptr : *at;
}

access::Rights LostIn(const access::GrantRow& row, const RightsByFolder& lost) {
  access::Rights gone;
  for (auto at = lost.lower_bound(row.path); at != lost.end(); ++at) {
    if (!access::IsWithin(at->first, row.path)) break;
    if (row.depth == access::Depth::kSubtree || at->first == row.path) gone |= at->second;
  }
  return gone;
}

void AddNodes(const access::GrantRow& row, const NodeByFolder& nodes, RowNote* note) {
  constexpr size_t kMost = 16;
  for (auto at = nodes.lower_bound(row.path); at != nodes.end(); ++at) {
    if (!access::IsWithin(at->first, row.path) || note->nodes.size() >= kMost) break;
    if (row.depth == access::Depth::kSubtree || at->first == row.path) {
      note->nodes.push_back(at->second);
    }
  }
}

std::string SomeFolders(const std::vector<std::string>& folders) {
  constexpr size_t kNamed = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kNamed, folders.size()); ++i) {
    text += (text.empty() ? "" : ", ") + folders[i];
  }
  if (folders.size() <= kNamed) return text;
  const size_t more = folders.size() - kNamed;
  return fmt::format("{} and {} more {}", text, more, more == 1 ? "folder" : "folders");
}

std::string WhereLost(const access::GrantRow& row, const RightsByFolder& lost) {
  std::vector<std::string> folders;
  for (auto at = lost.lower_bound(row.path); at != lost.end(); ++at) {
    if (!access::IsWithin(at->first, row.path)) break;
    if (row.depth != access::Depth::kSubtree && at->first != row.path) continue;
    if (!(at->second & row.rights).empty()) folders.push_back(at->first);
  }
  if (folders.size() == 1 && folders.front() == row.path) return "";
  return SomeFolders(folders);
}

}  // namespace postern::filetransfer
