// Edits of authorized_keys, and the order of all steps.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "providers/filetransfer/host/account_plan.h"

namespace postern::filetransfer {
namespace {

using object::Operation;
using openssh::AuthorizedKey;
using Verb = Step::Verb;

// The lines of `text` whose numbers (from 1) aren't in `without`, byte for byte.
std::string WithoutLines(std::string_view text, const std::set<uint32_t>& without) {
  std::string out;
  for (uint32_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n') + 1, text.size());
    const size_t size = text.find('\n') == std::string_view::npos ? text.size() : end;
    if (!without.contains(number)) out += text.substr(0, size);
    text.remove_prefix(size);
  }
  return out;
}

// The key's lines taken out; what other hands had said to narrow it stays in `narrow`.
std::string Without(const std::string& text, std::string_view fingerprint, AuthorizedKey* narrow) {
  std::set<uint32_t> lines;
  for (const AuthorizedKey& key : openssh::ParseAuthorizedKeys(text).keys) {
    if (key.Fingerprint() != fingerprint) continue;
    lines.insert(key.line);
    narrow->options.from = key.options.from;
    narrow->options.not_after = key.options.not_after;
    // A time without Z may be up to 14 hours earlier than it reads in UTC.
    if (narrow->options.not_after && key.options.local_time) {
      *narrow->options.not_after -= openssh::kWidestZone;
    }
    narrow->comment = key.comment;
  }
  return lines.empty() ? text : WithoutLines(text, lines);
}

// What is said of the key; what isn't stays as it was.
void Narrow(const kinds::SshKey& want, openssh::KeyOptions* options) {
  if (want.has_from()) {
    const auto& from = want.from().values();
    const bool anywhere = std::find(from.begin(), from.end(), "*") != from.end();
    options->from.reset();
    if (!anywhere && !from.empty()) options->from = fmt::format("{}", fmt::join(from, ","));
  }
  const auto& allowed = want.options().values();
  options->cert_authority = std::find(allowed.begin(), allowed.end(), kAuthority) != allowed.end();
  if (want.has_principals()) {
    options->principals = fmt::format("{}", fmt::join(want.principals().values(), ","));
  }
  if (want.has_expires()) {
    options->not_after.reset();
    if (want.expires() != base::kForever) options->not_after = want.expires();
  }
}

std::string WithLine(std::string text, const std::string& line) {
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  return text + line + '\n';
}

std::string DigestOf(const std::string& text) {
  return text.empty() ? std::string(kAbsent) : base::Hex(base::Sha256(text));
}

}  // namespace

AccountPlan::Refusal AccountPlan::EditKey(const Operation& operation, size_t index) {
  const auto parts = object::SplitKey(operation.key);
  if (parts.size() != 3) return "no key of a key";
  const std::string login(parts[1]), fingerprint(parts[2]);
  if (deleted_.contains(login)) return std::nullopt;  // its files are put aside
  const posix::User* user = FindUser(login);
  if (user == nullptr) return fmt::format("there is no account {}", login);
  const auto files = state_.keys.find(login);
  if (files == state_.keys.end() || files->second.empty()) {
    return fmt::format("no file of keys is asked for {}", login);
  }
  const bool fresh = created_.contains(login);
  AuthorizedKey key;
  for (const KeyFileState& file : files->second) {
    if (file.link) return fmt::format("{} is a link: it is not followed", file.path);
    if (file.content.find('\0') != std::string::npos) {
      return fmt::format("{} has a NUL byte: look at it", file.path);
    }
    const auto [at, first] = keys_.try_emplace(file.path);
    KeyEdit& edit = at->second;
    if (first) {
      edit.owner = *user;
      // What lay there before the account is put aside.
      edit.before = fresh ? "" : file.content;
      edit.digest =
          fresh || file.presence != Presence::kPresent ? std::string(kAbsent) : file.digest;
      edit.kept = edit.after = edit.before;
    }
    edit.kept = Without(edit.kept, fingerprint, &key);
    edit.after = Without(edit.after, fingerprint, &key);
    edit.operations.insert(index);
  }
  if (operation.after.empty()) return std::nullopt;
  const auto want = object::DecodeAs<kinds::SshKey>(operation.after);
  auto parsed = openssh::ParseKeyLine(want.public_key());
  if (!parsed) return parsed.error().message;
  if (parsed->Fingerprint() != fingerprint) return "the key has another fingerprint";
  key.type = parsed->type;
  key.blob = parsed->blob;
  key.options.restrict_all = true;
  Narrow(want, &key.options);
  auto line = openssh::RenderKeyLine(key);
  if (!line) return line.error().message;
  std::string& text = keys_.at(files->second.front().path).after;
  text = WithLine(std::move(text), *line);
  return std::nullopt;
}

std::vector<AccountPlan::Planned> AccountPlan::Steps() const {
  std::vector<Planned> out = steps_;
  for (const auto& entry : keys_) {
    const KeyEdit& edit = entry.second;
    if (deleted_.contains(edit.owner.name)) continue;
    const auto step = [&](Verb verb, std::string digest, const std::string& content) {
      out.push_back({{verb,
                      {std::to_string(edit.owner.uid), std::to_string(edit.owner.gid),
                       edit.owner.home, entry.first, std::move(digest)},
                      content},
                     edit.operations});
    };
    const bool cuts = edit.kept != edit.before;
    if (cuts) step(Verb::kCut, edit.digest, edit.kept);
    if (edit.after != edit.kept) {
      step(Verb::kPut, cuts ? DigestOf(edit.kept) : edit.digest, edit.after);
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Planned& a, const Planned& b) { return a.step.verb < b.step.verb; });
  return out;
}

}  // namespace postern::filetransfer
