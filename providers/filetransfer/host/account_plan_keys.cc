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

// The lines of `text`, byte for byte; those whose numbers (from 1) are in `lines` are left out or,
// where there is one, get `prefix`.
std::string EditLines(std::string_view text, const std::set<uint32_t>& lines,
                      std::string_view prefix = {}) {
  std::string out;
  for (uint32_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n') + 1, text.size());
    const size_t size = text.find('\n') == std::string_view::npos ? text.size() : end;
    const bool named = lines.contains(number);
    if (named) out += prefix;
    if (!named || !prefix.empty()) out += text.substr(0, size);
    text.remove_prefix(size);
  }
  return out;
}

// The key's lines taken out; what other hands had said to narrow it stays in `narrow`.
std::string Without(const std::string& text, std::string_view fingerprint, AuthorizedKey* narrow) {
  std::set<uint32_t> lines;
  auto parsed = openssh::ParseAuthorizedKeys(text);
  for (auto& key : parsed.quarantined) parsed.keys.push_back(std::move(key));
  for (const AuthorizedKey& key : parsed.keys) {
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
  return lines.empty() ? text : EditLines(text, lines);
}

// The key's lines kept as comments.
std::string Quarantined(const std::string& text, std::string_view fingerprint) {
  std::set<uint32_t> lines;
  for (const AuthorizedKey& key : openssh::ParseAuthorizedKeys(text).keys) {
    if (key.Fingerprint() == fingerprint) lines.insert(key.line);
  }
  return EditLines(text, lines, openssh::kQuarantine);
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
  const auto want = object::DecodeAs<kinds::SshKey>(operation.after);
  const bool aside = want.has_enabled() && !want.enabled();
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
    for (std::string* text : {&edit.kept, &edit.after}) {
      *text = aside ? Quarantined(*text, fingerprint) : Without(*text, fingerprint, &key);
    }
    edit.operations.insert(index);
  }
  if (operation.after.empty() || aside) return std::nullopt;
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
