#include "core/plan/plan_messages.h"

namespace postern::plan {

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
  if (~from.owned != 0) to->set_owned(from.owned);
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
  if (from.has_owned()) to.owned = from.owned();
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

void Put(const std::vector<access::AccessChange>& from, const Causes& causes, AccessLines* to) {
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

void Take(const AccessLines& from, std::vector<access::AccessChange>* to, Causes* causes) {
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

void Put(const Disclosure& from, planfile::Disclosure* to) {
  to->set_gained(from.gained);
  to->set_identity(from.identity);
  to->set_job(from.job);
  to->set_endpoint(from.endpoint);
  to->set_file(from.file);
  to->set_rows(from.rows);
  for (const std::string& column : from.columns) to->add_columns(column);
  if (from.count) to->set_count(*from.count);
  to->set_reason(static_cast<uint32_t>(from.reason));
  to->set_place(from.place);
  to->set_folder(from.folder);
  to->set_address(from.address);
  to->set_trust(from.trust);
  for (const std::string& recipient : from.recipients) to->add_recipients(recipient);
}

Disclosure Take(const planfile::Disclosure& from) {
  Disclosure to;
  to.gained = from.gained();
  to.identity = from.identity();
  to.job = from.job();
  to.endpoint = from.endpoint();
  to.file = from.file();
  to.rows = from.rows();
  to.columns.assign(from.columns().begin(), from.columns().end());
  if (from.has_count()) to.count = from.count();
  to.reason = static_cast<Reason>(from.reason());
  to.place = from.place();
  to.folder = from.folder();
  to.address = from.address();
  to.trust = from.trust();
  to.recipients.assign(from.recipients().begin(), from.recipients().end());
  return to;
}

void Put(const Intake& from, planfile::Intake* to) {
  to->set_gained(from.gained);
  to->set_owner(from.owner);
  for (const std::string& writer : from.writers) to->add_writers(writer);
  to->set_job(from.job);
  to->set_from(from.from);
  to->set_address(from.address);
  to->set_trust(from.trust);
  for (const std::string& act : from.may) to->add_may(act);
  to->set_people(from.people);
  for (const std::string& attribute : from.attributes) to->add_attributes(attribute);
  for (const std::string& bound : from.held_beyond) to->add_held_beyond(bound);
  to->set_signer(from.signer);
  to->set_reason(static_cast<uint32_t>(from.reason));
  to->set_place(from.place);
}

Intake Take(const planfile::Intake& from) {
  Intake to;
  to.gained = from.gained();
  to.owner = from.owner();
  to.writers.assign(from.writers().begin(), from.writers().end());
  to.job = from.job();
  to.from = from.from();
  to.address = from.address();
  to.trust = from.trust();
  to.may.assign(from.may().begin(), from.may().end());
  to.people = from.people();
  to.attributes.assign(from.attributes().begin(), from.attributes().end());
  to.held_beyond.assign(from.held_beyond().begin(), from.held_beyond().end());
  to.signer = from.signer();
  to.reason = static_cast<Reason>(from.reason());
  to.place = from.place();
  return to;
}

}  // namespace postern::plan
