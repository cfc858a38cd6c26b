#include "providers/filetransfer/host/key_objects.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/hash.h"
#include "providers/filetransfer/openssh/keys.h"
#include "providers/filetransfer/openssh/words.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Object;

// "pty" and the like let a key do more than sessions of SFTP need; what only narrows isn't told.
void AddOptions(const openssh::KeyOptions& options, std::set<std::string>* out) {
  if (options.command) out->insert("command=" + *options.command);
  for (const std::string& other : options.others) {
    if (!other.starts_with("no-") || other == "no-touch-required") out->insert(other);
  }
}

struct KeyLines {
  std::string public_key;
  std::set<std::string> from, options, principals;
  base::Instant expires = 0;
  int64_t modified = 0;
  bool signs = false, opens = false;
  bool enabled = false;  // not in quarantine

  void Add(const std::string& login, const openssh::AuthorizedKey& key, int64_t changed) {
    (key.options.cert_authority ? signs : opens) = true;
    if (key.options.cert_authority) {
      options.insert(std::string(kAuthority));
      const auto names = openssh::SplitList(key.options.principals.value_or(login), ',');
      principals.insert(names.begin(), names.end());
    }
    if (signs && opens) options.insert("the key itself");
    public_key = key.type + " " + base::Base64(key.blob);
    modified = std::max(modified, changed);
    const auto patterns = openssh::SplitList(key.options.from.value_or("*"), ',');
    from.insert(patterns.begin(), patterns.end());
    base::Instant until = key.options.not_after.value_or(base::kForever);
    // A time without Z may be that much later than it reads.
    if (key.options.not_after && key.options.local_time) until += openssh::kWidestZone;
    expires = std::max(expires, until);
    AddOptions(key.options, &options);
  }
};

bool Excludes(const std::set<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [](const std::string& pattern) { return pattern.starts_with('!'); });
}

// By fingerprint. A key that one line lets in is no longer in quarantine by another.
std::map<std::string, KeyLines> LinesOf(const std::string& login,
                                        const std::vector<KeyFileState>& files) {
  std::map<std::string, KeyLines> keys, quarantined;
  for (const KeyFileState& file : files) {
    const auto lines = openssh::ParseAuthorizedKeys(file.content);
    for (const openssh::AuthorizedKey& key : lines.keys) {
      KeyLines& of = keys[key.Fingerprint()];
      of.Add(login, key, file.modified);
      of.enabled = true;
    }
    for (const openssh::AuthorizedKey& key : lines.quarantined) {
      quarantined[key.Fingerprint()].Add(login, key, file.modified);
    }
  }
  keys.merge(quarantined);
  return keys;
}

}  // namespace

void SetChanged(int64_t modified, Object* object) {
  object->changed_at = modified;
  if (modified != 0) object->how_known = "window";
}

void AppendKeys(const HostState& state, const AccountSettings& settings, const HostScope& scope,
                std::vector<Object>* out) {
  for (const auto& [login, files] : state.keys) {
    if (!scope.Tells(login)) continue;
    std::map<std::string, KeyLines> keys = LinesOf(login, files);
    for (const auto& [fingerprint, lines] : keys) {
      kinds::SshKey object;
      object.set_server(settings.server);
      object.set_login(login);
      object.set_fingerprint(fingerprint);
      object.set_public_key(lines.public_key);
      // One that is let in from anywhere is, whatever else is said.
      const bool anywhere = lines.from.contains("*") && !Excludes(lines.from);
      for (const std::string& from : lines.from) {
        if (!anywhere || from == "*") object.mutable_from()->add_values(from);
      }
      object.set_expires(lines.expires);
      object.set_enabled(lines.enabled);
      object.mutable_options();
      for (const std::string& option : lines.options) object.mutable_options()->add_values(option);
      if (lines.signs) {
        for (const std::string& name : lines.principals) {
          object.mutable_principals()->add_values(name);
        }
      }
      const auto unrevoked = settings.unrevoked.find(login);
      if (lines.enabled && unrevoked != settings.unrevoked.end()) {
        object.mutable_options()->add_values(unrevoked->second);
      }
      Object encoded = object::Encode(object);
      SetChanged(lines.modified, &encoded);
      out->push_back(std::move(encoded));
    }
  }
}

}  // namespace postern::filetransfer
