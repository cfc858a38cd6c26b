#include "providers/filetransfer/openssh_io/live_rows.h"

#include <algorithm>
#include <iterator>

#include "providers/filetransfer/openssh/product.h"

namespace postern::filetransfer {
namespace {

using access::Depth;
using access::GrantRow;
using access::Right;
using access::Rights;
using access::Subject;
using posix::Node;
using posix::Perm;

constexpr Perm kBits[] = {posix::kRead, posix::kWrite, posix::kExecute};
const Rights kTakeAway = Rights(Right::kDelete) | Right::kRename | Right::kRmdir;

// What a node lets somebody do, a bit at a time: rights of one request ask for one bit of it.
Perm BitsOf(const Node& node, const posix::Credentials& who) {
  Perm bits = 0;
  for (const Perm bit : kBits) {
    if (posix::Permits(node, who, bit)) bits |= bit;
  }
  return bits;
}

Rights OnFolder(Perm bits) {
  return posix::GivenBy({.folder = bits, .file = 0});
}

Rights OnFile(Perm bits) {
  return posix::GivenBy({.folder = posix::kExecute, .file = bits});
}

// Somebody without an account and in no group: what `other` says.
posix::Credentials Stranger() {
  return {.uid = UINT32_MAX - 1, .gid = UINT32_MAX - 1, .groups = {}};
}

// One of those whom the tree is measured for.
struct Viewer {
  std::string login;  // empty: everyone
  posix::Credentials who;
  SessionView session;
  std::map<std::string, bool, std::less<>> reach;  // folders that it may enter, from its chroot
  RightsByFolder lost, gained;
  NodeByFolder nodes;  // of both
};

class Measurer {
 public:
  Measurer(const LiveQuestion& question, const posix::PosixFit& fit)
      : question_(question), fit_(fit) {}

  void Measure(Viewer* viewer) const {
    for (const posix::Change& change : fit_.changes) {
      if (MadeByItself(*viewer, change)) continue;
      if (change.before.type == Node::Type::kFolder) {
        Folder(change, viewer);
      } else {
        File(change, viewer);
      }
    }
  }

 private:
  void Folder(const posix::Change& change, Viewer* viewer) const {
    const Rights is = OnFolder(BitsOf(change.before, viewer->who));
    const Perm meant = BitsOf(change.after, viewer->who);
    const Rights shall = OnFolder(meant);
    Rights less = shall - is;
    // Without x nothing below is reached either.
    if ((meant & posix::kExecute) && !posix::Permits(change.before, viewer->who, posix::kExecute)) {
      less |= Rights(Right::kRead) | Right::kOverwrite;
    }
    if (change.before.sticky && !change.after.sticky) less |= shall & kTakeAway;
    if (!less.empty()) Note(change.path, change, less, viewer, &viewer->lost);
    const Rights more = (is - shall) & viewer->session.allowed;
    if (!more.empty() && Reaches(viewer, access::ParentOf(change.path))) {
      Note(change.path, change, more, viewer, &viewer->gained);
    }
  }

  static void Note(const std::string& folder, const posix::Change& change, Rights rights,
                   Viewer* viewer, RightsByFolder* of) {
    (*of)[folder] |= rights;
    viewer->nodes.try_emplace(folder, change.path);
  }

  void File(const posix::Change& change, Viewer* viewer) const {
    const Perm is = BitsOf(change.before, viewer->who), shall = BitsOf(change.after, viewer->who);
    const std::string folder(access::ParentOf(change.path));
    if (const Rights less = OnFile(shall) - OnFile(is); !less.empty()) {
      Note(folder, change, less, viewer, &viewer->lost);
    }
    const Rights more = (OnFile(is) - OnFile(shall)) & viewer->session.allowed;
    if (!more.empty() && Reaches(viewer, folder)) {
      Note(folder, change, more, viewer, &viewer->gained);
    }
  }

  // Whether the account may enter a folder from where it looks. Asked once for each folder.
  bool Reaches(Viewer* viewer, std::string_view folder) const {
    if (folder.empty() || SeenByMount(*viewer, folder)) return true;
    if (!access::IsWithin(folder, viewer->session.chroot)) {
      // Nothing above a chroot is asked; what isn't below it isn't seen.
      return access::IsWithin(viewer->session.chroot, folder);
    }
    if (const auto at = viewer->reach.find(folder); at != viewer->reach.end()) return at->second;
    const Node* node = question_.tree.Find(folder);
    const bool enters = folder == viewer->session.chroot && folder != "/"
                            ? true
                            : node != nullptr &&
                                  posix::Permits(*node, viewer->who, posix::kExecute) &&
                                  Reaches(viewer, access::ParentOf(folder));
    viewer->reach.emplace(std::string(folder), enters);
    return enters;
  }

