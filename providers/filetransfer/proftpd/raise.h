// providers/filetransfer/proftpd/raise.h: what the daemon really lets each account do, computed
// from its whole configuration.
//
// Pure and immutable after Make; any thread. It answers for the daemon's own rules alone: the
// host's permissions (uid, mode, ACL) still narrow what is allowed here. A decision that the files
// don't settle is "not computable" with the line that makes it so, never a guess.
//
// An answer is about one object, or all objects of a kind that no rule names (`Cell`). It is
// allowed when some client of that way in can do it, by whichever command, from whichever address.
//
// Source: proftpd 1.3.8, each rule tried on the daemon: tests/live/proftpd_raise.
// Cost: Make is linear in lines and names; an answer for all accounts costs what the governing
// blocks name, and is kept for all objects that the same blocks govern.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/enforced.h"
#include "core/access/rights.h"
#include "core/base/result.h"
#include "providers/filetransfer/proftpd/block_pattern.h"
#include "providers/filetransfer/proftpd/command_checks.h"
#include "providers/filetransfer/proftpd/config.h"
#include "providers/filetransfer/proftpd/raise_rules.h"

namespace postern::proftpd {

using access::AccountSet, access::Answer, access::ReasonId;
using access::CellAnswers, access::RaiseAccount, access::Reason;

struct RaiseQuestion {
  std::string main_file;
  std::vector<std::string> defines;          // -D of the start command
  std::vector<std::string> ftpaccess_files;  // .ftpaccess files that exist, anywhere
  std::vector<RaiseAccount> accounts;
  RaiseRules rules;
};

// What an answer is about: the object PATH; or each entry of PATH, or each object further down, for
// which no rule has a name. `list` of an object is seeing the names of its entries.
using Cell = ObjectPath;

enum class Verdict : uint8_t { kDenied, kAllowed, kNotComputable };

struct Ruling {
  Verdict verdict = Verdict::kDenied;
  // Of kNotComputable; of kAllowed: it holds for some clients' addresses only. Lives as long as the
  // Raiser.
  const Reason* reason = nullptr;
};

class Raiser {
 public:
  // Errors: those of ReadTree.
  static Result<Raiser> Make(const FileSource& files, RaiseQuestion question);
  Raiser(Raiser&&) noexcept;
  Raiser& operator=(Raiser&&) noexcept;
  ~Raiser();

  // May `login` (an account or an alias) use `right` on the cell, through any server of that way?
  Ruling Decide(std::string_view login, const Cell& cell, access::Right right, Way way) const;
  // The same for every account at once, by its own name or by an alias that is anonymous.
  CellAnswers AnswersFor(const Cell& cell, Way way) const;

  // Every plain path that a rule names, sorted: below none of them, nor beside, do answers change.
  std::vector<std::string> NamedPaths() const;
  const std::vector<RaiseAccount>& accounts() const;
  // Accounts by the folder that their sessions see as "/" at some server.
  std::map<std::string, AccountSet> Views() const;
  // Accounts of <Anonymous> sections: their own name and every alias gets in without a password.
  AccountSet Anonymous() const;
  const Reason& reason(ReasonId id) const;

 private:
  class Impl;
  explicit Raiser(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::proftpd
