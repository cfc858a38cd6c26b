// postern access who | what | expiring: who may do what, declared or live.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"
#include "core/config/index.h"
#include "core/config/service_needs.h"
#include "core/diag/codes.h"
#include "core/view/access_table.h"
#include "core/view/words.h"

namespace postern::cmd {
namespace {

struct AccessArguments {
  std::string subject, within = "30d";
  bool live = false, detail = false;
};

// Loads, compiles and, for --live, observes. kOk, or the exit code.
int Prepare(Shell& shell, bool live, World* world) {
  if (!world->Load()) return world->PrintErrors();
  if (auto opened = world->OpenLedger(World::LedgerUse::kRead); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  if (live) {
    world->Connect();
    if (auto read = world->Observe(); !read) {
      return shell.Fail(LedgerCode(read.error()), read.error());
    }
  }
  auto compiled = world->Compile();
  if (!compiled) return shell.Fail(LedgerCode(compiled.error()), compiled.error());
  if (!*compiled) return world->PrintErrors();
  return kOk;
}

// Of "service:X", or of its name alone: what no job of it uses.
std::vector<view::UnusedRights> UnusedOf(const World& world, const std::string& identity) {
  const config::Index index(world.loaded.declarations);
  const auto address = config::SplitAddress(identity);
  const auto* service = address && address->table != "service"
                            ? nullptr
                            : index.Get<decl::ServiceAccount>(address ? address->name : identity);
  std::vector<view::UnusedRights> out;
  if (service == nullptr) return out;
  for (const config::Unneeded& row : config::FindUnneeded(world.loaded.declarations, index)) {
    if (row.service != service) continue;
    const std::string& name = service->message.rows().values(row.row).folder();
    const auto* folder = index.Get<decl::Folder>(name);
    const diag::Span span = service->At(decl::ServiceAccount::kRowsFieldNumber, row.row);
    out.push_back({name, folder == nullptr ? name : folder->message.path(), row.rights,
                   world.loaded.sources.Place(span)});
  }
  return out;
}

int Answer(Shell& shell, const World& world, view::AccessHeading heading,
           const std::vector<view::AccessRow>& rows, const AccessArguments& arguments) {
  heading.live = arguments.live;
  if (!arguments.live && !world.loaded.declarations.roles.empty()) {
    heading.note = "Members of roles are those of the last apply: --live asks their sources.";
  }
  for (const observe::ObservedTarget& target : world.observed.targets) {
    if (!target.reached) {
      heading.unobserved.push_back(target.name + ": " + target.error.message);
    }
  }
  if (shell.json()) {
    view::WriteAccessJson(heading, rows, shell.out());
  } else {
    shell.Say(view::RenderAccess(heading, rows, arguments.detail, shell.style()));
  }
  return heading.unobserved.empty() ? kOk : kIncomplete;
}

// "edge:/srv/in" for each host that manages the path.
std::vector<std::string> PlacesOf(const World& world, const std::string& path) {
  std::vector<std::string> out;
  for (const auto& host : world.loaded.declarations.hosts) {
    for (const std::string& root : host.message.manage().roots().values()) {
      if (!access::IsWithin(path, object::Normalise(object::Comparator::kPath, root))) continue;
      out.push_back(host.message.name() + ":" + path);
      break;
    }
  }
  return out;
}

// "acme-inbound", "folder:acme-inbound", "edge:/srv/exchange/acme/in", or the path alone where one
// host manages it.
bool FindFolder(const World& world, std::string text, std::string* target, std::string* path) {
  if (text.starts_with("folder:")) text.erase(0, 7);
  const config::Index index(world.loaded.declarations);
  if (const auto* folder = index.Get<decl::Folder>(text)) {
    *target = "host:" + folder->message.host();
    *path = object::Normalise(object::Comparator::kPath, folder->message.path());
    return true;
  }
  if (text.starts_with('/')) {
    const auto places = PlacesOf(world, object::Normalise(object::Comparator::kPath, text));
    if (places.size() != 1) return false;
    text = places.front();
  }
  const size_t colon = text.find(":/");
  if (colon == std::string::npos || index.Get<decl::Host>(text.substr(0, colon)) == nullptr) {
    return false;
  }
  *target = "host:" + text.substr(0, colon);
  *path = object::Normalise(object::Comparator::kPath, text.substr(colon + 1));
  return true;
}

int Who(Shell& shell, const AccessArguments& arguments) {
  World world(shell);
  if (const int code = Prepare(shell, arguments.live, &world); code != kOk) return code;
  std::string target, path;
  if (!FindFolder(world, arguments.subject, &target, &path)) {
    const bool is_path = arguments.subject.starts_with('/');
    const auto places = is_path ? PlacesOf(world, arguments.subject) : std::vector<std::string>();
    std::string note = "a declared folder's name, or HOST:/path";
    if (places.size() > 1)
      note = fmt::format("several hosts manage it: {}", fmt::join(places, ", "));
    if (is_path && places.empty()) note = "no host's `manage.roots` reach there; " + note;
    return shell.Fail({.code = diag::code::kUnknownName,
                       .summary = fmt::format("no folder named \"{}\"", arguments.subject),
                       .notes = {note}});
  }
  const access::World raised =
      arguments.live ? view::LiveWorld(world.observed) : view::DeclaredWorld(world.desired);
  const view::AccessQuery query(raised, world.desired, world.loaded.sources,
                                arguments.live ? &world.observed : nullptr);
  const std::string title = fmt::format("Who reaches {} on {}", path, view::ShortTarget(target));
  return Answer(shell, world, {.title = title}, query.Who(target, path), arguments);
}

bool Declared(const World& world, const std::string& identity) {
  const config::Index index(world.loaded.declarations);
  const auto address = config::SplitAddress(identity);
  if (address) return index.Find(address->table, address->name) != nullptr;
  constexpr const char* kTables[] = {"person", "partner", "service", "user"};
  return std::any_of(std::begin(kTables), std::end(kTables),
                     [&](const char* table) { return index.Find(table, identity) != nullptr; });
}

int What(Shell& shell, const AccessArguments& arguments) {
  World world(shell);
  if (const int code = Prepare(shell, arguments.live, &world); code != kOk) return code;
  const access::World raised =
      arguments.live ? view::LiveWorld(world.observed) : view::DeclaredWorld(world.desired);
  const view::AccessQuery query(raised, world.desired, world.loaded.sources,
                                arguments.live ? &world.observed : nullptr);
  const auto rows = query.What(arguments.subject);
  if (rows.empty() && !Declared(world, arguments.subject)) {
    std::vector<std::string> notes = {
        "such as partner:acme, li.wong, SERVER/LOGIN or iam:NAME/USER"};
    if (!arguments.live) notes.emplace_back("what nobody declared is found with --live");
    return shell.Fail({.code = diag::code::kUnknownName,
                       .summary = fmt::format("no identity named \"{}\"", arguments.subject),
                       .notes = std::move(notes)});
  }
  view::AccessHeading heading{.title = "What " + arguments.subject + " reaches"};
  heading.unused = UnusedOf(world, arguments.subject);
  return Answer(shell, world, std::move(heading), rows, arguments);
}

// "30d", "12w", "6h" in seconds; -1: not such a text.
int64_t SecondsOf(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  constexpr int64_t kMost = 100'000;
  if (error != std::errc() || number < 0 || number > kMost) return -1;
  if (unit == "h") return number * 3600;
  if (unit == "d") return number * 86400;
  return unit == "w" ? number * 7 * 86400 : -1;
}

int Expiring(Shell& shell, const AccessArguments& arguments) {
  const int64_t within = SecondsOf(arguments.within);
  if (within < 0) {
    return shell.Fail({.code = diag::code::kBadTime,
                       .summary = fmt::format("--within \"{}\" is no span", arguments.within),
                       .notes = {"such as 12h, 30d or 8w"}});
  }
  World world(shell);
  if (const int code = Prepare(shell, false, &world); code != kOk) return code;
  const auto endings = view::EndingSoon(world.desired, world.loaded.sources, world.now, within);
  if (shell.json()) {
    view::WriteEndingsJson(endings, shell.out());
  } else {
    shell.Say(
        view::RenderEndings(endings, world.now, arguments.within, arguments.detail, shell.style()));
  }
  return kOk;
}

Run Define(Arguments& arguments, const char* subject, const char* help,
           int (*run)(Shell&, const AccessArguments&)) {
  auto given = std::make_shared<AccessArguments>();
  arguments = {
      {.name = subject, .help = help, .text = &given->subject, .required = true},
      {.name = "--live", .help = "as it is live, not as declared", .flag = &given->live},
      {.name = "--detail", .help = "all rows, whatever the size", .flag = &given->detail},
  };
  return [given, run](Shell& shell) { return run(shell, *given); };
}

}  // namespace

Run DefineAccessWho(Arguments& arguments) {
  return Define(arguments, "FOLDER", "a declared folder's name, its path, or HOST:/path", &Who);
}

Run DefineAccessWhat(Arguments& arguments) {
  return Define(arguments, "IDENTITY",
                "such as partner:acme, li.wong, SERVER/LOGIN or iam:NAME/USER", &What);
}

Run DefineAccessExpiring(Arguments& arguments) {
  auto given = std::make_shared<AccessArguments>();
  arguments = {
      {.name = "--within",
       .value = "SPAN",
       .help = "such as 12h, 30d or 8w; default 30d",
       .text = &given->within},
      {.name = "--detail", .help = "all rows, whatever the size", .flag = &given->detail},
  };
  return [given](Shell& shell) { return Expiring(shell, *given); };
}

}  // namespace postern::cmd