  // A second mount of the folder lies in what the session sees. Who gets there isn't asked: it may.
  bool SeenByMount(const Viewer& viewer, std::string_view folder) const {
    return std::any_of(question_.ways.begin(), question_.ways.end(), [&](const SecondWay& way) {
      return folder == way.real && access::IsWithin(way.path, viewer.session.chroot);
    });
  }

  // Who may make entries owns what it made; an owner where it can't have made it is a change.
  bool MadeByItself(const Viewer& viewer, const posix::Change& change) const {
    if (viewer.login.empty() || change.before.uid != viewer.who.uid) return false;
    const Rights rights =
        openssh::RightsOfRows(question_.content.rows, viewer.login, access::ParentOf(change.path));
    const bool folder = change.before.type == Node::Type::kFolder;
    return rights.Has(folder ? Right::kMkdir : Right::kCreate);
  }

  const LiveQuestion& question_;
  const posix::PosixFit& fit_;
};

using RowKey = std::tuple<std::string, Depth, Subject>;
using Rows = std::map<RowKey, Rights>;

// Gains as rows: what a folder and all folders below it give is one row of the highest.
class GainRows {
 public:
  GainRows(const posix::Tree& tree, std::span<const std::string> roots) {
    for (const auto& [name, node] : tree.nodes()) {
      const std::string& path = name;
      const bool inside = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
        return access::IsWithin(path, root);
      });
      if (inside && node.type == Node::Type::kFolder) folders_.push_back(path);
    }
  }

  void Add(const RightsByFolder& gained, const Subject& subject, Rows* rows) const {
    if (gained.empty()) return;
    // Deepest first: what a whole subtree gives.
    std::map<std::string, Rights, std::less<>> whole;
    for (auto at = folders_.rbegin(); at != folders_.rend(); ++at) {
      const auto own = gained.find(*at);
      Rights all = own == gained.end() ? Rights() : own->second;
      if (const auto below = whole.find(*at); below != whole.end()) all = all & below->second;
      whole[*at] = all;
      const std::string_view parent = access::ParentOf(*at);
      const auto [up, fresh] = whole.try_emplace(std::string(parent), all);
      if (!fresh) up->second = up->second & all;
    }
    std::map<std::string, Rights, std::less<>> inherited;
    for (const std::string& folder : folders_) {
      const auto up = inherited.find(access::ParentOf(folder));
      const Rights above = up == inherited.end() ? Rights() : up->second;
      const auto own = gained.find(folder);
      const Rights here = own == gained.end() ? Rights() : own->second;
      const Rights subtree = whole.at(folder) - above;
      if (!subtree.empty()) (*rows)[{folder, Depth::kSubtree, subject}] |= subtree;
      if (const Rights only = here - whole.at(folder) - above; !only.empty()) {
        (*rows)[{folder, Depth::kThis, subject}] |= only;
      }
      inherited[folder] = above | whole.at(folder);
    }
  }

 private:
  std::vector<std::string> folders_;  // within the roots, parents first
};

std::string RootOf(std::span<const std::string> roots, std::string_view path) {
  const auto at = std::find_if(roots.begin(), roots.end(), [&](const std::string& root) {
    return access::IsWithin(path, root);
  });
  return at == roots.end() ? std::string() : *at;
}

}  // namespace

FitInput FitInputOf(std::span<const GrantRow> rows, const posix::HostAccounts& host,
                    std::span<const std::string> logins, const TreeNeeds& peers,
                    std::span<const std::string> roots) {
  FitInput out{.wanted = peers.wanted, .question = {.roots = {}, .managed = peers.accounts}};
  for (const GrantRow& row : rows) {
    const posix::User* user = host.FindUser(row.subject.name);
    if (row.subject.type != Subject::Type::kAccount || user == nullptr) continue;
    out.wanted.push_back({row.path, row.depth, user->uid, row.rights});
  }
  out.question.roots.assign(roots.begin(), roots.end());
  for (const std::string& login : logins) {
    if (auto who = host.CredentialsOf(login)) out.question.managed.push_back(std::move(*who));
  }
  return out;
}

