#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/openssh/requests.h"

namespace postern::openssh {
namespace {

using access::Depth;
using access::Fit;
using access::Rights;

// The rows of one account by path; ancestors come before what lies below.
struct Cell {
  Rights this_rows, subtree_rows;  // as asked for
  Rights here, below;              // as given, with what comes from above
};
using Cells = std::map<std::string, Cell, posix::PathOrder>;

const Cell* NearestAbove(const Cells& cells, std::string_view path) {
  for (std::string_view up = access::ParentOf(path); !up.empty(); up = access::ParentOf(up)) {
    if (const auto at = cells.find(up); at != cells.end()) return &at->second;
  }
  return nullptr;
}

class AccountFitter {
 public:
  AccountFitter(Subject subject, Cells cells, Fit* fit)
      : subject_(std::move(subject)), cells_(std::move(cells)), fit_(fit) {}

  void Run() {
    Rights all;
    for (const auto& [path, cell] : cells_) all |= cell.this_rows | cell.subtree_rows;
    allowed_ = RightsOf(CommandFor(all));
    for (auto& [path, cell] : cells_) Resolve(path, &cell);
  }

 private:
  // What the two layers make of a wish.
  Rights Given(Rights wanted) const { return GivenBy(posix::NeedsOf(wanted)) & allowed_; }

  void Resolve(const std::string& path, Cell* cell) {
    const Cell* above = NearestAbove(cells_, path);
    const Rights inherited = above == nullptr ? Rights() : above->below;
    const Rights below = cell->subtree_rows | inherited;
    const Rights here = below | cell->this_rows;
    cell->below = Given(below);
    cell->here = Given(here);
    const Rights subtree = cell->below - inherited, only_here = cell->here - cell->below;
    if (!subtree.empty()) fit_->rows.push_back({path, Depth::kSubtree, subject_, subtree});
    if (!only_here.empty()) fit_->rows.push_back({path, Depth::kThis, subject_, only_here});
    const Rights extra = (cell->here - here) | (cell->below - below);
    if (extra.empty()) return;
    fit_->widenings.push_back(
        {path, subject_, extra,
         fmt::format("POSIX has one bit for all changes of a folder, and {} may {} somewhere",
                     subject_.name, access::Format(extra))});
  }

  Subject subject_;
  Cells cells_;
  Fit* fit_;
  Rights allowed_;
};

}  // namespace

Fit OpenSshProduct::FitRows(std::span<const GrantRow> rows,
                            std::span<const std::string> roots) const {
  Fit fit;
  std::map<Subject, Cells> accounts;
  for (const GrantRow& row : rows) {
    if (row.rights.empty()) continue;
    if (const std::string why = WhyRowUnfit(row, roots); !why.empty()) {
      fit.refusals.push_back({row, why, {"grant to the accounts themselves"}});
      continue;
    }
    if (row.rights.Has(access::Right::kChmod)) {
      GrantRow chmod = row;
      chmod.rights = access::Right::kChmod;
      fit.refusals.push_back({chmod,
                              "only the owner of an entry may chmod it",
                              {"leave chmod out", "a ProFTPD server for chmod over FTP"}});
    }
    Cell& cell = accounts[row.subject][row.path];
    const Rights rights = row.rights - access::Right::kChmod;
    (row.depth == Depth::kSubtree ? cell.subtree_rows : cell.this_rows) |= rights;
  }
  for (auto& [subject, cells] : accounts) AccountFitter(subject, std::move(cells), &fit).Run();
  std::sort(fit.rows.begin(), fit.rows.end());
  return fit;
}

}  // namespace postern::openssh
