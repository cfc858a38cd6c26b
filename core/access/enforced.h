// core/access/enforced.h: what a server really enforces, computed from its configuration.
//
// A product raises the daemon's rules (Product::Raise); the answers are sets of accounts, so that
// layers compose without a person's being named: a host's access is, by cell and right, the union
// over its servers of (what the server answers & what POSIX answers for the uid behind it), which
// is `|` and `&` of Answer where all layers number the accounts alike. Today the daemon's layer
// exists; the host's own narrows it further and isn't computed here.
//
// Pure and immutable; any thread.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/access/account_set.h"
#include "core/access/rights.h"

namespace postern::access {

// The parts of a named path: the folder itself, its direct entries, all below those. The last two
// are not under a longer named path; that one has cells of its own.
enum class Part : uint8_t { kNode, kEntries, kDeeper };
inline constexpr Part kParts[] = {Part::kNode, Part::kEntries, Part::kDeeper};

struct Cell {
  std::string path;
  Part part = Part::kNode;
  auto operator<=>(const Cell&) const = default;
};

// Why something can't be computed.
struct Reason {
  std::string file;
  uint32_t line = 0;
  std::string text;  // the line
  std::string why;
};

// Answers for all accounts, by right; an account is its place in RaiseInput::accounts.
using CellAnswers = std::array<Answer, kRightCount>;

class Enforced {
 public:
  virtual ~Enforced() = default;
  // Whom the server lets do what there, by any way in.
  virtual CellAnswers AnswersAt(const Cell& cell) const = 0;
  // What the daemon gives at a path through a symbolic link by the link's own name, where its rules
  // aren't asked for what the link leads to.
  virtual CellAnswers AnswersByLink(const Cell& cell) const {
    static_cast<void>(cell);
    return {};
  }
  // Whose sessions see which folder as "/"; those who aren't confined see "/".
  virtual std::map<std::string, AccountSet> Views() const { return {{"/", AccountSet::All()}}; }
  // Every plain path that a rule names, sorted: below none of them, nor beside, do answers change.
  virtual std::vector<std::string> NamedPaths() const = 0;
  // Accounts that anybody gets in as, without a credential.
  virtual AccountSet OpenToAnybody() const = 0;
  virtual const Reason& ReasonOf(ReasonId id) const = 0;
};

// A file of the server's configuration, as observed.
struct ConfigFile {
  enum class Role : uint8_t { kMain, kIncluded, kGenerated, kAccess } role = Role::kIncluded;
  std::string path;
  std::string text;
  bool has_text = false;  // of kGenerated: it was edited by hand
};

// A login of the server.
struct RaiseAccount {
  std::string name;
  std::vector<std::string> groups;  // the primary one first
  std::string home;
};

struct RaiseInput {
  std::vector<ConfigFile> files;
  std::vector<std::string> defines;  // of the daemon's start command
  // What the generated file says: its own text where it has one, else these rows.
  std::vector<GrantRow> rows;
  std::vector<std::string> roots;
  bool generated_anew = false;  // it is written from `rows`, whatever it says now
  std::vector<RaiseAccount> accounts;
  // Rules that are left out, by file and line; line 0 is the whole file.
  std::set<std::pair<std::string, uint32_t>> without;
};

}  // namespace postern::access
