// The plan as a file: everything that apply and show need, under one digest.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "core/plan/plan_messages.h"

namespace postern::plan {
namespace {

constexpr std::string_view kMagic = "postern plan 1\n";
constexpr std::string_view kFamily = "postern plan ";

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
  for (const Disclosure& line : plan.disclosures) Put(line, file.add_disclosures());
  for (const Intake& line : plan.intakes) Put(line, file.add_intakes());
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
  for (const auto& line : file.disclosures()) plan.disclosures.push_back(Take(line));
  for (const auto& line : file.intakes()) plan.intakes.push_back(Take(line));
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
