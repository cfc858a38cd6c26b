#include "cmd/postern/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "cmd/postern/progress.h"
#include "cmd/postern/revision.h"
#include "core/diag/codes.h"
#include "core/diag/render.h"
#include "core/diag/suggest.h"
#include "core/jobs/snapshot/restore.h"
#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/proftpd/product.h"

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;

// The products that plans can be made for: a new one is a line here.
const compile::Products& AllProducts() {
  static const compile::Products products{{"openssh", &openssh::OpenSsh()},
                                          {"proftpd", &proftpd::Proftpd()}};
  return products;
}

const char* CodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kAuthentication:
      return diag::code::kLoginRefused;
    case ErrorCode::kUntrusted:
      return diag::code::kUntrusted;
    case ErrorCode::kTimeout:
      return diag::code::kTimeout;
    case ErrorCode::kIncomplete:
      return diag::code::kIncomplete;
    case ErrorCode::kDenied:
      return diag::code::kTargetDenied;
    case ErrorCode::kInternal:
      return diag::code::kProtocolBroken;
    case ErrorCode::kNotFound:
      return diag::code::kSecretMissing;
    case ErrorCode::kNotInstalled:
      return diag::code::kProviderStart;
    case ErrorCode::kInvalid:
    case ErrorCode::kUnsupported:
      return diag::code::kTargetNotReady;
    default:
      return diag::code::kUnreachable;
  }
}

std::string LedgerPathOf(const config::Loaded& loaded) {
  const fs::path folder = fs::path(loaded.operator_path).parent_path();
  const std::string& declared = loaded.declarations.operator_file.message.ledger();
  return (folder / (declared.empty() ? ".postern/ledger.db" : declared)).string();
}

Result<std::vector<ledger::RosterRow>> RosterRowsOf(const std::string& path) {
  auto opened = ledger::Ledger::Open(path, ledger::Ledger::Mode::kReadOnly);
  if (!opened) return tl::unexpected(opened.error());
  return (*opened)->Rosters();
}

// Whom a role knows is asked for as well before it is gone, by each id that is known of it.
observe::Known KnownOf(const std::map<std::string, std::vector<ledger::Recorded>>& recorded,
                       const std::vector<std::pair<std::string, object::KnownKey>>& users) {
  observe::Known known;
  for (const auto& [target, rows] : recorded) {
    auto& objects = known[target];
    objects.reserve(rows.size());
    for (const ledger::Recorded& row : rows) {
      objects.push_back({row.kind, row.key, row.body, row.id});
    }
  }
  for (const auto& [target, user] : users) {
    known[target].push_back({user.key.kind, user.key.key, {}, user.id});
  }
  const auto place = [](const observe::KnownObject& object) {
    return std::tuple(object.kind, object.key, object.id);
  };
  for (auto& [target, objects] : known) {
    if (users.empty() || !target.starts_with("iam:")) continue;
    std::stable_sort(objects.begin(), objects.end(), [&](const auto& a, const auto& b) {
      return place(a) < place(b);  // what is recorded stays first
    });
    const auto same = [&](const auto& a, const auto& b) { return place(a) == place(b); };
    objects.erase(std::unique(objects.begin(), objects.end(), same), objects.end());
  }
  return known;
}

std::map<std::string, base::Digest> DigestsOf(const std::vector<ledger::RosterRow>& rows) {
  std::map<std::string, base::Digest> digests;
  for (const ledger::RosterRow& row : rows) digests[row.import] = base::Sha256(row.roster);
  return digests;
}

}  // namespace

World::~World() {
  if (frees) return;
  struct Kept {
    config::Loaded loaded;
    std::map<std::string, std::vector<ledger::Recorded>> recorded;
    observe::Observed observed;
    compile::Desired desired;
    plan::Plan plan;
    Kept* before = nullptr;
  };
  static Kept* last = nullptr;  // all are reached from here: a leak checker finds none lost
  last = std::make_unique<Kept>(Kept{std::move(loaded), std::move(recorded), std::move(observed),
                                     std::move(desired), std::move(plan), last})
             .release();
}

