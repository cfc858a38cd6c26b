#include "providers/filetransfer/proftpd_io/password.h"

#include <crypt.h>

#include <cstdlib>
#include <memory>

#include "core/base/hash.h"

namespace postern::filetransfer {
namespace {

constexpr std::string_view kNoPassword = "*";

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// crypt_ra keeps its work in memory that we own; it is freed with it.
std::string Crypt(const std::string& password, const std::string& setting) {
  void* data = nullptr;
  int size = 0;
  const char* hash = crypt_ra(password.c_str(), setting.c_str(), &data, &size);
  std::string out = hash == nullptr ? "" : hash;
  const std::unique_ptr<void, Free> owner(data);
  return out.starts_with('*') ? "" : out;
}

}  // namespace

Result<std::string> HashPassword(const std::string& password) {
  const std::unique_ptr<char, Free> salt(crypt_gensalt_ra("$6$", 0, nullptr, 0));
  std::string hash = salt == nullptr ? "" : Crypt(password, salt.get());
  if (hash.empty()) return Fail(ErrorCode::kInvalid, "crypt(3) can't hash this password");
  return hash;
}

bool PasswordMatches(const std::string& password, std::string_view stored) {
  const std::string_view usable = UsableHash(stored);
  return !usable.empty() && Crypt(password, std::string(usable)) == usable;
}

std::string_view UsableHash(std::string_view field) {
  while (field.starts_with('!')) field.remove_prefix(1);
  return field.starts_with('*') ? std::string_view() : field;
}

bool IsLockedField(std::string_view field) {
  return field.starts_with('!');
}

std::string LockField(std::string_view field) {
  if (IsLockedField(field)) return std::string(field);
  return "!" + std::string(field.empty() ? kNoPassword : field);
}

std::string UnlockField(std::string_view field) {
  while (field.starts_with('!')) field.remove_prefix(1);
  return std::string(field.empty() ? kNoPassword : field);
}

std::string PasswordDigest(std::string_view ledger_key, std::string_view field) {
  const std::string_view usable = UsableHash(field);
  if (usable.empty() || ledger_key.empty()) return "";
  return "hmac:" + base::Hex(base::HmacSha256(ledger_key, usable));
}

}  // namespace postern::filetransfer
