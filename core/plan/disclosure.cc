// What jobs give to whoever reads at a foreign place, or in a folder of a managed server: rows and
// columns are access like a grant, and so is who can decrypt them and where they go. A change of
// who reads there is told as access to the folder.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/access/at_cell.h"
#include "core/jobs/spec.h"
#include "core/plan/job_parts.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {

using object::Kind;

namespace {

// What of a job somebody gets; nothing where it is off or delivers to nobody else.
struct Given {
  std::string to, server;                        // the identity that reads there; a managed server
  std::string as, endpoint, folder, file, rows;  // `rows`: which, as text
  std::string address, trust;                    // how it gets there
  std::set<std::string> recipients;              // who can decrypt it; none: it is in the clear
  std::set<std::string> columns;
  bool SameAs(const Given& other) const {
    return to == other.to && server == other.server && folder == other.folder &&
           rows == other.rows && address == other.address && trust == other.trust &&
           recipients == other.recipients;
  }
};

std::string Text(const decl::Select& select) {
  std::vector<std::string> parts;
  const auto add = [&](bool has, std::string_view name, const std::string& value) {
    if (has) parts.push_back(fmt::format("{} {}", name, value));
  };
  add(select.has_base(), "below", select.base());
  add(select.has_partition(), "in partition", select.partition());
  add(select.has_group(), "in group", select.group());
  const decl::Where& where = select.where();
  add(where.has_department(), "of department", where.department());
  add(where.has_division(), "of division", where.division());
  add(where.has_organization(), "of organization", where.organization());
  add(where.has_cost_center(), "of cost center", where.cost_center());
  add(where.has_title(), "with title", where.title());
  add(where.has_user_type(), "of type", where.user_type());
  add(where.has_employee_number(), "with employee number", where.employee_number());
  add(where.has_external_id(), "with external id", where.external_id());
  add(where.has_user_name(), "with login", where.user_name());
  add(where.has_mail(), "with mail", where.mail());
  for (const std::string& server : select.servers().values()) add(true, "at", server);
  for (const std::string& folder : select.folders().values()) add(true, "on", folder);
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string RowsOf(const decl::Export& job) {
  if (job.what() == "distribution") {
    return fmt::format("files {}/{}{}", job.files().folder(),
                       job.files().has_pattern() ? job.files().pattern() : "*",
                       job.files().below() ? " and below" : "");
  }
  const bool people = job.what() == "users";
  const std::string status = job.select().has_status() ? job.select().status() : "active";
  const std::string which = Text(job.select());
  return fmt::format("{}{} of {}{}", people && status != "all" ? status + " " : "", job.what(),
                     fmt::join(job.from().values(), ", "), which.empty() ? "" : " " + which);
}

std::optional<Given> GivenBy(std::string_view body) {
  if (body.empty()) return std::nullopt;
  const auto job = object::DecodeAs<kinds::Job>(body);
  if (job.has_enabled() && !job.enabled()) return std::nullopt;
  const auto spec = jobs::ParseSpec(job.spec());
  if (!spec || !spec->has_export_()) return std::nullopt;
  if (!spec->endpoint().has_for_() && !spec->endpoint().has_server()) return std::nullopt;
  const decl::Export& what = spec->export_();
  if (what.has_enabled() && !what.enabled()) return std::nullopt;
  Given given;
  given.to = spec->endpoint().for_();
  given.server = spec->endpoint().server();
  given.as = what.as();
  given.endpoint = spec->endpoint().name();
  given.folder = object::Normalise(object::Comparator::kPath, what.deliver().folder());
  given.address = AddressOf(spec->endpoint());
  given.trust = TrustOf(spec->endpoint());
  for (const std::string& key : what.encrypt().age().values()) given.recipients.insert(key);
  for (const std::string& key : what.encrypt().openpgp().values()) {
    given.recipients.insert("OpenPGP " + key);
  }
  given.file = what.deliver().name();
  given.rows = RowsOf(what);
  for (const auto& column : what.columns().values()) {
    if (!column.has_from()) continue;
    const auto& steps = column.transform().values();
    const bool hashed = std::find(steps.begin(), steps.end(), "hash") != steps.end();
    const bool masked = std::find(steps.begin(), steps.end(), "mask") != steps.end();
    given.columns.insert(column.from() + (hashed                ? " (hashed)"
                                          : masked              ? " (masked)"
                                          : column.has_lookup() ? " (looked up)"
                                                                : ""));
  }
  return given;
}

// Of rows of one directory or IAM system without a selection but a base: how many there are now.
std::optional<uint64_t> CountRows(const observe::Observed& observed, const job::JobSpec& spec) {
  const decl::Export& job = spec.export_();
  if (job.what() != "users" || job.from().values_size() != 1) return std::nullopt;
  const decl::Select& select = job.select();
  if (select.has_where() || select.has_group() || select.has_partition()) return std::nullopt;
  const observe::ObservedTarget* source = observed.Find(job.from().values(0));
  if (source == nullptr || !source->reached) return std::nullopt;
  const bool iam = source->name.starts_with("iam:");
  const std::string base = object::Normalise(object::Comparator::kDn, select.base());
  uint64_t count = 0;
  for (const object::ObjectView& user :
       source->objects.OfKind(iam ? Kind::kIamUser : Kind::kUser)) {
    const bool below = base.empty() || user.key == base || user.key.ends_with("," + base);
    const bool active = FlagIn(user.body, EnabledFieldOf(user.kind), true);
    const std::string status = select.has_status() ? select.status() : "active";
    count += below && (status == "all" || active == (status == "active")) ? 1 : 0;
  }
  return count;
}

std::set<std::string> Without(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::set<std::string> out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(out, out.end()));
  return out;
}

Disclosure LineOf(const Given& given, const Change& change, bool gained,
                  const std::set<std::string>& columns) {
  Disclosure line;
  line.gained = gained;
  line.job = change.key;
  line.endpoint =
      given.server.empty() ? given.endpoint : fmt::format("{} at {}", given.folder, given.server);
  line.file = given.file;
  line.rows = given.rows;
  if (given.server.empty()) line.folder = given.folder;
  line.address = given.address;
  line.trust = given.trust;
  line.recipients.assign(given.recipients.begin(), given.recipients.end());
  line.columns.assign(columns.begin(), columns.end());
  line.reason = change.reason;
  line.place = change.place;
  return line;
}

}  // namespace

