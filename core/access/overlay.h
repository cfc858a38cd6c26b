// core/access/overlay.h: what rules by other hands change of what the rows of a server say.
//
// The difference of two raised configurations: with these rules and without them. Sparse: costs
// what the differing cells name. Immutable once made; any thread.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/access/enforced.h"

namespace postern::access {

// For one account at one cell; disjoint.
struct CellEffect {
  Rights more, less;
  Rights unknown;  // not computable
  const Reason* reason = nullptr;
  bool empty() const { return (more | less | unknown).empty(); }
};

class Overlay {
 public:
  using Logins = std::unordered_map<std::string, uint32_t>;

  // What `with` changes of `without` at every cell of `paths` and of the paths that `with` names
  // within `roots`. Both number the accounts as `logins` does. What isn't computable in either is
  // no difference.
  static Overlay Between(const Enforced& without, std::shared_ptr<const Enforced> with,
                         std::shared_ptr<const Logins> logins, std::set<std::string> paths,
                         const std::vector<std::string>& roots);

  // At a cell that isn't looked at: what holds at the nearest path above that is.
  CellEffect At(std::string_view login, const Cell& cell) const;
  // Anybody gets in as that account by these rules, without a credential.
  bool OpenToAnybody(std::string_view login) const;
  // Paths with a difference at one of their cells.
  const std::set<std::string>& paths() const { return differing_; }
  // Everybody with a difference anywhere, and those only as whom anybody gets in.
  std::vector<std::string> Affected() const;
  std::vector<std::string> Opened() const;
  bool empty() const { return cells_.empty() && opened_.IsNobody(); }
  // No difference that isn't in one of `parts`.
  bool CoveredBy(const std::vector<const Overlay*>& parts) const;
  // The first cell that isn't computable for somebody, and why; null reason: all are.
  std::pair<Cell, const Reason*> FirstUnknown() const;

 private:
  struct Difference {
    AccountSet more, less, unknown;
    ReasonId reason = 0;
    bool IsNothing() const { return more.IsNobody() && less.IsNobody() && unknown.IsNobody(); }
  };
  using Differences = std::array<Difference, kRightCount>;

  void Compare(const Enforced& without, const Cell& cell);
  AccountSet Everybody(const AccountSet& set) const;
  std::vector<std::string> NamesOf(const AccountSet& set) const;

  std::shared_ptr<const Enforced> with_;  // owns the reasons
  std::shared_ptr<const Logins> logins_;
  std::set<std::string> looked_at_, differing_;
  std::map<Cell, Differences> cells_;
  AccountSet opened_;
};

}  // namespace postern::access
