#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/proftpd/blocks.h"
#include "providers/filetransfer/proftpd/include_format.h"
#include "providers/filetransfer/proftpd/product.h"

namespace postern::proftpd {
namespace {

using access::Fit;

// What one subject has in a cell. Subjects stand in the rows that were asked for.
struct Given {
  const Subject* subject = nullptr;
  Rights rights;
};
using Cell = std::vector<Given>;  // by subject, each once

// The rows at one path and what comes from above. A plan fits every row that is declared, so this
// is the flat form of PathTree: only paths that rows name, sorted by PathLess, so parents come
// first.
struct FitNode {
  std::string_view path;
  size_t above = 0;  // position plus one of the nearest named path above; 0: none
  Cell this_rows, subtree_rows;
  Cell entries, deeper;  // effective, by Resolve
};

bool SubjectLess(const Given& a, const Given& b) {
  return *a.subject < *b.subject;
}

Cell::const_iterator FindIn(const Cell& cell, const Subject& subject) {
  const auto at = std::lower_bound(cell.begin(), cell.end(), Given{&subject, {}}, SubjectLess);
  return at != cell.end() && *at->subject == subject ? at : cell.end();
}

Rights RightsFor(const Cell& cell, const Subject& subject) {
  const auto at = FindIn(cell, subject);
  return at == cell.end() ? Rights() : at->rights;
}

void SortCell(Cell* cell) {
  std::sort(cell->begin(), cell->end(), SubjectLess);
  size_t kept = 0;
  for (size_t i = 0; i < cell->size(); ++i) {
    if (kept > 0 && *(*cell)[kept - 1].subject == *(*cell)[i].subject) {
      (*cell)[kept - 1].rights |= (*cell)[i].rights;
    } else {
      (*cell)[kept++] = (*cell)[i];
    }
  }
  cell->resize(kept);
}

Cell Union(const Cell& a, const Cell& b) {
  if (b.empty()) return a;
  if (a.empty()) return b;
  Cell both;
  both.reserve(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both), SubjectLess);
  SortCell(&both);
  return both;
}

void Resolve(std::vector<FitNode>& nodes, FitNode& node) {
  static const Cell kNothing;
  node.deeper = Union(node.subtree_rows, node.above == 0 ? kNothing : nodes[node.above - 1].deeper);
  node.entries = Union(node.deeper, node.this_rows);
}

void LinkAbove(std::vector<FitNode>& nodes) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    // The one before, or one above that: what follows a path and isn't below it ends its content.
    size_t above = i;
    while (above != 0 && !access::IsWithin(nodes[i].path, nodes[above - 1].path)) {
      above = nodes[above - 1].above;
    }
    nodes[i].above = above;
  }
}

std::vector<FitNode> MakeNodes(const std::vector<const GrantRow*>& wanted) {
  std::vector<const GrantRow*> sorted = wanted;
  std::sort(sorted.begin(), sorted.end(),
            [](const GrantRow* a, const GrantRow* b) { return PathLess()(a->path, b->path); });
  std::vector<FitNode> nodes;
  for (const GrantRow* row : sorted) {
    if (nodes.empty() || nodes.back().path != row->path) nodes.emplace_back().path = row->path;
    FitNode& node = nodes.back();
    (row->depth == Depth::kThis ? node.this_rows : node.subtree_rows)
        .push_back({&row->subject, row->rights});
  }
  for (FitNode& node : nodes) {
    SortCell(&node.this_rows);
    SortCell(&node.subtree_rows);
  }
  LinkAbove(nodes);
  return nodes;
}

// Merged to one row a key, without what a subtree row at or above the path gives the same subject:
// but overwrite always stands with create.
std::vector<GrantRow> Normalise(const std::vector<FitNode>& nodes) {
  static const Cell kNothing;
  std::vector<GrantRow> rows;
  for (const FitNode& node : nodes) {
    const Cell& inherited = node.above == 0 ? kNothing : nodes[node.above - 1].deeper;
    const auto add = [&](Depth depth, const Cell& cell, const Cell& without) {
      for (const Given& given : cell) {
        Rights own = given.rights - RightsFor(without, *given.subject);
        // With its create in the same row, so that a change of the row above never leaves it bare.
        if (own.Has(Right::kOverwrite)) own |= Right::kCreate;
        if (!own.empty()) rows.push_back({std::string(node.path), depth, *given.subject, own});
      }
    };
    add(Depth::kThis, node.this_rows, node.deeper);
    add(Depth::kSubtree, node.subtree_rows, inherited);
  }
  if (!std::is_sorted(rows.begin(), rows.end())) std::sort(rows.begin(), rows.end());
  return rows;
}

