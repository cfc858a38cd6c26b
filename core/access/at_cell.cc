#include "core/access/at_cell.h"

#include "core/access/overlay.h"

namespace postern::access {
namespace {

Rights RightsIn(const std::vector<GrantRow>& rows, const Cell& cell) {
  Rights rights;
  for (const GrantRow& row : rows) {
    if (Covers(row.path, row.depth, cell)) rights |= row.rights;
  }
  return rights;
}

}  // namespace

bool Covers(const std::string& path, Depth depth, const Cell& cell) {
  if (depth == Depth::kSubtree) return IsWithin(cell.path, path);
  if (cell.path == path) return cell.part != Part::kDeeper;
  // A named folder among the direct entries: the folder itself, nothing in it.
  return cell.part == Part::kNode && ParentOf(cell.path) == path;
}

Rights RightsAt(const ServerWorld& server, const std::string& login,
                const std::vector<GrantRow>& rows, const Cell& cell) {
  const Rights rights = RightsIn(rows, cell);
  if (server.overlay() == nullptr) return rights;
  const CellEffect effect = server.overlay()->At(login, cell);
  return (rights | effect.more) - effect.less;
}

std::vector<std::string> LoginsWith(const ServerWorld& server, const Cell& cell, Rights rights) {
  std::vector<std::string> logins;
  for (const auto& [name, state] : server.accounts()) {
    const std::string login(name);
    if (!server.IsOpen(login)) continue;
    if (RightsAt(server, login, server.RowsOf(login), cell).Includes(rights)) {
      logins.push_back(login);
    }
  }
  return logins;
}

}  // namespace postern::access
