#include "tests/fault/apply/evaluator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <regex>
#include <sstream>
#include <vector>

namespace postern::fault {
namespace {

using Set = std::set<std::string>;

struct Account {
  bool enabled = false;
  std::string home;
};

struct Grant {
  std::string subject, path, depth, server;
  unsigned rights = 0;
};

struct World {
  std::map<std::string, Account> accounts;  // "edge-ftp/acme-in"
  std::map<std::string, Set> keys;          // account -> fingerprints
  std::map<std::string, Set> members;       // "edge-ftp/ops" -> accounts
  std::vector<Grant> grants;
  Set users, memberships;
  std::map<std::string, Set> sets;  // of the IAM system: "group desk" -> users, other groups
};

bool Match(const std::string& line, const char* pattern, std::smatch* found) {
  return std::regex_search(line, *found, std::regex(pattern));
}

World Parse(const std::string& dump) {
  World world;
  std::istringstream lines(dump);
  for (std::string line; std::getline(lines, line);) {
    std::smatch m;
    if (Match(line, "^account (\\S+)  ", &m)) {
      Account& account = world.accounts[m[1]];
      // A server opens an account that nothing is said of.
      account.enabled = line.find(" enabled: false") == std::string::npos;
      if (std::smatch home; Match(line, "home: \"([^\"]*)\"", &home)) account.home = home[1];
    } else if (Match(line, "^ssh key (\\S+) of (\\S+) ", &m)) {
      world.keys[m[2]].insert(m[1]);
    } else if (Match(line, "^server membership of (\\S+) in ([^/]+)/(\\S+) ", &m)) {
      world.members[m[2].str() + "/" + m[3].str()].insert(m[2].str() + "/" + m[1].str());
    } else if (Match(line, "^grant (\\S+) on (\\S+) \\((\\w+)\\) at (\\S+)  rights: (\\d+)", &m)) {
      const auto rights = static_cast<unsigned>(std::strtoul(m[5].str().c_str(), nullptr, 10));
      world.grants.push_back({m[1], m[2], m[3], m[4], rights});
    } else if (Match(line, "^user (\\S+)  ", &m)) {
      if (line.find(" enabled: false") == std::string::npos) world.users.insert(m[1]);
    } else if (Match(line, "^iam user (\\S+)  ", &m)) {
      if (line.find(" active: false") == std::string::npos) world.users.insert(m[1]);
    } else if (Match(line, "^membership of (group )?(\\S+) in (group|role) (\\S+) ", &m)) {
      world.sets[m[3].str() + " " + m[4].str()].insert(m[1].str() + m[2].str());
    } else if (Match(line, "^membership of (\\S+) in (\\S+) ", &m)) {
      world.memberships.insert(m[1].str() + " in " + m[2].str());
    }
  }
  return world;
}

bool Within(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder == "/" ? folder : folder + "/");
}

// Also who is in a group that is in it. Sets of these worlds hold no rings.
Set UsersIn(const World& world, const std::string& set) {
  Set users;
  const auto at = world.sets.find(set);
  if (at == world.sets.end()) return users;
  for (const std::string& member : at->second) {
    if (member.starts_with("group ")) {
      users.merge(UsersIn(world, member));
    } else if (world.users.contains(member)) {
      users.insert(member);
    }
  }
  return users;
}

bool Applies(const World& world, const Grant& grant, const std::string& account) {
  const std::string server = account.substr(0, account.find('/'));
  const std::string login = account.substr(server.size() + 1);
  if (grant.server != server) return false;
  if (grant.subject == "everyone" || grant.subject == "account:" + login) return true;
  if (!grant.subject.starts_with("group:")) return false;
  const auto group = world.members.find(server + "/" + grant.subject.substr(6));
  return group != world.members.end() && group->second.contains(account);
}

}  // namespace

Access AccessIn(const std::string& dump) {
  const World world = Parse(dump);
  Access access;
  for (const auto& [name, account] : world.accounts) {
    const auto keys = world.keys.find(name);
    if (!account.enabled || keys == world.keys.end()) continue;
    for (const Grant& grant : world.grants) {
      if (!Applies(world, grant, name)) continue;
      if (!Within(grant.path, account.home) && !Within(account.home, grant.path)) continue;
      for (unsigned bit = 0; bit < 9; ++bit) {
        if ((grant.rights >> bit & 1) == 0) continue;
        for (const std::string& key : keys->second) {
          access.insert(name + " by " + key + " from " + account.home + ": right " +
                        std::to_string(bit) + " on " + grant.path + " (" + grant.depth + ")");
        }
      }
    }
  }
  for (const std::string& user : world.users) access.insert(user + " logs in");
  for (const auto& [set, members] : world.sets) {
    for (const std::string& user : UsersIn(world, set)) access.insert(user + " in " + set);
  }
  // A member that can't log in has nothing of the group.
  for (const std::string& membership : world.memberships) {
    if (world.users.contains(membership.substr(0, membership.find(" in ")))) {
      access.insert(membership);
    }
  }
  return access;
}

std::string Canonical(const std::string& dump) {
  Set seen, numbers;
  std::string out;
  std::istringstream lines(dump);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find("  "));
    EXPECT_TRUE(seen.insert(name).second) << name << " stands twice";
    if (std::smatch uid; name.starts_with("account ") && Match(line, " uid: (\\d+)", &uid)) {
      EXPECT_TRUE(numbers.insert(uid[1]).second) << uid[0] << " was given twice";
    }
    line.resize(line.find(" id="));
    out += std::regex_replace(line, std::regex("\\b[ug]id: \\d+"), "") + "\n";
  }
  return out;
}

}  // namespace postern::fault