bool World::Load() {
  const StatusLine line(shell_, "Reading the declarations");
  loaded = config::Load(
      {shell_.globals.operator_file, shell_.globals.tree,
       [this](const config::Loaded& read, diag::Diagnostics* out) { return Rosters(read, out); }});
  diagnostics.Append(std::move(loaded.diagnostics));
  loaded.diagnostics = {};
  return !diagnostics.has_errors();
}

std::string World::ledger_path() const {
  return LedgerPathOf(loaded);
}

// What imports last accepted. A ledger that can't say it is an error: without their people a plan
// would remove them.
std::vector<decl::AcceptedRoster> World::Rosters(const config::Loaded& read,
                                                 diag::Diagnostics* out) {
  std::vector<decl::AcceptedRoster> rosters;
  if (read.declarations.imports.empty()) return rosters;
  const auto complain = [&](const std::string& why) {
    out->Add({.code = diag::code::kRosterDamaged,
              .summary = "what imports accepted can't be read: " + why,
              .subject = LedgerPathOf(read),
              .notes = {"postern ledger verify"}});
  };
  const auto rows = RosterRowsOf(LedgerPathOf(read));
  if (!rows) {
    complain(rows.error().message);
    return rosters;
  }
  rosters_ = DigestsOf(*rows);
  for (const ledger::RosterRow& row : *rows) {
    if (candidate != nullptr && candidate->import() == row.import) continue;
    if (!rosters.emplace_back().ParseFromString(row.roster)) {
      complain(fmt::format("the roster of import \"{}\" isn't one", row.import));
    }
  }
  if (candidate != nullptr) rosters.push_back(*candidate);
  return rosters;
}

Result<bool> World::RostersStand(const std::string& but) {
  if (loaded.declarations.imports.empty()) return true;
  const auto rows = ledger->Rosters();
  if (!rows) return tl::unexpected(rows.error());
  auto now_there = DigestsOf(*rows), before = rosters_;
  now_there.erase(but);
  before.erase(but);
  return now_there == before;
}

std::string World::last_plan_path() const {
  return (fs::path(ledger_path()).parent_path() / "last-plan.postern").string();
}

Result<void> World::OpenLedger(LedgerUse use) {
  std::error_code ignored;
  const std::string path = ledger_path();
  const bool exists = fs::exists(path, ignored);
  const bool writes = use == LedgerUse::kApply || (use == LedgerUse::kPlan && !exists);
  auto opened = ledger::Ledger::Open(
      path, writes ? ledger::Ledger::Mode::kReadWrite : ledger::Ledger::Mode::kReadOnly);
  if (!opened) return tl::unexpected(opened.error());
  ledger = *std::move(opened);
  return {};
}

