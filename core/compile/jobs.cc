// Exports and imports: what is installed on a runner for each, sealed, and what wakes it.
#include <fmt/format.h>

#include <set>

#include "core/compile/compiler.h"
#include "core/config/index.h"
#include "core/config/secret_places.h"
#include "core/diag/codes.h"
#include "core/jobs/schedule/schedule.h"
#include "core/jobs/schedule/units.h"
#include "core/jobs/spec.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

using object::Kind;

// A timer names slots of ten years that its fields can't say (core/jobs/schedule/units.h): what was
// sealed longer ago than this is sealed anew.
constexpr base::Instant kSealHolds = base::Instant{5} * 366 * 86400;

template <class M>
const M* Named(const std::vector<config::Declared<M>>& all, std::string_view name) {
  for (const auto& declared : all) {
    if (declared.message.name() == name) return &declared.message;
  }
  return nullptr;
}

// A secret that the job needs, and what it is sent to.
struct NeededSecret {
  std::string name, target;
};

void Need(const std::string& reference, const std::string& target, std::vector<NeededSecret>* out) {
  constexpr std::string_view kPrefix = "secret:";
  if (reference.starts_with(kPrefix)) out->push_back({reference.substr(kPrefix.size()), target});
}

std::vector<NeededSecret> SecretsOf(const job::JobSpec& spec) {
  std::vector<NeededSecret> out;
  const std::string place = "endpoint:" + spec.endpoint().name();
  Need(spec.endpoint().password(), place, &out);
  Need(spec.endpoint().private_key(), place, &out);
  if (spec.endpoint().has_server()) {
    const decl::ServiceAccount& account = spec.service_account();
    for (const decl::Credential* slot : {&account.next(), &account.current()}) {
      Need(slot->private_key(), place, &out);
      Need(slot->password(), place, &out);
    }
  }
  for (const decl::Directory& directory : spec.directories()) {
    Need(directory.bind().password(), "directory:" + directory.name(), &out);
  }
  for (const decl::Iam& iam : spec.iams()) {
    for (const std::string* secret :
         {&iam.auth().token(), &iam.auth().client_secret(), &iam.auth().password()}) {
      Need(*secret, "iam:" + iam.name(), &out);
    }
  }
  for (const decl::ExportColumn& column : spec.export_().columns().values()) {
    Need(column.hash_key(), "runner:" + spec.runner().name(), &out);
  }
  return out;
}

}  // namespace

void Compiler::CompileJobs() {
  for (const auto& job : declarations_.exports) {
    CompileJob(job, job.message.deliver().to(), true);
  }
  for (const auto& job : declarations_.imports) {
    CompileJob(job, job.message.fetch().from(), false);
  }
}

template <class M>
void Compiler::CompileJob(const config::Declared<M>& declared, const std::string& endpoint,
                          bool export_) {
  const M& message = declared.message;
  const decl::Runner* runner = Named(declarations_.runners, message.runner());
  if (runner == nullptr) return;
  const std::string target = "runner:" + message.runner();
  job::JobSpec spec;
  spec.set_name((export_ ? "export." : "import.") + message.name());
  *spec.mutable_runner() = *runner;
  spec.mutable_runner()->clear_limits();
  std::vector<std::string> sources;
  if constexpr (requires { message.to(); }) {
    *spec.mutable_import() = message;
    sources = {message.to()};
  } else {
    *spec.mutable_export_() = message;
    sources.assign(message.from().values().begin(), message.from().values().end());
  }
  if (const auto as = config::SplitAddress(message.as())) {
    const auto* account = Named(declarations_.service_accounts, as->name);
    if (account != nullptr) *spec.mutable_service_account() = *account;
  }
  if (!FillSpec(endpoint, sources, declared.span, &spec)) return;
  // What is delivered to somebody ends with his contract, and with whom it runs as.
  Interval interval = ContractOf(spec.endpoint().for_())
                          .Meet(ContractOf(message.owner()))
                          .Meet(ContractOf(message.as()));
  if (message.has_expires()) interval.until = std::min(interval.until, message.expires());
  if (interval.from != base::kAlways) spec.set_not_before(interval.from);
  if (interval.until != base::kForever) spec.set_not_after(interval.until);
  SealJob(target, &spec);
  const decl::ServiceAccount& account = spec.service_account();
  const bool wanted = (!message.has_enabled() || message.enabled()) &&
                      (!account.has_enabled() || account.enabled());
  const uint32_t source =
      AddProvenance(fmt::format("{}:{}", export_ ? "export" : "import", message.name()),
                    declared.span, interval.until, {}, message.reason());
  if (interval.until != base::kForever) desired_.provenance[source].closer = kClosedByNobody;
  const bool enabled = wanted && interval.Holds(facts_.now);
  if (!EmitJob(target, spec, message.schedule(), enabled, source, declared.span)) return;
  NoteOffTime(target, {Kind::kJob, spec.name()}, interval, source);
}

