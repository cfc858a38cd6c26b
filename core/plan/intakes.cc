// What files of others may do to people: a standing way to create and disable them is told like
// access. A change of who may write where files are fetched is told as access to the folder.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/jobs/spec.h"
#include "core/plan/job_parts.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {

using object::Kind;

namespace {

std::string PeopleOf(const decl::Import& import) {
  std::string text = import.what() == "attributes" ? "values of people of " : "people of ";
  text += import.to();
  if (import.has_base()) text += " below " + import.base();
  if (import.has_partition()) text += " in partition " + import.partition();
  return text;
}

// What a second person must release.
std::vector<std::string> HeldBeyond(const decl::Import& import) {
  const decl::Thresholds most = jobs::ThresholdsOf(import);
  const auto& may = import.may().values();
  const auto has = [&](const char* act) {
    return std::find(may.begin(), may.end(), act) != may.end();
  };
  std::vector<std::string> out;
  if (has("create")) out.push_back(fmt::format("{} new", most.create()));
  if (has("disable")) {
    out.push_back(fmt::format("{} or {} % disabled", most.disable(), most.disable_percent()));
  }
  if (has("update")) out.push_back(fmt::format("{} % changed", most.change_percent()));
  out.push_back(fmt::format("{} % of its rows refused", most.reject_percent()));
  out.push_back(fmt::format("{} % more or fewer rows", most.rows_percent()));
  const auto& roles = import.roles().values();
  out.push_back(roles.empty()
                    ? "anybody's coming into a role"
                    : fmt::format("anybody's coming into a role but {}", fmt::join(roles, ", ")));
  return out;
}

struct Taken {
  Intake line;
  std::string as, server, folder;  // of a managed server, whose writers are asked for
};

std::optional<Taken> TakenBy(std::string_view body) {
  if (body.empty()) return std::nullopt;
  const auto job = object::DecodeAs<kinds::Job>(body);
  const auto spec = jobs::ParseSpec(job.spec());
  if (!spec || !spec->has_import()) return std::nullopt;
  const decl::Import& import = spec->import();
  const decl::Endpoint& endpoint = spec->endpoint();
  if (job.has_enabled() && !job.enabled()) return std::nullopt;
  if (import.has_enabled() && !import.enabled()) return std::nullopt;
  Taken out;
  out.as = import.as();
  out.server = endpoint.server();
  out.folder = object::Normalise(object::Comparator::kPath, import.fetch().folder());
  Intake& line = out.line;
  line.owner = import.owner();
  if (endpoint.has_for_()) line.writers = {endpoint.for_()};
  line.job = spec->name();
  line.from = fmt::format("{}:{}/{}", endpoint.has_server() ? endpoint.server() : endpoint.name(),
                          out.folder == "/" ? "" : out.folder, import.fetch().pattern());
  line.address = AddressOf(endpoint);
  line.trust = TrustOf(endpoint);
  line.may.assign(import.may().values().begin(), import.may().values().end());
  line.people = PeopleOf(import);
  for (const auto& column : import.columns().values()) line.attributes.push_back(column.to());
  std::sort(line.attributes.begin(), line.attributes.end());
  line.held_beyond = HeldBeyond(import);
  if (endpoint.has_signed_by()) line.signer = "OpenPGP " + endpoint.signed_by();
  return out;
}

bool Same(const Intake& a, const Intake& b) {
  const auto all = [](const Intake& line) {
    return std::tie(line.owner, line.writers, line.from, line.address, line.trust, line.may,
                    line.people, line.attributes, line.held_beyond, line.signer);
  };
  return all(a) == all(b);
}

}  // namespace

// A line for each side of each import that comes, goes or may something else.
void Planner::TellIntakes() {
  const auto tell = [this](Taken taken, const access::World& world, const Change& change,
                           bool gained) {
    if (!taken.server.empty()) {
      auto writers = HoldersIn(world, taken.server, taken.folder, access::Right::kCreate);
      writers.erase(taken.as);
      taken.line.writers.assign(writers.begin(), writers.end());
    }
    taken.line.gained = gained;
    taken.line.reason = change.reason;
    taken.line.place = change.place;
    plan_.intakes.push_back(std::move(taken.line));
  };
  for (const Change& change : plan_.changes) {
    if (change.kind != Kind::kJob || !change.held.empty() || !WritesTarget(change.action)) continue;
    const auto was = TakenBy(change.before);
    const auto is = change.action == Action::kDelete
                        ? std::nullopt
                        : TakenBy(object::Overlay(Kind::kJob, change.before, change.after));
    if (was && is && Same(was->line, is->line)) continue;
    if (was) tell(*was, before_, change, false);
    if (is) tell(*is, after(), change, true);
  }
}

}  // namespace postern::plan
