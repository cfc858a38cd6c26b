// core/plan/plan_messages.h: the parts of a plan as messages of its file, and back.
//
// Internal to plan_file.cc, which knows the whole and its digest. Pure; any thread. Take() believes
// what it is given: numbers are checked before.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/plan/plan.h"
#include "schemas/plan.pb.h"

namespace postern::plan {

void Put(const Change& from, planfile::Change* to);
Change Take(const planfile::Change& from);

void Put(const Step& from, planfile::Step* to);
Step Take(const planfile::Step& from, uint64_t id);

void Put(const LimitUse& from, planfile::LimitUse* to);
LimitUse Take(const planfile::LimitUse& from);

void Put(const TargetSummary& from, planfile::Target* to);
TargetSummary Take(const planfile::Target& from);

// Lines of a delta, each with its cause where there is one: by identity and path.
using Causes = std::map<std::pair<std::string, std::string>, compile::Provenance>;
using AccessLines = google::protobuf::RepeatedPtrField<planfile::AccessLine>;
void Put(const std::vector<access::AccessChange>& from, const Causes& causes, AccessLines* to);
// `causes` may be null.
void Take(const AccessLines& from, std::vector<access::AccessChange>* to, Causes* causes);

void Put(const Drift& from, planfile::Drift* to);
Drift Take(const planfile::Drift& from);

void Put(const FactSummary& from, planfile::Fact* to);
void Put(const RoleNote& from, planfile::RoleNote* to);

void Put(const Disclosure& from, planfile::Disclosure* to);
Disclosure Take(const planfile::Disclosure& from);

void Put(const Intake& from, planfile::Intake* to);
Intake Take(const planfile::Intake& from);

}  // namespace postern::plan
