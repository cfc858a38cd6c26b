#include "providers/filetransfer/host/folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using object::Kind;
using object::Operation;
using object::Outcome;
using object::ReadAnswer;
using object::Status;

// Input: for each folder four lines: path, mode or "-", owner or "-", group or "-". Prints a line
// for each: "ok", or what went wrong. A fresh folder belongs to nobody else until its mode is set;
// a mode has five digits, because GNU chmod keeps set-id bits of folders otherwise.
constexpr std::string_view kMakeScript = R"sh(
umask 077
make() {
  if [ ! -d "$1" ]; then mkdir -- "$1" || return 1; [ "$2" != - ] || chmod 0755 -- "$1" || return 1; fi
  if [ -L "$1" ]; then echo "$1 is a link" >&2; return 1; fi
  [ "$3" = - ] || chown -- "$3" "$1" || return 1
  [ "$4" = - ] || chgrp -- "$4" "$1" || return 1
  [ "$2" = - ] || chmod -- "$2" "$1"
}
while IFS= read -r path && IFS= read -r mode && IFS= read -r owner && IFS= read -r group; do
  if err=$(make "$path" "$mode" "$owner" "$group" 2>&1); then echo ok; else printf '%s\n' "$err" | head -n 1; fi
done
)sh";

std::string PathOf(std::string_view key) {
  const auto parts = object::SplitKey(key);
  return parts.size() == 2 ? std::string(parts[1]) : "";
}

bool IsOneLine(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; });
}

// The same owner may be said by name or by number.
bool SameOwner(const std::string& wanted, const std::string& name, uint32_t id) {
  return wanted == name || wanted == std::to_string(id);
}

// "ftp (30000)", or the number alone where the host has no name for it.
std::string Principal(const std::string& name, uint32_t id) {
  const std::string number = std::to_string(id);
  return name.empty() || name == number ? number : name + " (" + number + ")";
}

// An inode's number is given to the next folder as soon as it is free; with the birth it is unique.
// The device's number isn't part of it: it may be another after a reboot or a mount.
std::string IdOf(uint64_t inode, uint64_t born) {
  return born == 0 ? std::to_string(inode) : fmt::format("{}.{}", inode, born);
}

// Takes the spelling of `wanted` for owners that are the same, so that only differences are left.
std::string Spelled(std::string_view wanted, const FileState& live, const object::Object& object) {
  auto want = object::DecodeAs<kinds::Folder>(wanted);
  auto have = object::DecodeAs<kinds::Folder>(object.body);
  if (want.has_owner() && SameOwner(want.owner(), live.owner, live.uid)) {
    have.set_owner(want.owner());
  }
  if (want.has_group() && SameOwner(want.group(), live.group, live.gid)) {
    have.set_group(want.group());
  }
  return object::EncodeBody(have);
}

std::string OrDash(bool set, std::string_view text) {
  return set ? std::string(text) : std::string("-");
}

}  // namespace

object::Object Folders::MakeObject(const std::string& path, const FileState& state) const {
  kinds::Folder folder;
  folder.set_host(host_);
  folder.set_path(path);
  folder.set_owner(Principal(state.owner, state.uid));
  folder.set_group(Principal(state.group, state.gid));
  folder.set_mode(state.mode);
  object::Object out = object::Encode(folder);
  out.id = IdOf(state.inode, state.born);
  return out;
}

Result<object::ScopeStatus> Folders::Enumerate(object::ObjectSink* sink,
                                               std::vector<FolderEntry>* access_files) {
  object::ScopeStatus status{.kind = Kind::kFolder, .scope = host_};
  auto list = ListFolders(transport_, roots_);
  if (!list) return tl::unexpected(list.error());
  size_t roots_seen = 0;
  for (FolderEntry& entry : list->entries) {
    if (entry.access_file) {
      if (access_files != nullptr) access_files->push_back(std::move(entry));
      continue;
    }
    roots_seen += std::count(roots_.begin(), roots_.end(), entry.path);
    ++status.count;
    if (sink == nullptr) continue;
    FileState state;
    state.owner = entry.owner;
    state.group = entry.group;
    state.uid = entry.uid;
    state.gid = entry.gid;
    state.mode = entry.mode;
    state.inode = entry.inode;
    state.born = entry.born;
    object::Object object = MakeObject(entry.path, state);
    object.changed_at = entry.changed;
    object.how_known = "window";
    if (!sink->Add(object.view())) return Fail(ErrorCode::kCancelled, "the core went away");
  }
  status.sentinel_seen = roots_seen >= roots_.size();
  status.complete = status.sentinel_seen && list->problems.empty();
  if (!list->problems.empty()) {
    status.reason = list->problems.front();
  } else if (!status.sentinel_seen) {
    status.reason = "not every managed root is a folder";
  }
  return status;
}

