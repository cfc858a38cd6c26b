// Open sessions that end with what their accounts lose.
#include <fmt/format.h>

#include <algorithm>

#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {

using object::Kind;

namespace {

// How many sessions of the login were open when the world was observed.
size_t OpenSessions(const observe::ObservedTarget& target, const std::string& server,
                    const std::string& login) {
  const std::string prefix = object::MakeKey(Kind::kSession, {server, login, ""});
  size_t open = 0;
  for (const object::ObjectView& session : target.objects.OfKind(Kind::kSession)) {
    open += session.key.starts_with(prefix) ? 1 : 0;
  }
  return open;
}

}  // namespace

// No daemon ends sessions by itself: whoever loses something is logged out, after the revocations.
void Planner::EndSessions() {
  std::set<std::pair<access::Place, std::string>> losers;
  // Also where somebody keeps it by another account: this one has it no more.
  for (const auto* lines : {&plan_.delta.lost, &plan_.delta.still}) {
    for (const access::AccessChange& lost : *lines) {
      if (!lost.place.server.empty()) losers.insert({lost.place, lost.account});
    }
  }
  for (uint32_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    if (step.phase != Phase::kRevoke) continue;
    if (step.operation.kind != Kind::kAccount && step.operation.kind != Kind::kSshKey) continue;
    const auto parts = object::SplitKey(step.operation.key);
    losers.insert({{plan_.targets[plan_.changes[step.change].target].name, std::string(parts[0])},
                   std::string(parts[1])});
  }
  for (const auto& [place, login] : losers) {
    const auto target =
        std::find_if(plan_.targets.begin(), plan_.targets.end(),
                     [&at = place](const TargetSummary& t) { return t.name == at.target; });
    if (target == plan_.targets.end() || !target->reached) continue;
    const auto index = static_cast<uint32_t>(target - plan_.targets.begin());
    // An account that isn't there has no session to end.
    const auto key = object::MakeKey(Kind::kAccount, {place.server, login});
    if (observed_[index]->objects.Find(Kind::kAccount, key) == nullptr) continue;
    kinds::Session session;
    session.set_server(place.server);
    session.set_login(login);
    session.set_session("*");  // all of this login, as listed when the step runs
    const object::Object object = object::Encode(session);
    Change change;
    change.target = index;
    change.kind = Kind::kSession;
    change.key = object.key;
    change.action = Action::kEnd;
    change.reason = Reason::kConsequence;
    change.before = object.body;
    if (const size_t open = OpenSessions(*observed_[index], place.server, login); open > 0) {
      change.fields.push_back({0, "open", fmt::format("{}", open), "0", true, true, false});
    }
    plan_.changes.push_back(std::move(change));
    AddStep(static_cast<uint32_t>(plan_.changes.size() - 1), Phase::kRevoke, object.body, "", true,
            false);
  }
}

}  // namespace postern::plan
