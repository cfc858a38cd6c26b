#include "core/jobs/snapshot/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/object/fields.h"
#include "schemas/kinds.pb.h"

namespace postern::jobs {
namespace {

using object::Kind;

// Why Postern can't make such an object; empty: it can.
std::string NotOurs(const object::ObjectView& object) {
  if (object::TableOf(object.kind).observed_only) {
    return object::Spoken(object::NameOf(object.kind)) + "s, which Postern never writes";
  }
  switch (object.kind) {
    case Kind::kSession:
      return "open sessions";
    case Kind::kJob:
      return "jobs, which an apply of the declarations installs";
    case Kind::kJobRun:
      return "runs of jobs";
    case Kind::kAccount:
      if (object::DecodeAs<kinds::Account>(object.body).source() == object::kFromDirectory) {
        return "accounts that a directory gives";
      }
      return "";
    case Kind::kIamUser:
      if (object::DecodeAs<kinds::IamUser>(object.body).synchronized()) {
        return "users that come from another system";
      }
      return "";
    default:
      return "";
  }
}

// "root (0)" as a host takes it: by the name, which outlives numbers.
std::string Principal(const std::string& seen) {
  return seen.substr(0, seen.find(" ("));
}

// What is managed of it and can be written: nothing that the target says beside that, no secret.
std::string Writable(const object::ObjectView& object) {
  std::string body = object::Restrict(
      object.body, ~(object::ServerOwnedMask(object.kind) | object::SecretMask(object.kind)));
  if (object.kind != Kind::kFolder) return body;
  auto folder = object::DecodeAs<kinds::Folder>(body);
  if (folder.has_owner()) folder.set_owner(Principal(folder.owner()));
  if (folder.has_group()) folder.set_group(Principal(folder.group()));
  return object::EncodeBody(folder);
}

class Restorer {
 public:
  Restorer(const Snapshot& snapshot, const compile::Desired& declared)
      : snapshot_(snapshot), declared_(declared) {}

  Restore Run(const config::Declarations& declarations,
              const std::vector<std::pair<std::string, uint32_t>>& allocated) {
    desired().provenance = declared_.provenance;
    desired().by_facts = declared_.by_facts;
    desired().identities = declared_.identities;
    desired().grants = declared_.grants;
    foreign_ = static_cast<uint32_t>(desired().provenance.size());
    desired().provenance.push_back(
        {.owner = std::string(compile::kRestored),
         .reason = "as of " + base::FormatInstant(snapshot_.head.taken)});
    allocated_.insert(allocated.begin(), allocated.end());
    const std::set<std::string> names = TargetsOf(declarations);
    for (const SnapshotTarget& target : snapshot_.targets) {
      if (!names.contains(target.name)) {
        result_.unknown_targets.push_back(target.name);
        continue;
      }
      Take(target);
    }
    return std::move(result_);
  }

 private:
  compile::Desired& desired() { return result_.desired; }

  static std::set<std::string> TargetsOf(const config::Declarations& declarations) {
    std::set<std::string> names;
    for (const auto& host : declarations.hosts) names.insert("host:" + host.message.name());
    for (const auto& runner : declarations.runners) names.insert("runner:" + runner.message.name());
    for (const auto& iam : declarations.iams) names.insert("iam:" + iam.message.name());
    for (const auto& directory : declarations.directories) {
      names.insert("directory:" + directory.message.name());
    }
    return names;
  }

  void Take(const SnapshotTarget& target) {
    compile::DesiredTarget& to = desired().targets.emplace_back();
    to.name = target.name;
    const compile::DesiredTarget* declared = declared_.Find(target.name);
    std::map<std::string, uint64_t> left;
    for (const object::ObjectView& object : target.objects.all()) {
      if (const std::string why = NotOurs(object); !why.empty()) {
        ++left[why];
        continue;
      }
      to.objects.push_back(
          Wanted(object, declared ? declared->Find(object.kind, object.key) : nullptr));
      if (object.kind == Kind::kAccount) Allocate(object);
    }
    for (const auto& [what, count] : left) {
      result_.left_out.push_back({target.name, what, count});
    }
  }

  compile::DesiredObject Wanted(const object::ObjectView& object,
                                const compile::DesiredObject* declared) {
    std::string body = Writable(object);
    compile::DesiredObject wanted;
    wanted.kind = object.kind;
    if (declared != nullptr) {
      // The snapshot has no secrets; the declarations say where they are found.
      body = object::Overlay(object.kind, body,
                             object::Restrict(declared->body, object::KeyMask(object.kind) |
                                                                  object::SecretMask(object.kind)));
      wanted.sources = declared->sources;
      wanted.owned = object::FieldsSet(declared->body);
    } else {
      wanted.sources = {foreign_};
      wanted.owned = object::KeyMask(object.kind);
    }
    wanted.key = desired().bytes.Copy(object.key);
    wanted.body = desired().bytes.Copy(body);
    return wanted;
  }

  void Allocate(const object::ObjectView& object) {
    const auto account = object::DecodeAs<kinds::Account>(object.body);
    if (!account.has_uid()) return;
    if (!allocated_.emplace(account.server(), account.uid()).second) return;
    desired().new_uids.emplace_back(account.server(), account.uid());
  }

  const Snapshot& snapshot_;
  const compile::Desired& declared_;
  Restore result_;
  uint32_t foreign_ = 0;  // provenance of what nobody declares
  std::set<std::pair<std::string, uint32_t>> allocated_;
};

}  // namespace

Restore RestoreOf(const Snapshot& snapshot, const compile::Desired& declared,
                  const config::Declarations& declarations,
                  const std::vector<std::pair<std::string, uint32_t>>& allocated) {
  return Restorer(snapshot, declared).Run(declarations, allocated);
}

void KeepRestored(const compile::Desired& desired,
                  std::map<std::string, std::vector<ledger::Recorded>>* recorded) {
  for (auto& [target, rows] : *recorded) {
    const compile::DesiredTarget* wanted = desired.Find(target);
    std::erase_if(rows, [wanted = wanted](const ledger::Recorded& row) {
      return wanted == nullptr || wanted->Find(row.kind, row.key) == nullptr;
    });
  }
}

}  // namespace postern::jobs