// What the declaration names: the place, the systems that rows come from or go to, their secrets.
bool Compiler::FillSpec(const std::string& endpoint, const std::vector<std::string>& sources,
                        const diag::Span& place, job::JobSpec* spec) {
  const decl::Endpoint* to = Named(declarations_.endpoints, endpoint);
  if (to == nullptr) return false;
  *spec->mutable_endpoint() = *to;
  for (const std::string& address : sources) AddSourceWhole(address, spec);
  for (const std::string& server : spec->export_().select().servers().values()) {
    AddSource("server:" + server, spec);
  }
  std::set<std::string_view> folders;
  for (const std::string& name : spec->export_().select().folders().values()) {
    const auto at = folders_.find(name);
    if (at == folders_.end() || !folders.insert(name).second) continue;
    *spec->add_folders() = at->second.declared->message;
  }
  if (spec->has_import()) {
    for (const auto& releaser : declarations_.releasers) *spec->add_releasers() = releaser.message;
  }
  const auto& top = declarations_.operator_file.message;
  if (top.has_identity()) *spec->mutable_identity() = top.identity();
  return PlaceSecrets(place, spec);
}

// What a host holds of access, its servers hold.
void Compiler::AddSourceWhole(const std::string& address, job::JobSpec* spec) {
  AddSource(address, spec);
  const auto named = config::SplitAddress(address);
  if (!named || named->table != "host") return;
  for (const auto& server : declarations_.servers) {
    if (server.message.host() == named->name) AddSource("server:" + server.message.name(), spec);
  }
}

void Compiler::AddSource(const std::string& address, job::JobSpec* spec) {
  const auto named = config::SplitAddress(address);
  if (!named) return;
  const auto put = [&](const auto& all, auto* list) {
    const auto* found = Named(all, named->name);
    if (found == nullptr) return;
    for (const auto& there : *list) {
      if (there.name() == found->name()) return;
    }
    *list->Add() = *found;
  };
  if (named->table == "directory") put(declarations_.directories, spec->mutable_directories());
  if (named->table == "iam") put(declarations_.iams, spec->mutable_iams());
  if (named->table == "host") put(declarations_.hosts, spec->mutable_hosts());
  if (named->table != "server") return;
  put(declarations_.servers, spec->mutable_servers());
  if (const auto* server = Named(declarations_.servers, named->name)) {
    AddSource("host:" + server->host(), spec);
  }
}

// Only where each secret is found: its value never leaves the machine that it is on.
bool Compiler::PlaceSecrets(const diag::Span& place, job::JobSpec* spec) {
  std::map<std::string, std::string> places;
  bool fine = true;
  for (const NeededSecret& needed : SecretsOf(*spec)) {
    auto found = config::FindSecret(declarations_, needed.name, needed.target);
    if (found) {
      places[needed.name] = std::move(found->from);
      continue;
    }
    fine = false;
    desired_.diagnostics.Add({.code = diag::code::kSecretMissing,
                              .summary = fmt::format("{} has no secret:{} for {}", spec->name(),
                                                     needed.name, needed.target),
                              .span = place,
                              .label = found.error().message});
  }
  for (auto& [name, from] : places) {
    job::SecretPlace& secret = *spec->add_secrets();
    secret.set_name(name);
    secret.set_from(std::move(from));
  }
  return fine;
}