namespace {

using Viewers = std::map<std::string, Viewer>;

// What the folders give each account beyond the rows, as rows of its own.
Viewers MeasureAccounts(const LiveQuestion& question, const Measurer& measurer, Rows* rows) {
  const GainRows gains(question.tree, question.roots);
  Viewers viewers;
  for (const std::string& login : question.logins) {
    const auto who = question.host.CredentialsOf(login);
    if (!who) continue;
    Viewer viewer{.login = login, .who = *who};
    if (const auto at = question.sessions.find(login); at != question.sessions.end()) {
      viewer.session = at->second;
    }
    measurer.Measure(&viewer);
    gains.Add(viewer.gained, {Subject::Type::kAccount, login}, rows);
    viewers.emplace(login, std::move(viewer));
  }
  return viewers;
}

using Where = std::map<RowKey, RowNote>;

// The include's rows, less what the folders or the session keep back. Also a row of which nothing
// is left: the include has it, and the next write of the include would give it again.
void AddIncludeRows(const LiveQuestion& question, const Viewers& viewers, Rows* rows,
                    Where* where) {
  for (const GrantRow& row : question.content.rows) {
    Rights told = row.rights;
    const RowKey key{row.path, row.depth, row.subject};
    if (const auto at = viewers.find(row.subject.name); at != viewers.end()) {
      const Rights meant = posix::GivenBy(posix::NeedsOf(row.rights));
      told = meant & at->second.session.allowed;
      RowNote& note = (*where)[key];
      note.by_session = told != meant;
      told = told - LostIn(row, at->second.lost);
      note.where = WhereLost(row, at->second.lost);
    }
    (*rows)[key] |= told;
  }
}

// The deny-all of each root, with the rights that `other` has somewhere in it.
void AddEveryone(const LiveQuestion& question, const Measurer& measurer, Rows* rows, Where* where) {
  const auto& roots = question.content.roots;
  if (roots.empty()) return;
  Viewer stranger{.login = "", .who = Stranger()};
  measurer.Measure(&stranger);
  const auto key = [](const std::string& root) {
    return RowKey{root, Depth::kSubtree, Subject{Subject::Type::kEveryone, ""}};
  };
  for (const std::string& root : roots) (*rows)[key(root)];
  std::map<std::string, std::vector<std::string>> open;
  for (const auto& [folder, rights] : stranger.gained) {
    const std::string root = RootOf(roots, folder);
    if (root.empty()) continue;
    (*rows)[key(root)] |= rights;
    open[root].push_back(folder);
  }
  for (const auto& [root, folders] : open) {
    RowNote& note = (*where)[key(root)];
    if (folders != std::vector{root}) note.where = SomeFolders(folders);
    AddNodes({root, Depth::kSubtree, {}, {}}, stranger.nodes, &note);
  }
}

}  // namespace

Result<std::vector<GrantRow>> LiveRows(const LiveQuestion& question, RowNotes* notes) {
  const auto& content = question.content;
  const FitInput input =
      FitInputOf(content.rows, question.host, question.logins, question.peers, question.roots);
  const auto fit = posix::Fit(question.tree, input.wanted, input.question);
  if (!fit) return tl::unexpected(fit.error());
  const Measurer measurer(question, *fit);
  Rows rows;
  Where where;
  const Viewers viewers = MeasureAccounts(question, measurer, &rows);
  AddIncludeRows(question, viewers, &rows, &where);
  AddEveryone(question, measurer, &rows, &where);
  std::vector<GrantRow> out;
  for (const auto& [key, rights] : rows) {
    out.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), rights});
    if (notes == nullptr) continue;
    RowNote note;
    if (const auto at = where.find(key); at != where.end()) note = at->second;
    if (const auto at = viewers.find(out.back().subject.name); at != viewers.end()) {
      AddNodes(out.back(), at->second.nodes, &note);
    }
    if (note.by_session || !note.nodes.empty()) notes->emplace(out.back(), std::move(note));
  }
  return out;
}

Result<Shortfall> PeersShortfall(const LiveQuestion& question) {
  const FitInput input = FitInputOf(question.content.rows, question.host, question.logins,
                                    question.peers, question.roots);
  const auto fit = posix::Fit(question.tree, input.wanted, input.question);
  if (!fit) return tl::unexpected(fit.error());
  const Measurer measurer(question, *fit);
  Shortfall out;
  for (const posix::Credentials& who : question.peers.accounts) {
    if (out.contains(who.uid)) continue;
    Viewer viewer{.login = "", .who = who};
    measurer.Measure(&viewer);
    out.emplace(who.uid, Lack{std::move(viewer.lost), std::move(viewer.nodes)});
  }
  return out;
}

}  // namespace postern::filetransfer