Result<std::vector<ReadAnswer>> Folders::Read(std::span<const object::ObjectKey> keys) {
  std::vector<std::string> paths;
  for (const object::ObjectKey& key : keys) paths.push_back(PathOf(key.key));
  auto states = ReadFiles(transport_, paths);
  if (!states) return tl::unexpected(states.error());
  std::vector<ReadAnswer> out;
  for (size_t i = 0; i < keys.size(); ++i) {
    const FileState& state = states->at(paths[i]);
    ReadAnswer answer;
    answer.object.kind = Kind::kFolder;
    answer.object.key = keys[i].key;
    if (state.presence == Presence::kPresent && state.directory) {
      answer.answer = Answer::kValue;
      answer.object = MakeObject(paths[i], state);
    } else if (state.presence == Presence::kUnreadable) {
      answer.reason = state.reason;
    } else {
      answer.answer = Answer::kAbsent;  // a file at that path is no folder
    }
    out.push_back(std::move(answer));
  }
  return out;
}

Result<void> Folders::Run(const std::vector<std::string>& lines,
                          std::vector<std::string>* answers) {
  std::string input;
  for (const std::string& line : lines) input += line + "\n";
  auto out = RunBatch(transport_, {.script = kMakeScript, .args = {}, .input = input});
  if (!out) return tl::unexpected(out.error());
  for (size_t at = 0; at < out->size();) {
    const size_t end = std::min(out->find('\n', at), out->size());
    answers->push_back(out->substr(at, end - at));
    at = end + 1;
  }
  return {};
}

std::vector<Outcome> Folders::Apply(std::span<const Operation> operations) {
  std::vector<object::ObjectKey> keys;
  std::vector<std::string> paths;
  for (const Operation& operation : operations) {
    keys.push_back({Kind::kFolder, operation.key});
    paths.push_back(PathOf(operation.key));
  }
  std::vector<Outcome> out(operations.size());
  auto before = Read(keys);
  auto states = ReadFiles(transport_, paths);
  std::vector<std::string> lines;
  std::vector<size_t> written;
  for (size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    out[i].id = operation.id;
    if (!before || !states) {
      out[i].status = Status::kTransient;
      out[i].message = !before ? before.error().message : states.error().message;
      continue;
    }
    const ReadAnswer& live = (*before)[i];
    out[i].live = live;
    const FileState& state = states->at(paths[i]);
    const auto refuse = [&](Status status, std::string why) {
      out[i].status = status;
      out[i].message = std::move(why);
    };
    if (live.answer == Answer::kUnreadable) {
      refuse(Status::kDenied, live.reason);
    } else if (operation.after.empty() && live.answer == Answer::kAbsent) {
      out[i].status = Status::kAlreadySo;
    } else if (!operation.after.empty() && live.answer == Answer::kValue &&
               object::Satisfies(Kind::kFolder, operation.after,
                                 Spelled(operation.after, state, live.object))) {
      out[i].status = Status::kAlreadySo;
    } else if (object::IsOtherId(operation.expect_id, live.object.id)) {
      refuse(Status::kPreconditionFailed, "another folder stands at this path now");
    } else if (operation.before.empty() != (live.answer == Answer::kAbsent) ||
               (!operation.before.empty() &&
                !object::Satisfies(Kind::kFolder, operation.before,
                                   Spelled(operation.before, state, live.object)))) {
      refuse(Status::kPreconditionFailed, "the folder isn't as it was when this was planned");
    } else if (operation.after.empty()) {
      refuse(Status::kDenied, "folders are never deleted");
    } else {
      const auto want = object::DecodeAs<kinds::Folder>(operation.after);
      if (!IsOneLine(paths[i]) || !IsOneLine(want.owner()) || !IsOneLine(want.group())) {
        refuse(Status::kDenied, "control characters in a path or owner");
        continue;
      }
      lines.push_back(paths[i]);
      lines.push_back(OrDash(want.has_mode(), fmt::format("{:05o}", want.mode())));
      lines.push_back(OrDash(want.has_owner(), want.owner()));
      lines.push_back(OrDash(want.has_group(), want.group()));
      written.push_back(i);
    }
  }
  if (written.empty()) return out;
  std::vector<std::string> answers;
  const auto done = Run(lines, &answers);
  auto after = Read(keys);
  for (size_t n = 0; n < written.size(); ++n) {
    Outcome& outcome = out[written[n]];
    if (after) outcome.live = (*after)[written[n]];
    if (!done || !after || n >= answers.size()) {
      outcome.status = Status::kUnknown;
      outcome.message = !done ? done.error().message : "no answer";
    } else if (answers[n] == "ok") {
      outcome.status = Status::kApplied;
    } else {
      outcome.status = Status::kDenied;
      outcome.message = answers[n];
    }
  }
  return out;
}

}  // namespace postern::filetransfer
