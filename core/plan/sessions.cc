// Open sessions that end with what their accounts lose.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

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

// Whose sessions end, and which earlier apply left them open; null: none did.
using Endings = std::map<std::pair<access::Place, std::string>, const ledger::OpenIntent*>;

// Its sessions, as an announced end of an earlier apply names them.
std::pair<access::Place, std::string> EndingOf(const ledger::OpenIntent& open) {
  const auto parts = object::SplitKey(open.intent.key);
  return {{open.intent.target, std::string(parts[0])}, std::string(parts[1])};
}

std::string WhichApply(const ledger::OpenIntent& left) {
  return fmt::format("apply {} of {}", left.apply, base::FormatHuman(left.at));
}

}  // namespace

bool CanStillEnd(const ledger::OpenIntent& open, const config::Declarations& declarations) {
  const access::Place place = EndingOf(open).first;
  return compile::TargetOfServer(declarations, place.server) == place.target;
}

// Who loses something by this plan.
std::set<std::pair<access::Place, std::string>> Planner::LosersAtServers() const {
  std::set<std::pair<access::Place, std::string>> losers;
  // Also where somebody keeps it by another account: this one has it no more.
  for (const auto* lines : {&plan_.delta.lost, &plan_.delta.still}) {
    for (const access::AccessChange& lost : *lines) {
      if (!lost.place.server.empty()) losers.insert({lost.place, lost.account});
    }
  }
  for (const Step& step : plan_.steps) {
    if (step.phase != Phase::kRevoke) continue;
    if (step.operation.kind != Kind::kAccount && step.operation.kind != Kind::kSshKey) continue;
    const auto parts = object::SplitKey(step.operation.key);
    losers.insert({{plan_.targets[plan_.changes[step.change].target].name, std::string(parts[0])},
                   std::string(parts[1])});
  }
  return losers;
}

// What an earlier apply announced and never saw done is said, also where it can't be done now.
void Planner::LookAtLeft(const ledger::OpenIntent& left, bool loses) {
  const auto [place, login] = EndingOf(left);
  const auto target =
      std::find_if(plan_.targets.begin(), plan_.targets.end(),
                   [&at = place](const TargetSummary& t) { return t.name == at.target; });
  Look look{fmt::format("sessions of {} at {}: not seen to end since access was taken away", login,
                        place.server),
            "", ""};
  if (!CanStillEnd(left, *in_.declarations)) {
    look.detail = fmt::format("{} left them; {} isn't declared any more: end them there by hand",
                              WhichApply(left), place.server);
  } else if (target == plan_.targets.end()) {
    return;  // not asked for by --target
  } else if (!target->reached) {
    look.detail = fmt::format("{} left them; they end when {} can be reached again",
                              WhichApply(left), place.target);
  } else {
    look.detail = fmt::format("{} left them; whatever is open ends now", WhichApply(left));
    const auto server = after().servers.find(place);
    // Who got access back in the meantime may hold one from before.
    if (!loses && server != after().servers.end() && server->second.IsOpen(login)) {
      look.detail += ", also what was opened with rights given since";
    }
  }
  plan_.looks.push_back(std::move(look));
}

// No daemon ends sessions by itself: whoever loses something is logged out, after the revocations.
// So is whoever lost it by an earlier apply that didn't come to confirm it.
void Planner::EndSessions() {
  Endings endings;
  for (const auto& loser : LosersAtServers()) {
    const auto& [place, login] = loser;
    const observe::ObservedTarget* target = in_.observed->Find(place.target);
    // An account that isn't there has no session to end.
    const auto key = object::MakeKey(Kind::kAccount, {place.server, login});
    if (target == nullptr || target->objects.Find(Kind::kAccount, key) == nullptr) continue;
    endings[loser] = nullptr;
  }
  std::set<std::pair<access::Place, std::string>> told;
  for (const ledger::OpenIntent& open : in_.open_intents) {
    if (open.intent.kind != Kind::kSession) continue;
    const auto whose = EndingOf(open);
    if (!told.insert(whose).second) continue;  // the oldest is told
    LookAtLeft(open, endings.contains(whose));
    if (CanStillEnd(open, *in_.declarations)) endings[whose] = &open;
  }
  for (const auto& [whose, left] : endings) AddEnding(whose.first, whose.second, left);
}

void Planner::AddEnding(const access::Place& place, const std::string& login,
                        const ledger::OpenIntent* left) {
  const auto target = std::find_if(plan_.targets.begin(), plan_.targets.end(),
                                   [&](const TargetSummary& t) { return t.name == place.target; });
  if (target == plan_.targets.end() || !target->reached) return;
  const auto index = static_cast<uint32_t>(target - plan_.targets.begin());
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
  if (left != nullptr) {
    change.cause = WhichApply(*left) + " took access away and never saw them end";
  }
  if (const size_t open = OpenSessions(*observed_[index], place.server, login); open > 0) {
    change.fields.push_back({0, "open", fmt::format("{}", open), "0", true, true, false});
  }
  plan_.changes.push_back(std::move(change));
  AddStep(static_cast<uint32_t>(plan_.changes.size() - 1), Phase::kRevoke, object.body, "", true,
          false);
}

}  // namespace postern::plan
