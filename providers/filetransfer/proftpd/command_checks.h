// providers/filetransfer/proftpd/command_checks.h: which commands the daemon checks when a client
// uses a right, by way in. Pure tables.
//
// A right is allowed when any of its alternatives is: what counts is whether some client can do it,
// not whether every client can. Source: 1.3.8, each row tried over the wire.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "core/access/rights.h"
#include "providers/filetransfer/proftpd/raise_rules.h"

namespace postern::proftpd {

enum class Way : uint8_t { kFtp, kSftp };
inline constexpr int kWayCount = 2;
std::string_view NameOf(Way way);

// Words of <Limit> that decide a right, as bits of a mask.
enum class Word : uint8_t {
  kAll,
  kRead,
  kWrite,
  kDirs,
  kLogin,
  kList,
  kNlst,
  kMlsd,
  kStat,
  kRetr,
  kStor,
  kAppe,
  kDele,
  kRnfr,
  kRnto,
  kMkd,
  kXmkd,
  kRmd,
  kXrmd,
  kSiteChmod,
  kMff,
  kOpendir,
  kReaddir,
  kSetstat,
  kFsetstat,
  kNone,  // no word: a command without a group
};
using WordMask = uint32_t;
constexpr WordMask MaskOf(Word word) {
  return word == Word::kNone ? 0 : WordMask{1} << static_cast<int>(word);
}
// 0 for a word that decides none of the rights: the daemon takes any word in silence.
WordMask ParseWord(std::string_view word, const RaiseRules& rules);

// One decision of the daemon about one object.
struct Check {
  Word command = Word::kAll;
  Word group = Word::kNone;
  enum class On : uint8_t { kObject, kChild } on = On::kObject;  // kChild: an entry of the object
  bool existing = true;
  // Where nobody has answered, neither of these may be refused.
  Word second = Word::kNone, third = Word::kNone;
};

// What must hold beside the checks.
enum class Switch : uint8_t { kNone, kOverwrite, kStoreRestart };

// Whether PathAllowFilter and PathDenyFilter are asked: not for what FTP reads, nor for what SFTP
// sets, also through a handle that is open to read.
enum class Filtered : uint8_t { kYes, kFtpRead, kSetstat };

struct Alternative {
  std::span<const Check> checks;  // all of them
  Switch needs = Switch::kNone;
  Filtered filtered = Filtered::kYes;
};
bool AsksFilters(const Alternative& alternative, const RaiseRules& rules);

std::span<const Alternative> AlternativesOf(access::Right right, Way way, const RaiseRules& rules);

}  // namespace postern::proftpd
