// What opens an account beside a password: public keys, and certificates by principals.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "core/compile/compiler.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

using object::Kind;

// "ssh-ed25519 AAAA... comment" -> type and blob without the comment, and the blob's fingerprint as
// ssh-keygen -l prints it.
bool SplitPublicKey(std::string_view line, std::string* key, std::string* fingerprint) {
  const size_t first = line.find(' ');
  if (first == std::string_view::npos) return false;
  const size_t second = line.find(' ', first + 1);
  const std::string_view blob64 =
      line.substr(first + 1, second == std::string_view::npos ? second : second - first - 1);
  std::string blob;
  if (!base::DecodeBase64(blob64, &blob)) return false;
  const base::Digest digest = base::Sha256(blob);
  *fingerprint = "SHA256:";
  *fingerprint += base::Base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  while (fingerprint->ends_with('=')) fingerprint->pop_back();
  key->assign(line.substr(0, first));
  *key += ' ';
  *key += blob64;
  return true;
}

}  // namespace

// Of a key with an end of its own: sshd itself refuses it from the second after.
uint32_t Compiler::SourceOfKey(const AccountInfo& info, int element) {
  const decl::Account& message = info.declared->message;
  const base::Instant own = message.keys().values(element).expires();
  const uint32_t source =
      AddProvenance(OwnerOf(AddressOf(*info.declared), info.identity),
                    info.declared->At(decl::Account::kKeysFieldNumber, element), own);
  desired_.provenance[source].closer = kClosedByServer;
  std::string key, fingerprint;
  SplitPublicKey(message.keys().values(element).key(), &key, &fingerprint);
  desired_.login_ends.push_back(
      {source, info.identity, info.server->message.host(),
       fmt::format("the key {} of {} at {}", fingerprint, info.login, message.server())});
  return source;
}

// Where a key may come from and when it ends: as the server can keep it, else a diagnostic.
bool Compiler::NarrowKey(const AccountInfo& info, const decl::Key& declared, int element,
                         kinds::SshKey* key) {
  if (!declared.has_from() && !declared.has_expires()) return true;
  const std::string& server = info.server->message.name();
  const object::Capability* options = FindCapability(server, "ssh_key", "options");
  if (options != nullptr && options->support == "unsupported") {
    desired_.diagnostics.Add(
        {.code = diag::code::kFieldUnsupported,
         .summary = fmt::format("server \"{}\" ({}) can't keep where a key comes from or ends",
                                server, info.server->message.product()),
         .span = info.declared->At(decl::Account::kKeysFieldNumber, element),
         .label = options->why,
         .also = {{info.server->span, "the server is declared here"}},
         .notes = options->alternatives});
    return false;
  }
  const auto& from = declared.from().values();
  const bool anywhere = from.empty() || std::find(from.begin(), from.end(), "*") != from.end();
  if (anywhere) {
    key->mutable_from()->add_values("*");
  } else {
    for (const std::string& pattern : from) key->mutable_from()->add_values(pattern);
  }
  key->set_expires(declared.has_expires() ? declared.expires() : base::kForever);
  return true;
}

void Compiler::EmitKeys(const AccountInfo& info, uint32_t source, kinds::SshKey* key) {
  const std::string target = "host:" + info.server->message.host();
  const decl::Account& message = info.declared->message;
  const object::Capability* options = FindCapability(message.server(), "ssh_key", "options");
  const bool tells_options = options != nullptr && options->support != "unsupported";
  SetAuthority(target, Kind::kSshKey, message.server() + object::kKeySeparator + info.login,
               Authority::kExact);
  std::set<std::string> seen;
  const bool several = message.keys().values_size() > 1;
  for (int i = 0; i < message.keys().values_size(); ++i) {
    const decl::Key& declared = message.keys().values(i);
    key->Clear();
    if (!SplitPublicKey(declared.key(), key->mutable_public_key(), key->mutable_fingerprint())) {
      continue;
    }
    if (several && !seen.insert(key->fingerprint()).second) continue;
    key->set_server(message.server());
    key->set_login(info.login);
    if (!NarrowKey(info, declared, i, key)) continue;
    // What a line allows beyond sessions of SFTP is never ours.
    if (tells_options) key->mutable_options();
    if (declared.has_expires() && declared.expires() < facts_.now) {
      NoteOffTime(target, {Kind::kSshKey, object::EncodeKey(*key)},
                  {base::kAlways, declared.expires()}, source);
      continue;
    }
    Emit(target, *key, {declared.has_expires() ? SourceOfKey(info, i) : source});
  }
}

// An authority's key in the account's file of keys: what it signs for one of these names opens it.
void Compiler::EmitPrincipals(const AccountInfo& info, uint32_t source, kinds::SshKey* key) {
  const decl::Account& message = info.declared->message;
  const decl::Server& server = info.server->message;
  const std::string target = "host:" + server.host();
  const auto refuse = [&](const char* code, std::string summary, std::string label,
                          std::vector<std::string> notes) {
    desired_.diagnostics.Add({.code = code,
                              .summary = std::move(summary),
                              .span = info.declared->At(decl::Account::kPrincipalsFieldNumber),
                              .label = std::move(label),
                              .also = {{info.server->span, "the server is declared here"}},
                              .notes = std::move(notes)});
  };
  const object::Capability* can = FindCapability(server.name(), "ssh_key", "principals");
  if (can != nullptr && can->support == "unsupported") {
    return refuse(
        diag::code::kFieldUnsupported,
        fmt::format("server \"{}\" ({}) takes no certificates", server.name(), server.product()),
        can->why, can->alternatives);
  }
  if (!server.has_certificates()) {
    return refuse(diag::code::kWayInMissing,
                  fmt::format("server \"{}\" trusts no authority for certificates", server.name()),
                  "nobody signs for these names",
                  {"name them in the operator's file: certificates = { authorities = [...] }"});
  }
  const std::string container = message.server() + object::kKeySeparator + info.login;
  // Alone, principals say nothing of keys: those of other hands stay.
  if (!message.has_keys()) SetAuthority(target, Kind::kSshKey, container, Authority::kListed);
  for (const std::string& line : server.certificates().authorities().values()) {
    key->Clear();
    if (!SplitPublicKey(line, key->mutable_public_key(), key->mutable_fingerprint())) continue;
    key->set_server(message.server());
    key->set_login(info.login);
    key->mutable_from()->add_values("*");
    key->set_expires(base::kForever);
    key->mutable_options()->add_values("cert-authority");
    for (const std::string& name : message.principals().values()) {
      key->mutable_principals()->add_values(name);
    }
    Emit(target, *key, {source});
  }
}

}  // namespace postern::compile
