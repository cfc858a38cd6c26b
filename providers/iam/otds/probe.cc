// What this OTDS can do, what of it is only guessed so far, and what it still needs.
#include <fmt/format.h>

#include <set>

#include "core/diag/text.h"
#include "providers/iam/http/clock.h"
#include "providers/iam/otds/target.h"

namespace postern::iam::otds {

using object::Check;
using object::Kind;
using object::Probe;

namespace {

constexpr const char* kOperatorFile = "operator file";

Check PrivilegeCheck(const Ground& ground) {
  Check check{.name = "privileges", .ok = ground.admin};
  check.found = ground.admin ? fmt::format("{} is an administrator there", ground.identity)
                             : fmt::format(
                                   "{} is no administrator there: lists may leave things out, so "
                                   "that nothing is decided from them",
                                   ground.identity);
  if (!ground.admin) {
    check.where = "OTDS, group otdsadmins@otds.admin";
    check.lines_to_add = {ground.identity};
  }
  return check;
}

Check PartitionCheck(const Ground& ground, const Names& names, const Guesses& guesses) {
  Check check{.name = "partitions", .ok = true, .where = kOperatorFile};
  for (const std::string& name : names.partitions()) {
    const Ground::Partition& partition = ground.partitions.at(Folded(name));
    if (!check.found.empty()) check.found += "; ";
    if (!partition.trouble.empty()) {
      check.ok = false;
      check.found += partition.trouble;
    } else if (partition.origin == Ground::Origin::kSynchronized) {
      check.found += fmt::format("{} is synchronized from another system: never written", name);
    } else if (partition.origin == Ground::Origin::kOwn) {
      check.found += fmt::format("{} can be written", name);
    } else {
      check.ok = false;
      check.found += fmt::format(
          "whether {} is synchronized is unconfirmed on this server, so that nothing is written "
          "there ({})",
          name, guesses.why(Guess::kProfiles));
    }
  }
  // Nothing else says so: whoever knows better has to be able to see it.
  if (ground.no_profiles) {
    check.found += fmt::format("; that none is synchronized is told by this: {}",
                               guesses.why(Guess::kProfiles));
  }
  return check;
}

std::string Joined(const std::set<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

// Access roles belong to resources. The people of an organizational unit that one lets in are shown
// where the server says who they are. `resources`: filled with their names.
Check AccessRoleCheck(Api& api, std::set<std::string>* resources) {
  constexpr std::string_view kList[] = {"accessRoles"};
  Check check{.name = "access roles", .ok = true};
  size_t count = 0;
  std::vector<std::string> units, paths;
  const auto walked = api.Walk("/accessroles", kList, [&](size_t, const Json& json) {
    const auto role = ReadAccessRole(json);
    ++count;
    for (const MemberEntry& member : role ? role->members : std::vector<MemberEntry>()) {
      if (member.ref.type != MemberType::kUnit) continue;
      units.push_back(
          fmt::format("{} lets in organizational unit {}", role->name, member.ref.name));
      paths.push_back(OtdsTarget::UnitPath(member.location) + "/users");
    }
    if (const auto of = json.find("resources"); of != json.end() && of->is_array()) {
      for (const Json& resource : *of) {
        std::string name = TextAt(resource, "resourceName");
        if (!name.empty()) resources->insert(std::move(name));
      }
    }
    return true;
  });
  if (!walked) {
    check.ok = false;
    check.found = walked.error().message;
  } else {
    const auto people = api.GetAll(paths);
    for (size_t i = 0; i < units.size(); ++i) {
      check.ok = check.ok && people[i].has_value();
      check.found += diag::Printable(units[i]);
      check.found += people[i] ? "; "
                               : fmt::format(", whose people can't be shown ({}); ",
                                             people[i].error().message);
    }
    check.found += fmt::format("{} can be read, of resources {}", count,
                               resources->empty() ? "none" : diag::Printable(Joined(*resources)));
  }
  return check;
}

// Who loses access in OTDS keeps it at a resource that OTDS can't reach. Making and connecting
// resources is the business of OTDS's administrators.
Check ResourceCheck(Api& api, const std::set<std::string>& resources) {
  Check check{.name = "resources", .ok = true};
  std::vector<std::string> paths;
  for (const std::string& name : resources) paths.push_back("/resources/" + Encode(name));
  const auto answers = api.GetAll(paths);
  size_t i = 0;
  std::vector<std::string> found;
  for (const std::string& name : resources) {
    const auto& answer = answers[i++];
    if (!answer) {
      found.push_back(fmt::format("{} can't be read ({})", name, answer.error().message));
    } else if (Same(TextAt(*answer, "connectionHealthy"), "false")) {
      found.push_back(
          fmt::format("the connection of {} isn't healthy: what changes in OTDS may "
                      "not arrive there",
                      name));
    }
  }
  check.ok = found.empty();
  if (!check.ok) {
    check.where = "OTDS, Resources";
    check.found = diag::Printable(fmt::format("{}", fmt::join(found, "; ")));
  } else {
    check.found = resources.empty() ? "none" : fmt::format("{} can be read", resources.size());
  }
  return check;
}

// Who has a role by another role that is in it: shown as memberships, where the server has that
// call.
Check RolesInRolesCheck(Api& api) {
  constexpr std::string_view kList[] = {"roles"};
  Check check{.name = "roles in roles", .ok = true, .found = "none"};
  std::vector<std::string> names, paths;
  const auto walked = api.Walk("/roles", kList, [&](size_t, const Json& json) {
    names.push_back(TextAt(json, "id"));
    paths.push_back("/roles/" + Encode(names.back()) + "/roles");
    return true;
  });
  if (!walked) {
    check.ok = false;
    check.found = walked.error().message;
    return check;
  }
  std::set<std::string> nested;
  const auto answers = api.GetAll(paths);
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) {
      check.found = "unconfirmed on this server: " + answers[i].error().message;
      return check;
    }
    const auto roles = answers[i]->find("roles");
    if (roles != answers[i]->end() && roles->is_array() && !roles->empty()) nested.insert(names[i]);
  }
  if (!nested.empty()) check.found = "in " + diag::Printable(Joined(nested));
  return check;
}

void AddCapabilities(const Guesses& guesses, Probe* probe) {
  const auto add = [&](std::string kind, std::string field, std::string support, std::string why,
                       std::vector<std::string> alternatives = {}) {
    probe->capabilities.push_back({.kind = std::move(kind),
                                   .field = std::move(field),
                                   .support = std::move(support),
                                   .why = std::move(why),
                                   .alternatives = std::move(alternatives)});
  };
  for (const char* field : {"external_id", "division", "cost_center"}) {
    add("iam_user", field, "unsupported",
        "no attribute that holds it is documented for the REST interface",
        {"product = \"scim\" for this partition"});
  }
  add("iam_group", "external_id", "unsupported",
      "no attribute that holds it is documented for the REST interface",
      {"product = \"scim\" for this partition"});
  add("iam_access_role", "", "coarser",
      "an access role comes and goes with its resource: its members and push_all_groups are "
      "written, the role itself is not");
  add("oauth_client", "active", "unsupported", "a client has no switch of its own: it is deleted",
      {"remove the client"});
  for (size_t i = 0; i < kGuessCount; ++i) {
    const auto guess = static_cast<Guess>(i);
    const GuessInfo& info = InfoOf(guess);
    if (info.kind.empty()) continue;
    add(std::string(info.kind), std::string(info.field),
        guesses.is_refuted(guess) ? "unsupported" : "native",
        guesses.is_refuted(guess)
            ? fmt::format("{}: {}", info.name, guesses.why(guess))
            : fmt::format("{} ({}): {}", info.name, info.meaning, guesses.StateText(guess)));
  }
}

void AddSettings(const Api& api, const Ground& ground, const Guesses& guesses, Probe* probe) {
  probe->settings.push_back({"product", "otds", "declared", ""});
  probe->settings.push_back({"url", api.base().text, "declared", ""});
  probe->settings.push_back({"login", ground.login, "probe", ""});
  probe->settings.push_back({"page", "250", "default", "OTDS's own"});
  for (size_t i = 0; i < kGuessCount; ++i) {
    const auto guess = static_cast<Guess>(i);
    const bool open = guesses.is_open(guess);
    probe->settings.push_back({std::string(InfoOf(guess).name),
                               std::string(guesses.StateText(guess)), open ? "default" : "probe",
                               open ? std::string(InfoOf(guess).meaning) : guesses.why(guess)});
  }
}

}  // namespace

Result<Probe> OtdsTarget::ProbeTarget() {
  connected_ = false;  // what was found out may have changed
  if (auto connected = Connect(); !connected) return tl::unexpected(connected.error());
  Probe probe;
  probe.product = "otds";
  probe.identity = ground_.identity;
  probe.checks.push_back(PrivilegeCheck(ground_));
  probe.checks.push_back(PartitionCheck(ground_, names_, guesses_));
  std::set<std::string> resources;
  probe.checks.push_back(AccessRoleCheck(*api_, &resources));
  probe.checks.push_back(ResourceCheck(*api_, resources));
  probe.checks.push_back(RolesInRolesCheck(*api_));
  const auto look = api_->LookAt("/currentuser");
  if (!look) return tl::unexpected(look.error());
  probe.checks.push_back(ClockCheck(look->skew_ms));
  probe.clock_skew_ms = look->skew_ms.value_or(0);
  AddCapabilities(guesses_, &probe);
  AddSettings(*api_, ground_, guesses_, &probe);
  for (const Kind kind : kKinds) probe.concurrency[kind] = "verify-then-write";
  return probe;
}

}  // namespace postern::iam::otds