Result<void> World::ReadLedger() {
  std::vector<std::string> names;
  for (const auto& host : loaded.declarations.hosts) names.push_back("host:" + host.message.name());
  for (const auto& directory : loaded.declarations.directories) {
    names.push_back("directory:" + directory.message.name());
  }
  for (const auto& iam : loaded.declarations.iams) names.push_back("iam:" + iam.message.name());
  for (const auto& runner : loaded.declarations.runners) {
    names.push_back("runner:" + runner.message.name());
  }
  // One that isn't declared any more may have jobs installed.
  auto all = ledger->RecordedTargets();
  if (!all) return tl::unexpected(all.error());
  for (const std::string& name : *all) {
    if (name.starts_with("runner:") && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    auto rows = ledger->RecordedOf(name);
    if (!rows) return tl::unexpected(rows.error());
    recorded[name] = *std::move(rows);
  }
  auto open = ledger->OpenIntents();
  if (!open) return tl::unexpected(open.error());
  open_intents = *std::move(open);
  auto census = ledger->LastCensus();
  if (!census) return tl::unexpected(census.error());
  census_ = *std::move(census);
  ledger_read_ = true;
  return {};
}

void World::Connect() {
  const StatusLine line(shell_, "Connecting to the targets");
  observe::OpenOptions options;
  options.ledger_id = ledger->id();
  options.generation = ledger->generation();
  options.ledger_key = ledger->secret_key();
  targets = observe::OpenTargets(loaded.declarations, options);
}

Result<void> World::Observe() {
  // Here and not when the ledger is opened: a recovery between changes what the ledger knows.
  if (auto read = ReadLedger(); !read) return read;
  const auto users = plan::UsersInRoles(recorded);
  const observe::Known known = KnownOf(recorded, users);
  std::vector<std::string> names;
  for (const observe::OpenTarget& target : targets) names.push_back(target.name);
  ObserveProgress progress(shell_, names);
  observed = observe::Observe(
      targets, known,
      [&](const std::string& target, const observe::Seen& seen) { progress.Report(target, seen); });
  for (const observe::ObservedTarget& target : observed.targets) {
    if (!target.reached) AddUnreached(target);
  }
  return {};
}

void World::AddUnreached(const observe::ObservedTarget& target) {
  diag::Span span;
  for (const auto& host : loaded.declarations.hosts) {
    if ("host:" + host.message.name() == target.name) {
      span = host.At(decl::Host::kAddressFieldNumber);
    }
  }
  for (const auto& directory : loaded.declarations.directories) {
    if ("directory:" + directory.message.name() == target.name) {
      span = directory.At(decl::Directory::kUrlFieldNumber);
    }
  }
  for (const auto& iam : loaded.declarations.iams) {
    if ("iam:" + iam.message.name() == target.name) span = iam.At(decl::Iam::kUrlFieldNumber);
  }
  for (const auto& runner : loaded.declarations.runners) {
    if ("runner:" + runner.message.name() == target.name) {
      span = runner.At(decl::Runner::kHostFieldNumber);
    }
  }
  diagnostics.Add(
      {.code = CodeOf(target.error.code),
       .summary = target.name + " was not observed",
       .span = span,
       .subject = target.name,
       .label = target.error.message,
       .notes = {"nothing is decided about it; other targets go on", "postern providers doctor"}});
}

bool World::observed_all() const {
  for (const observe::ObservedTarget& target : observed.targets) {
    if (!target.reached) return false;
  }
  return true;
}

plan::Inputs World::InputsOf() const {
  plan::Inputs inputs;
  inputs.declarations = &loaded.declarations;
  inputs.sources = &loaded.sources;
  inputs.desired = &desired;
  inputs.products = &AllProducts();
  inputs.observed = &observed;
  inputs.recorded = &recorded;
  inputs.last_census = census_;
  inputs.open_intents = open_intents;
  inputs.now = now;
  inputs.as_of = as_of;
  inputs.as_of_given = as_of_given;
  inputs.ledger_id = ledger->id();
  inputs.generation = ledger->generation();
  inputs.only_targets = only_targets;
  inputs.own_job = own_job;
  return inputs;
}

Result<bool> World::Compile() {
  if (!ledger_read_) {
    if (auto read = ReadLedger(); !read) return tl::unexpected(read.error());
  }
  auto allocated = ledger->AllocatedUids();
  if (!allocated) return tl::unexpected(allocated.error());
  const StatusLine line(shell_, "Compiling the declarations");
  plan::Inputs inputs = InputsOf();
  // What is installed for a job says which commit it comes from.
  const bool jobs = !loaded.declarations.exports.empty() || !loaded.declarations.imports.empty();
  if (jobs) inputs.revision = RevisionOf(loaded.tree_path);
  const compile::Facts facts = plan::FactsOf(inputs, *allocated);
  desired = compile::Compile(loaded.declarations, loaded.sources, AllProducts(), facts);
  const bool fine = !desired.diagnostics.has_errors();
  diagnostics.Append(std::move(desired.diagnostics));
  desired.diagnostics = {};
  // What facts contradict is left alone; a source's mistake doesn't stop the revocations of others.
  diagnostics.Append(std::move(desired.fact_errors));
  desired.fact_errors = {};
  if (fine && snapshot) WantSnapshot(*allocated);
  return fine;
}

void World::WantSnapshot(const std::vector<std::pair<std::string, uint32_t>>& allocated) {
  jobs::Restore restore = jobs::RestoreOf(*snapshot, desired, loaded.declarations, allocated);
  for (const std::string& target : restore.unknown_targets) {
    diagnostics.Add({.severity = diag::Severity::kWarning,
                     .code = diag::code::kSnapshotTarget,
                     .summary = target + " is in the snapshot and isn't declared: left out",
                     .subject = target,
                     .notes = {"declare it under that name in the operator's file"}});
  }
  for (const jobs::LeftOut& left : restore.left_out) {
    diagnostics.Add({.severity = diag::Severity::kWarning,
                     .code = diag::code::kSnapshotLeftOut,
                     .summary = fmt::format("not restored: {} {}", left.count, left.what),
                     .subject = left.target});
  }
  desired = std::move(restore.desired);
  jobs::KeepRestored(desired, &recorded);
}

void World::DigestSecret(const std::string& reference, const std::string& target,
                         const diag::Span& span, plan::Inputs* inputs, bool* fine) {
  if (!reference.starts_with("secret:")) return;
  const observe::SecretStore store(&loaded.declarations);
  auto value = store.Find(std::string_view(reference).substr(7), target);
  if (!value) {
    diagnostics.Add({.code = diag::code::kSecretMissing,
                     .summary = fmt::format("no value for {} at {}", reference, target),
                     .span = span,
                     .label = value.error().message});
    *fine = false;
    return;
  }
  inputs->secret_digests[reference] = base::Hex(base::HmacSha256(ledger->secret_key(), *value));
}

bool World::DigestSecrets(plan::Inputs* inputs) {
  bool fine = true;
  for (const auto& account : loaded.declarations.accounts) {
    if (!account.message.has_password()) continue;
    DigestSecret(account.message.password(),
                 compile::TargetOfServer(loaded.declarations, account.message.server()),
                 account.At(decl::Account::kPasswordFieldNumber), inputs, &fine);
  }
  for (const auto& user : loaded.declarations.users) {
    if (!user.message.has_password()) continue;
    DigestSecret(user.message.password(), "directory:" + user.message.directory(),
                 user.At(decl::User::kPasswordFieldNumber), inputs, &fine);
  }
  for (const auto& client : loaded.declarations.oauth_clients) {
    if (!client.message.has_secret()) continue;
    DigestSecret(client.message.secret(), "iam:" + client.message.iam(),
                 client.At(decl::OauthClient::kSecretFieldNumber), inputs, &fine);
  }
  return fine;
}

Result<bool> World::MakePlan() {
  plan::Inputs inputs = InputsOf();
  inputs.revision = RevisionOf(loaded.tree_path);
  inputs.declarations_digest = base::Hex(config::DigestOf(loaded));
  if (snapshot) {  // what is wanted stands there
    inputs.declarations_digest =
        base::Hex(base::Sha256(inputs.declarations_digest + base::Hex(snapshot->digest)));
  }
  const bool fine = DigestSecrets(&inputs);
  if (!fine) return false;
  const StatusLine line(shell_, "Planning");
  plan = plan::MakePlan(inputs, &diagnostics);
  return true;
}

std::string World::TargetNamed(const std::string& text) const {
  std::vector<std::string> names;
  for (const auto& host : loaded.declarations.hosts) {
    std::string name = "host:" + host.message.name();
    if (text == name || text == host.message.name()) return name;
  }
  for (const auto& directory : loaded.declarations.directories) {
    std::string name = "directory:" + directory.message.name();
    if (text == name || text == directory.message.name()) return name;
  }
  for (const auto& iam : loaded.declarations.iams) {
    std::string name = "iam:" + iam.message.name();
    if (text == name || text == iam.message.name()) return name;
  }
  for (const auto& runner : loaded.declarations.runners) {
    std::string name = "runner:" + runner.message.name();
    if (text == name || text == runner.message.name()) return name;
  }
  const std::string_view server =
      std::string_view(text).substr(text.starts_with("server:") ? 7 : 0);
  return compile::TargetOfServer(loaded.declarations, server);
}

void World::Print(size_t most) {
  diagnostics.Sort();
  shell_.Print(diagnostics, loaded.sources, most);
}

int World::PrintErrors() {
  diagnostics.Sort();
  if (shell_.json()) {
    shell_.Keep(diagnostics, loaded.sources);
    shell_.out() << diag::RenderJson(diagnostics, loaded.sources) << std::flush;
  } else {
    shell_.Print(diagnostics, loaded.sources);
    shell_.err() << diag::Summary(diagnostics) << "\n";
  }
  return 1;
}

}  // namespace postern::cmd
