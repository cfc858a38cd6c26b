// The plan as a file: everything that apply and show need, under one digest.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "core/plan/plan.h"
#include "schemas/plan.pb.h"

namespace postern::plan {
namespace {

constexpr std::string_view kMagic = "postern plan 1\n";
constexpr std::string_view kFamily = "postern plan ";

void Put(const Change& from, planfile::Change* to) {
  to->set_target(from.target);
  to->set_kind(static_cast<uint32_t>(from.kind));
  to->set_key(from.key);
  to->set_action(static_cast<uint32_t>(from.action));
  to->set_reason(static_cast<uint32_t>(from.reason));
  to->set_before(from.before);
  to->set_after(from.after);
  to->set_old_key(from.old_key);
  to->set_id(from.id);
  for (const object::FieldDifference& field : from.fields) {
    planfile::Field* out = to->add_fields();
    out->set_number(field.field);
    out->set_name(field.name);
    out->set_before(field.before);
    out->set_after(field.after);
    out->set_has_before(field.has_before);
    out->set_has_after(field.has_after);
    out->set_secret(field.secret);
  }
  to->set_owner(from.owner);
  to->set_place(from.place);
  to->set_changed_by(from.changed_by);
  to->set_changed_at(from.changed_at);
  to->set_how_known(from.how_known);
  to->set_held(from.held);
  to->set_retired_at(from.retired_at);
  to->set_secret_desired(from.secret_desired);
  to->set_note(from.note);
  to->set_cause(from.cause);
}

Change Take(const planfile::Change& from) {
  Change to;
  to.target = from.target();
  to.kind = static_cast<object::Kind>(from.kind());
  to.key = from.key();
  to.action = static_cast<Action>(from.action());
  to.reason = static_cast<Reason>(from.reason());
  to.before = from.before();
  to.after = from.after();
  to.old_key = from.old_key();
  to.id = from.id();
  for (const planfile::Field& field : from.fields()) {
    to.fields.push_back({field.number(), field.name(), field.before(), field.after(),
                         field.has_before(), field.has_after(), field.secret()});
  }
  to.owner = from.owner();
  to.place = from.place();
  to.changed_by = from.changed_by();
  to.changed_at = from.changed_at();
  to.how_known = from.how_known();
  to.held = from.held();
  to.retired_at = from.retired_at();
  to.secret_desired = from.secret_desired();
  to.note = from.note();
  to.cause = from.cause();
  return to;
}

void Put(const Step& from, planfile::Step* to) {
  to->set_change(from.change);
  to->set_phase(static_cast<uint32_t>(from.phase));
  to->set_container(from.container);
  to->set_kind(static_cast<uint32_t>(from.operation.kind));
  to->set_key(from.operation.key);
  to->set_before(from.operation.before);
  to->set_after(from.operation.after);
  to->set_expect_id(from.operation.expect_id);
  to->set_new_key(from.operation.new_key);
  for (uint32_t field : from.operation.clear) to->add_clear(field);
  to->set_removes(from.removes);
  to->set_adds(from.adds);
  to->set_component(from.component);
  for (const uint64_t need : from.needs) to->add_needs(need);
}

Step Take(const planfile::Step& from, uint64_t id) {
  Step to;
  to.id = id;
  to.change = from.change();
  to.phase = static_cast<Phase>(from.phase());
  to.container = from.container();
  to.operation.id = id;
  to.operation.kind = static_cast<object::Kind>(from.kind());
  to.operation.key = from.key();
  to.operation.before = from.before();
  to.operation.after = from.after();
  to.operation.expect_id = from.expect_id();
  to.operation.new_key = from.new_key();
  to.operation.clear.assign(from.clear().begin(), from.clear().end());
  to.removes = from.removes();
  to.adds = from.adds();
  to.component = from.component();
  to.needs.assign(from.needs().begin(), from.needs().end());
  return to;
}

void Put(const LimitUse& from, planfile::LimitUse* to) {
  to->set_target(from.target);
  to->set_limit(from.limit);
  to->set_kind(static_cast<uint32_t>(from.kind));
  to->set_used(from.used);
  to->set_population(from.population);
  to->set_allowed(from.allowed);
  to->set_rule(from.rule);
  to->set_given(from.given);
  to->set_place(from.place);
}

LimitUse Take(const planfile::LimitUse& from) {
  LimitUse to;
  to.target = from.target();
  to.limit = from.limit();
  to.kind = static_cast<object::Kind>(from.kind());
  to.used = from.used();
  to.population = from.population();
  to.allowed = from.allowed();
  to.rule = from.rule();
  to.given = from.given();
  to.place = from.place();
  return to;
}

void Put(const TargetSummary& from, planfile::Target* to) {
  to->set_name(from.name);
  to->set_product(from.product);
  to->set_version(from.version);
  to->set_reached(from.reached);
  to->set_error(from.error);
  to->set_took_ms(from.took.count());
  to->mutable_counts()->insert(from.counts.begin(), from.counts.end());
  for (const std::string& line : from.incomplete) to->add_incomplete(line);
  for (const std::string& line : from.unstable) to->add_unstable(line);
  to->set_unreadable_fields(from.unreadable_fields);
  to->mutable_concurrency()->insert(from.concurrency.begin(), from.concurrency.end());
  to->set_people(from.people);
}

TargetSummary Take(const planfile::Target& from) {
  TargetSummary to;
  to.name = from.name();
  to.product = from.product();
  to.version = from.version();
  to.reached = from.reached();
  to.error = from.error();
  to.took = std::chrono::milliseconds(from.took_ms());
  to.counts.insert(from.counts().begin(), from.counts().end());
  to.incomplete.assign(from.incomplete().begin(), from.incomplete().end());
  to.unstable.assign(from.unstable().begin(), from.unstable().end());
  to.unreadable_fields = from.unreadable_fields();
  to.concurrency.insert(from.concurrency().begin(), from.concurrency().end());
  to.people = from.people();
  return to;
}

using Causes = std::map<std::pair<std::string, std::string>, compile::Provenance>;

template <class Lines>
void Put(const std::vector<access::AccessChange>& from, const Causes& causes, Lines* to) {
  for (const access::AccessChange& line : from) {
    planfile::AccessLine* out = to->Add();
    out->set_identity(line.identity);
    out->set_target(line.place.target);
    out->set_server(line.place.server);
    out->set_account(line.account);
    out->set_path(line.path);
    out->set_depth(static_cast<uint32_t>(line.depth));
    out->set_rights(line.rights.bits());
    out->set_everything(line.everything);
    out->set_through(line.through);
    out->set_elsewhere(line.elsewhere);
    out->set_until(base::kForever);
    const auto cause = causes.find({line.identity, line.path});
    if (cause == causes.end()) continue;
    out->set_owner(cause->second.owner);
    out->set_ticket(cause->second.ticket);
    out->set_reason(cause->second.reason);
    out->set_until(cause->second.until);
    out->set_closer(cause->second.closer);
  }
}

template <class Lines>
void Take(const Lines& from, std::vector<access::AccessChange>* to, Causes* causes) {
  for (const planfile::AccessLine& line : from) {
    to->push_back({line.identity(),
                   {line.target(), line.server()},
                   line.account(),
                   line.path(),
                   static_cast<access::Depth>(line.depth()),
                   access::Rights(line.rights()),
                   line.everything(),
                   line.through(),
                   line.elsewhere()});
    if (causes == nullptr || line.owner().empty()) continue;
    compile::Provenance provenance;
    provenance.owner = line.owner();
    provenance.ticket = line.ticket();
    provenance.reason = line.reason();
    provenance.until = line.until();
    provenance.closer = line.closer();
    (*causes)[{line.identity(), line.path()}] = provenance;
  }
}

void Put(const Drift& from, planfile::Drift* to) {
  to->set_target(from.target);
  to->set_kind(static_cast<uint32_t>(from.kind));
  to->set_key(from.key);
  to->set_effect(static_cast<uint32_t>(from.effect));
  to->set_type(static_cast<uint32_t>(from.type));
  to->set_what(from.what);
  to->set_who(from.who);
  to->set_changed_by(from.changed_by);
  to->set_changed_at(from.changed_at);
  to->set_how_known(from.how_known);
  to->set_note(from.note);
  Put(from.access.gained, {}, to->mutable_more());
  Put(from.access.lost, {}, to->mutable_less());
}

Drift Take(const planfile::Drift& from) {
  Drift to;
  to.target = from.target();
  to.kind = static_cast<object::Kind>(from.kind());
  to.key = from.key();
  to.effect = static_cast<Drift::Effect>(from.effect());
  to.type = static_cast<Drift::Type>(from.type());
  to.what = from.what();
  to.who = from.who();
  to.changed_by = from.changed_by();
  to.changed_at = from.changed_at();
  to.how_known = from.how_known();
  to.note = from.note();
  Take(from.more(), &to.access.gained, nullptr);
  Take(from.less(), &to.access.lost, nullptr);
  return to;
}

void Put(const FactSummary& from, planfile::Fact* to) {
  to->set_target(from.target);
  to->set_count(from.count);
  to->set_at(from.at);
  to->set_held(from.held);
  to->set_roles(from.roles);
  to->set_identities(from.identities);
}

void Put(const RoleNote& from, planfile::RoleNote* to) {
  to->set_role(from.role);
  to->set_identity(from.identity);
  to->set_why(from.why);
  to->set_place(from.place);
  to->set_held(from.held);
}

bool Consistent(const planfile::PlanFile& file) {
  for (const planfile::Change& change : file.changes()) {
    if (change.target() >= static_cast<uint32_t>(file.targets_size())) return false;
    if (object::FindKind(change.kind()) == nullptr) return false;
  }
  for (const planfile::Step& step : file.steps()) {
    if (step.change() >= static_cast<uint32_t>(file.changes_size())) return false;
    if (object::FindKind(step.kind()) == nullptr) return false;
    if (step.phase() > static_cast<uint32_t>(Phase::kRetire)) return false;
    for (const uint64_t need : step.needs()) {
      if (need == 0 || need > static_cast<uint64_t>(file.steps_size())) return false;
    }
  }
  return file.intent().size() == sizeof(base::Digest);
}

// Maps in order of their keys: SerializeAsString writes them as its hash table has them.
std::string Serialise(const planfile::PlanFile& file) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    file.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

std::string Save(const Plan& plan) {
  planfile::PlanFile file;
  file.set_created(plan.created);
  file.set_as_of(plan.as_of);
  file.set_as_of_given(plan.as_of_given);
  file.set_revision(plan.revision);
  file.set_ledger_id(plan.ledger_id);
  file.set_generation(plan.generation);
  file.set_declarations_digest(plan.declarations_digest);
  for (const auto& target : plan.targets) Put(target, file.add_targets());
  for (const auto& change : plan.changes) Put(change, file.add_changes());
  for (const auto& step : plan.steps) Put(step, file.add_steps());
  for (const auto& drift : plan.drift) Put(drift, file.add_drift());
  Put(plan.delta.lost, plan.lost_by, file.mutable_lost());
  Put(plan.delta.gained, plan.gained_by, file.mutable_gained());
  Put(plan.delta.still, {}, file.mutable_still());
  Put(plan.delta.already, {}, file.mutable_already());
  Put(plan.held_delta.lost, {}, file.mutable_held_lost());
  Put(plan.held_delta.gained, {}, file.mutable_held_gained());
  for (const FactSummary& fact : plan.facts) Put(fact, file.add_facts());
  for (const RoleNote& note : plan.role_notes) Put(note, file.add_role_notes());
  for (const Look& look : plan.looks) {
    auto* out = file.add_looks();
    out->set_what(look.what);
    out->set_detail(look.detail);
    out->set_place(look.place);
  }
  for (const LimitUse& use : plan.limits) Put(use, file.add_limits());
  for (const Refusal& refusal : plan.refusals) {
    auto* out = file.add_refusals();
    out->set_target(refusal.target);
    out->set_limit(refusal.limit);
    out->set_text(refusal.text);
    out->set_place(refusal.place);
  }
  for (const Expectation& expectation : plan.read_set) {
    auto* out = file.add_read_set();
    out->set_target(expectation.target);
    out->set_kind(static_cast<uint32_t>(expectation.kind));
    out->set_key(expectation.key);
    out->set_present(expectation.present);
    out->set_digest(expectation.digest);
  }
  for (const auto& [server, uid] : plan.new_uids) {
    auto* out = file.add_new_uids();
    out->set_server(server);
    out->set_uid(uid);
  }
  for (const ledger::Census& census : plan.census) {
    auto* out = file.add_census();
    out->set_target(census.target);
    out->set_kind(static_cast<uint32_t>(census.kind));
    out->set_scope(census.scope);
    out->set_count(census.count);
  }
  file.set_intent(plan.intent.data(), plan.intent.size());
  const std::string body = Serialise(file);
  const base::Digest digest = base::Sha256(body);
  return std::string(kMagic) +
         std::string(reinterpret_cast<const char*>(digest.data()), digest.size()) + body;
}

Result<Plan> Load(std::string_view bytes) {
  if (!bytes.starts_with(kFamily)) return Fail(ErrorCode::kInvalid, "this is not a plan file");
  if (!bytes.starts_with(kMagic)) {
    return Fail(ErrorCode::kUnsupported, "this plan file was written by a newer Postern");
  }
  bytes.remove_prefix(kMagic.size());
  if (bytes.size() < sizeof(base::Digest)) {
    return Fail(ErrorCode::kIncomplete, "the plan file is cut short");
  }
  const std::string_view digest = bytes.substr(0, sizeof(base::Digest));
  const std::string_view body = bytes.substr(sizeof(base::Digest));
  const base::Digest actual = base::Sha256(body);
  planfile::PlanFile file;
  if (digest != std::string_view(reinterpret_cast<const char*>(actual.data()), actual.size()) ||
      !file.ParseFromArray(body.data(), static_cast<int>(body.size())) || !Consistent(file)) {
    return Fail(ErrorCode::kIncomplete, "the plan file isn't what was saved");
  }
  Plan plan;
  plan.created = file.created();
  plan.as_of = file.as_of();
  plan.as_of_given = file.as_of_given();
  plan.revision = file.revision();
  plan.ledger_id = file.ledger_id();
  plan.generation = file.generation();
  plan.declarations_digest = file.declarations_digest();
  for (const auto& target : file.targets()) plan.targets.push_back(Take(target));
  for (const auto& change : file.changes()) plan.changes.push_back(Take(change));
  for (const auto& step : file.steps()) plan.steps.push_back(Take(step, plan.steps.size() + 1));
  for (const auto& drift : file.drift()) plan.drift.push_back(Take(drift));
  Take(file.lost(), &plan.delta.lost, &plan.lost_by);
  Take(file.gained(), &plan.delta.gained, &plan.gained_by);
  Take(file.still(), &plan.delta.still, nullptr);
  Take(file.already(), &plan.delta.already, nullptr);
  Take(file.held_lost(), &plan.held_delta.lost, nullptr);
  Take(file.held_gained(), &plan.held_delta.gained, nullptr);
  for (const auto& fact : file.facts()) {
    plan.facts.push_back(
        {fact.target(), fact.count(), fact.at(), fact.held(), fact.roles(), fact.identities()});
  }
  for (const auto& note : file.role_notes()) {
    plan.role_notes.push_back(
        {note.role(), note.identity(), note.why(), note.place(), note.held()});
  }
  for (const auto& look : file.looks()) {
    plan.looks.push_back({look.what(), look.detail(), look.place()});
  }
  for (const auto& use : file.limits()) plan.limits.push_back(Take(use));
  for (const auto& refusal : file.refusals()) {
    plan.refusals.push_back({refusal.target(), refusal.limit(), refusal.text(), refusal.place()});
  }
  for (const auto& expectation : file.read_set()) {
    Expectation out;
    out.target = expectation.target();
    out.kind = static_cast<object::Kind>(expectation.kind());
    out.key = expectation.key();
    out.present = expectation.present();
    out.digest = expectation.digest();
    plan.read_set.push_back(std::move(out));
  }
  for (const auto& uid : file.new_uids()) plan.new_uids.emplace_back(uid.server(), uid.uid());
  for (const auto& census : file.census()) {
    plan.census.push_back({census.target(), static_cast<object::Kind>(census.kind()),
                           census.scope(), census.count()});
  }
  std::copy(file.intent().begin(), file.intent().end(), plan.intent.begin());
  return plan;
}

}  // namespace postern::plan
