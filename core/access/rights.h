// core/access/rights.h: the nine rights, and rows of access at a server.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::access {

enum class Right : uint8_t {
  kList = 0,
  kRead = 1,
  kCreate = 2,
  kOverwrite = 3,
  kDelete = 4,
  kRename = 5,
  kMkdir = 6,
  kRmdir = 7,
  kChmod = 8,
};
inline constexpr int kRightCount = 9;

// A set of rights; the value is stored in ledgers and sent to providers (bit n = right n).
class Rights {
 public:
  constexpr Rights() = default;
  constexpr explicit Rights(uint32_t bits) : bits_(bits & 0x1ff) {}
  constexpr Rights(Right right)
      : bits_(1u << static_cast<int>(right)) {}  // NOLINT: a right is a set of one
  static constexpr Rights All() { return Rights(0x1ff); }

  constexpr uint32_t bits() const { return bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool Has(Right right) const { return (bits_ >> static_cast<int>(right)) & 1; }
  constexpr bool Includes(Rights other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr Rights operator|(Rights other) const { return Rights(bits_ | other.bits_); }
  constexpr Rights operator&(Rights other) const { return Rights(bits_ & other.bits_); }
  constexpr Rights operator-(Rights other) const { return Rights(bits_ & ~other.bits_); }
  Rights& operator|=(Rights other) {
    bits_ |= other.bits_;
    return *this;
  }
  constexpr auto operator<=>(const Rights&) const = default;

 private:
  uint32_t bits_ = 0;
};

std::string_view NameOf(Right right);
std::optional<Right> ParseRight(std::string_view name);
std::string Format(Rights rights);  // "list, read, create"

// kThis: the folder and its direct entries. kSubtree: all below as well.
enum class Depth : uint8_t { kThis, kSubtree };
std::string_view NameOf(Depth depth);
std::optional<Depth> ParseDepth(std::string_view text);

// Whom a rule at a server names.
struct Subject {
  enum class Type : uint8_t { kAccount, kGroup, kEveryone } type = Type::kAccount;
  std::string name;  // login or group name at the server; empty for everyone
  auto operator<=>(const Subject&) const = default;
};
std::string Format(const Subject& subject);  // "account:bea", "group:ops", "everyone"
std::optional<Subject> ParseSubject(std::string_view text);

// One row of access at one server: what kinds.Grant carries.
struct GrantRow {
  std::string path;  // on the host, normalised
  Depth depth = Depth::kSubtree;
  Subject subject;
  Rights rights;
  auto operator<=>(const GrantRow&) const = default;
};

// True when `path` is `ancestor` or lies below it. Both normalised.
bool IsWithin(std::string_view path, std::string_view ancestor);
// "/a/b" -> "/a"; "/" -> "".
std::string_view ParentOf(std::string_view path);

}  // namespace postern::access
