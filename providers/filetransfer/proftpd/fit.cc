#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/proftpd/blocks.h"
#include "providers/filetransfer/proftpd/include_format.h"
#include "providers/filetransfer/proftpd/product.h"

namespace postern::proftpd {
namespace {

using access::Fit;

// Merged to one row a key, without what a subtree row at or above the path gives the same subject.
std::vector<GrantRow> Normalise(PathTree& tree) {
  std::vector<GrantRow> rows;
  for (auto at = tree.begin(); at != tree.end(); ++at) {
    Resolve(tree, at);
    SubjectRights inherited;
    for (std::string_view up = access::ParentOf(at->first); !up.empty();
         up = access::ParentOf(up)) {
      const auto found = tree.find(std::string(up));
      if (found == tree.end()) continue;
      inherited = found->second.deeper;
      break;
    }
    for (const auto& [subject, rights] : at->second.subtree_rows) {
      const Rights own = rights - inherited[subject];
      if (!own.empty()) rows.push_back({at->first, Depth::kSubtree, subject, own});
    }
    for (const auto& [subject, rights] : at->second.this_rows) {
      const auto deeper = at->second.deeper.find(subject);
      const Rights own = deeper == at->second.deeper.end() ? rights : rights - deeper->second;
      if (!own.empty()) rows.push_back({at->first, Depth::kThis, subject, own});
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Overwrite needs create wherever the row reaches, for the same subject.
bool LacksCreate(const GrantRow& row, const PathTree& tree) {
  if (!row.rights.Has(Right::kOverwrite)) return false;
  const PathNode& node = tree.find(row.path)->second;
  const SubjectRights& cell = row.depth == Depth::kThis ? node.entries : node.deeper;
  return !cell.find(row.subject)->second.Has(Right::kCreate);
}

// Adds overwrite for everybody who may create where somebody may overwrite. Answers whether it did.
bool WidenCell(const std::string& path, const SubjectRights& cell, SubjectRights& rows,
               std::vector<access::Widening>& widenings) {
  const bool any = std::any_of(cell.begin(), cell.end(), [](const auto& entry) {
    return entry.second.Has(Right::kOverwrite);
  });
  if (!any) return false;
  bool widened = false;
  for (const auto& [subject, rights] : cell) {
    if (!rights.Has(Right::kCreate) || rights.Has(Right::kOverwrite)) continue;
    rows[subject] |= Right::kOverwrite;
    widenings.push_back({path, subject, Right::kOverwrite,
                         "AllowOverwrite holds for all who may create in the folder, and somebody "
                         "may overwrite here"});
    widened = true;
  }
  return widened;
}

void Widen(PathTree& tree, std::vector<access::Widening>& widenings) {
  for (auto at = tree.begin(); at != tree.end(); ++at) {
    PathNode& node = at->second;
    Resolve(tree, at);
    if (WidenCell(at->first, node.deeper, node.subtree_rows, widenings)) Resolve(tree, at);
    if (WidenCell(at->first, node.entries, node.this_rows, widenings)) Resolve(tree, at);
  }
}

// Takes out the rows that have overwrite but no create from anywhere.
void RefuseBareOverwrite(std::vector<GrantRow>* wanted, PathTree* tree,
                         std::span<const std::string> roots, Fit* fit) {
  // A row that has both can't lack one, so mostly there is nothing to resolve for.
  const bool suspect = std::any_of(wanted->begin(), wanted->end(), [](const GrantRow& row) {
    return row.rights.Has(Right::kOverwrite) && !row.rights.Has(Right::kCreate);
  });
  if (!suspect) return;
  for (auto at = tree->begin(); at != tree->end(); ++at) Resolve(*tree, at);
  const auto unfit = std::stable_partition(
      wanted->begin(), wanted->end(), [&](const auto& row) { return !LacksCreate(row, *tree); });
  for (auto row = unfit; row != wanted->end(); ++row) {
    fit->refusals.push_back({*row,
                             "overwrite without create: ProFTPD has one command for both",
                             {"grant create as well", "grant neither"}});
  }
  wanted->erase(unfit, wanted->end());
  *tree = MakeTree(*wanted, roots);
}

}  // namespace

Fit ProftpdProduct::FitRows(std::span<const GrantRow> rows,
                            std::span<const std::string> roots) const {
  Fit fit;
  std::vector<GrantRow> wanted;
  for (const GrantRow& row : rows) {
    const std::string why = WhyRowUnfit(row, roots);
    if (!why.empty()) {
      fit.refusals.push_back({row, why, {"rename the folder or the account"}});
    } else if (!row.rights.empty()) {
      wanted.push_back(row);
    }
  }
  PathTree tree = MakeTree(wanted, roots);
  RefuseBareOverwrite(&wanted, &tree, roots, &fit);
  Widen(tree, fit.widenings);
  fit.rows = Normalise(tree);
  return fit;
}

}  // namespace postern::proftpd