// Identities that may do that with files in the folder, at any server of its host.
std::set<std::string> Planner::HoldersIn(const access::World& world, const std::string& server,
                                         const std::string& folder, access::Right right) const {
  std::set<std::string> holders;
  const std::string host = compile::TargetOfServer(*in_.declarations, server);
  for (const auto& [place, there] : world.servers) {
    if (place.target != host) continue;
    for (const std::string& login :
         access::LoginsWith(there, {folder, access::Part::kEntries}, right)) {
      holders.insert(&world == &before_ ? IdentityBefore(place, login) : IdentityAt(place, login));
    }
  }
  return holders;
}

// A line for each side of each job that changes, and each who reads: whom the place is for, and
// whoever may read in a managed folder. The job's own account has the rows anyway. What stays the
// same in both is no line.
void Planner::TellDisclosures() {
  const auto tell = [this](const Given& given, const access::World& world, Disclosure line) {
    std::set<std::string> readers;
    if (!given.server.empty()) {
      readers = HoldersIn(world, given.server, given.folder, access::Right::kRead);
    }
    readers.erase(given.as);
    if (!given.to.empty()) readers.insert(given.to);
    for (const std::string& reader : readers) {
      line.identity = reader;
      plan_.disclosures.push_back(line);
    }
  };
  for (const Change& change : plan_.changes) {
    if (change.kind != Kind::kJob || !change.held.empty() || !WritesTarget(change.action)) continue;
    const auto was = GivenBy(change.before);
    const auto is = change.action == Action::kDelete
                        ? std::nullopt
                        : GivenBy(object::Overlay(Kind::kJob, change.before, change.after));
    const bool same = was && is && was->SameAs(*is);
    if (was && (!same || !Without(was->columns, is->columns).empty())) {
      const auto columns = same ? Without(was->columns, is->columns) : was->columns;
      tell(*was, before_, LineOf(*was, change, false, columns));
    }
    if (!is || (same && Without(is->columns, was->columns).empty())) continue;
    const auto columns = same ? Without(is->columns, was->columns) : is->columns;
    Disclosure line = LineOf(*is, change, true, columns);
    const auto spec = jobs::ParseSpec(TextIn(change.after, kinds::Job::kSpecFieldNumber));
    if (spec) line.count = CountRows(*in_.observed, *spec);
    tell(*is, after(), std::move(line));
  }
}

// Of a changed specification each field by its name in TOML: a text of ninety lines and its digest
// tell nobody what a job does otherwise.
void Planner::NameSpecFields() {
  for (Change& change : plan_.changes) {
    if (change.kind != Kind::kJob) continue;
    const auto at = std::find_if(change.fields.begin(), change.fields.end(), [](const auto& field) {
      return field.field == kinds::Job::kSpecFieldNumber;
    });
    if (at == change.fields.end()) continue;
    auto fields = SpecDifferences(at->before, at->after);
    if (fields.empty()) continue;
    const auto next = change.fields.erase(at);
    change.fields.insert(next, fields.begin(), fields.end());
  }
}

}  // namespace postern::plan