// Overwrite needs create wherever the row reaches, for the same subject.
bool LacksCreate(const GrantRow& row, const std::vector<FitNode>& nodes) {
  if (!row.rights.Has(Right::kOverwrite)) return false;
  const auto node = std::lower_bound(
      nodes.begin(), nodes.end(), row.path,
      [](const FitNode& at, const std::string& path) { return PathLess()(at.path, path); });
  const Cell& cell = row.depth == Depth::kThis ? node->entries : node->deeper;
  return !RightsFor(cell, row.subject).Has(Right::kCreate);
}

// Adds overwrite for everybody who may create where somebody may overwrite. Answers whether it did.
bool WidenCell(std::string_view path, const Cell& cell, Cell* rows,
               std::vector<access::Widening>& widenings) {
  const bool any = std::any_of(cell.begin(), cell.end(), [](const Given& given) {
    return given.rights.Has(Right::kOverwrite);
  });
  if (!any) return false;
  bool widened = false;
  for (const Given& given : cell) {
    if (!given.rights.Has(Right::kCreate) || given.rights.Has(Right::kOverwrite)) continue;
    rows->push_back({given.subject, Right::kOverwrite});
    widenings.push_back({std::string(path), *given.subject, Right::kOverwrite,
                         "AllowOverwrite holds for all who may create in the folder, and somebody "
                         "may overwrite here"});
    widened = true;
  }
  if (widened) SortCell(rows);
  return widened;
}

void Widen(std::vector<FitNode>& nodes, std::vector<access::Widening>& widenings) {
  for (FitNode& node : nodes) {
    Resolve(nodes, node);
    if (WidenCell(node.path, node.deeper, &node.subtree_rows, widenings)) Resolve(nodes, node);
    if (WidenCell(node.path, node.entries, &node.this_rows, widenings)) Resolve(nodes, node);
  }
}

// Takes out the rows that have overwrite but no create from anywhere.
void RefuseBareOverwrite(std::vector<const GrantRow*>* wanted, std::vector<FitNode>* nodes,
                         Fit* fit) {
  // A row that has both can't lack one, so mostly there is nothing to resolve for.
  const bool suspect = std::any_of(wanted->begin(), wanted->end(), [](const GrantRow* row) {
    return row->rights.Has(Right::kOverwrite) && !row->rights.Has(Right::kCreate);
  });
  if (!suspect) return;
  for (FitNode& node : *nodes) Resolve(*nodes, node);
  const auto unfit =
      std::stable_partition(wanted->begin(), wanted->end(),
                            [&](const GrantRow* row) { return !LacksCreate(*row, *nodes); });
  for (auto row = unfit; row != wanted->end(); ++row) {
    fit->refusals.push_back({**row,
                             "overwrite without create: ProFTPD has one command for both",
                             {"grant create as well", "grant neither"}});
  }
  wanted->erase(unfit, wanted->end());
  *nodes = MakeNodes(*wanted);
}

}  // namespace

Fit ProftpdProduct::FitRows(std::span<const GrantRow> rows,
                            std::span<const std::string> roots) const {
  Fit fit;
  std::vector<const GrantRow*> wanted;
  wanted.reserve(rows.size());
  for (const GrantRow& row : rows) {
    std::string why = WhyRowUnfit(row, roots);
    if (!why.empty()) {
      fit.refusals.push_back({row, std::move(why), {"rename the folder or the account"}});
    } else if (!row.rights.empty()) {
      wanted.push_back(&row);
    }
  }
  std::vector<FitNode> nodes = MakeNodes(wanted);
  RefuseBareOverwrite(&wanted, &nodes, &fit);
  Widen(nodes, fit.widenings);
  fit.rows = Normalise(nodes);
  return fit;
}

}  // namespace postern::proftpd
