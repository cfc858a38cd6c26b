#include "providers/filetransfer/proftpd_io/tree_needs.h"

#include <algorithm>
#include <map>

#include "providers/filetransfer/posix/access.h"

namespace postern::filetransfer {
namespace {

using access::Subject;

// login -> as its sessions are, and group -> logins.
struct People {
  std::map<std::string, posix::Credentials> accounts;
  std::map<std::string, std::set<std::string>> members;
};

People PeopleOf(const Snapshot& snapshot) {
  People out;
  for (const std::string& login : snapshot.users.names()) {
    const auto user = ParseUser(*snapshot.users.Find(login));
    if (user) out.accounts[login] = {.uid = user->uid, .gid = user->gid, .groups = {}};
  }
  for (const std::string& name : snapshot.groups.names()) {
    const auto group = ParseGroup(*snapshot.groups.Find(name));
    if (!group) continue;
    auto& logins = out.members[name];
    logins.insert(group->members.begin(), group->members.end());
    for (auto& [login, who] : out.accounts) {
      if (who.gid == group->gid) logins.insert(login);
      if (logins.contains(login)) who.groups.push_back(group->gid);
    }
  }
  for (auto& [login, who] : out.accounts) {
    if (snapshot.daemon.uid != 0) {
      who = {.uid = snapshot.daemon.uid, .gid = snapshot.daemon.gid, .groups = {}};
    }
    std::sort(who.groups.begin(), who.groups.end());
    who.groups.erase(std::unique(who.groups.begin(), who.groups.end()), who.groups.end());
  }
  return out;
}

std::vector<std::string> LoginsOf(const Subject& subject, const People& people) {
  std::vector<std::string> out;
  if (subject.type == Subject::Type::kAccount) return {subject.name};
  if (subject.type == Subject::Type::kEveryone) {
    for (const auto& [login, who] : people.accounts) out.push_back(login);
    return out;
  }
  const auto group = people.members.find(subject.name);
  if (group == people.members.end()) return out;
  return {group->second.begin(), group->second.end()};
}

}  // namespace

Result<TreeNeeds> TreeNeedsOf(const Snapshot& snapshot) {
  for (const std::string* problem :
       {&snapshot.grant_problem, &snapshot.user_problem, &snapshot.group_problem}) {
    if (!problem->empty()) return Fail(ErrorCode::kIncomplete, *problem);
  }
  const People people = PeopleOf(snapshot);
  TreeNeeds out;
  for (const auto& [login, who] : people.accounts) out.accounts.push_back(who);
  for (const access::GrantRow& row : snapshot.grants.rows) {
    if (row.rights.empty()) continue;
    for (const std::string& login : LoginsOf(row.subject, people)) {
      const auto who = people.accounts.find(login);
      if (who == people.accounts.end()) continue;
      out.wanted.push_back({row.path, row.depth, who->second.uid, row.rights});
    }
  }
  return out;
}

void Narrow(const Shortfall& shortfall, Snapshot* snapshot) {
  const People people = PeopleOf(*snapshot);
  snapshot->given.clear();
  snapshot->notes.clear();
  for (access::GrantRow row : snapshot->grants.rows) {
    access::Rights lost;
    RightsByFolder where;
    NodeByFolder nodes;
    for (const std::string& login : LoginsOf(row.subject, people)) {
      const auto who = people.accounts.find(login);
      if (who == people.accounts.end()) continue;
      const auto at = shortfall.find(who->second.uid);
      if (at == shortfall.end()) continue;
      lost |= LostIn(row, at->second.lost);
      for (const auto& [folder, rights] : at->second.lost) where[folder] |= rights;
      nodes.insert(at->second.nodes.begin(), at->second.nodes.end());
    }
    RowNote note{.where = WhereLost(row, where), .nodes = {}};
    // Also a row of which nothing is left: the daemon still has it, so it isn't gone.
    row.rights = row.rights - lost;
    if (!lost.empty()) {
      AddNodes(row, nodes, &note);
      snapshot->notes.emplace(row, std::move(note));
    }
    snapshot->given.push_back(std::move(row));
  }
}

GivenBehind GivenByFolders(const Snapshot& snapshot, const posix::Tree& tree,
                           std::span<const SecondWay> ways) {
  // Questions that are asked for one way: beyond, the daemon's rules are told alone.
  constexpr size_t kMostQuestions = 1'000'000;
  const People people = PeopleOf(snapshot);
  GivenBehind out;
  for (const SecondWay& way : ways) {
    if (way.leads_out || way.path == way.real || out.contains(way.real)) continue;
    std::vector<std::string> folders;
    const auto& nodes = tree.nodes();
    for (auto at = nodes.lower_bound(way.real); at != nodes.end(); ++at) {
      if (!access::IsWithin(at->first, way.real)) break;
      if (at->second.type == posix::Node::Type::kFolder) folders.push_back(at->first);
    }
    if (folders.size() * people.accounts.size() > kMostQuestions) continue;
    auto& given = out[way.real];
    for (const auto& [login, who] : people.accounts) {
      for (const std::string& folder : folders) {
        // Whether it is reached is the other path's question: asked from here.
        const auto here = posix::RightsIn(tree, who, folder, {}, folder);
        given[login] |= here ? here->every | here->some : access::Rights::All();
      }
    }
  }
  return out;
}

}  // namespace postern::filetransfer