// The same job keeps the seal that it was installed with, so that a plan without changes is empty.
void Compiler::SealJob(const std::string& target, job::JobSpec* spec) {
  if (facts_.recorded != nullptr && facts_.recorded->contains(target)) {
    for (const ledger::Recorded& recorded : facts_.recorded->at(target)) {
      if (recorded.kind != Kind::kJob || recorded.key != spec->name()) continue;
      const auto job = object::DecodeAs<kinds::Job>(recorded.body);
      const auto sealed = jobs::ParseSpec(job.spec());
      if (!sealed || sealed->ledger_id() != facts_.ledger_id ||
          facts_.clock - sealed->sealed_at() > kSealHolds || !jobs::SameJob(job.spec(), *spec)) {
        continue;
      }
      *spec = *sealed;
      return;
    }
  }
  spec->set_ledger_id(facts_.ledger_id);
  spec->set_generation(facts_.next_generation);
  if (!facts_.revision.empty()) spec->set_commit(facts_.revision);
  spec->set_sealed_at(facts_.clock);
}

// False, with diagnostics, where nothing can wake it.
bool Compiler::EmitJob(const std::string& target, const job::JobSpec& spec,
                       const decl::JobSchedule& schedule, bool enabled, uint32_t source,
                       const diag::Span& place) {
  const jobs::Sealed sealed = jobs::Seal(spec);
  const decl::Runner& runner = spec.runner();
  jobs::JobUnit unit;
  unit.job = spec.name();
  unit.user = runner.user();
  unit.command = {runner.has_program() ? runner.program() : jobs::kDefaultProgram,
                  "job",
                  "run",
                  spec.name(),
                  "--spec",
                  jobs::SpecPathOf(runner, spec.name()),
                  "--digest",
                  sealed.digest};
  // An import plans and applies with the declarations; a unit has no folder of its own to find
  // them.
  if (spec.has_import()) {
    unit.command.insert(unit.command.end(), {"--operator", jobs::OperatorFileOf(runner)});
  }
  unit.installed = spec.sealed_at();
  unit.jitter = std::chrono::seconds(schedule.jitter_seconds());
  kinds::Job job;
  job.set_name(spec.name());
  job.set_spec(sealed.bytes);
  const auto put = [&](const Result<std::string>& text, auto set) {
    if (text) {
      set(*text);
      return true;
    }
    desired_.diagnostics.Add({.code = diag::code::kNotExpressible,
                              .summary = fmt::format("{} can't be installed", spec.name()),
                              .span = place,
                              .label = text.error().message});
    return false;
  };
  const bool cron = runner.starter() == "cron";
  if (!cron && !put(jobs::RenderService(unit), [&](auto& text) { job.set_service(text); })) {
    return false;
  }
  if (schedule.has_cron()) {
    const auto times =
        jobs::ParseSchedule(schedule.cron(), schedule.has_zone() ? schedule.zone() : "UTC",
                            spec.name(), &desired_.diagnostics);
    if (!times) return false;
    const std::string zone = runner.has_zone() ? runner.zone() : "UTC";
    const bool fine =
        cron
            ? put(jobs::RenderCronLine(*times, unit, zone), [&](auto& text) { job.set_cron(text); })
            : put(jobs::RenderTimer(*times, unit), [&](auto& text) { job.set_timer(text); });
    if (!fine) return false;
    job.set_enabled(enabled);
  } else if (!cron) {
    job.set_timer("");
  }
  Emit(target, job, {source});
  return true;
}

}  // namespace postern::compile
