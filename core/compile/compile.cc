#include <algorithm>

#include "core/compile/compiler.h"
#include "core/object/key_order.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {

Interval Interval::Meet(const Interval& other) const {
  return {std::max(from, other.from), std::min(until, other.until)};
}

std::vector<Interval> Unite(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.from < b.from; });
  std::vector<Interval> out;
  for (const Interval& one : intervals) {
    if (one.empty()) continue;
    const bool touches =
        !out.empty() && (out.back().until == base::kForever || one.from <= out.back().until + 1);
    if (touches) {
      out.back().until = std::max(out.back().until, one.until);
    } else {
      out.push_back(one);
    }
  }
  return out;
}

const DesiredObject* DesiredTarget::Find(object::Kind kind, std::string_view key) const {
  const auto at = std::lower_bound(
      objects.begin(), objects.end(), std::pair(kind, key),
      [](const DesiredObject& object, const std::pair<object::Kind, std::string_view>& wanted) {
        return std::pair<object::Kind, std::string_view>(object.kind, object.key) < wanted;
      });
  return at != objects.end() && at->kind == kind && at->key == key ? &*at : nullptr;
}

const DesiredTarget* Desired::Find(std::string_view target) const {
  for (const DesiredTarget& candidate : targets) {
    if (candidate.name == target) return &candidate;
  }
  return nullptr;
}

const std::string* Desired::DeclaredIdentity(const access::Place& place,
                                             std::string_view account) const {
  const auto there = identities.find(place.server.empty() ? place.target : place.server);
  if (there == identities.end()) return nullptr;
  const auto at = there->second.find(absl::string_view(account.data(), account.size()));
  return at == there->second.end() ? nullptr : &at->second;
}

std::string Desired::IdentityOf(const access::Place& place, std::string_view account) const {
  if (const std::string* declared = DeclaredIdentity(place, account)) return *declared;
  if (place.server.empty()) return place.target + "/" + std::string(account);
  return "account:" + place.server + "/" + std::string(account);
}

std::string OwnerOf(const std::string& address, const std::string& identity) {
  return identity == address ? address : address + " (" + identity + ")";
}

std::string_view IdentityInOwner(std::string_view owner) {
  const size_t open = owner.find(" (");
  if (open == std::string_view::npos || !owner.ends_with(')')) return {};
  return owner.substr(open + 2, owner.size() - open - 3);
}

std::vector<std::string_view> RolesInOwner(std::string_view owner) {
  constexpr std::string_view kRole = "role:";
  std::vector<std::string_view> roles;
  std::string_view rest = owner.substr(0, owner.find(" ("));
  while (rest.starts_with(kRole)) {
    const size_t end = rest.find(',');
    roles.push_back(rest.substr(kRole.size(), end - kRole.size()));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return roles;
}

const ByFact* Desired::FactsBehind(const Provenance& provenance) const {
  return provenance.by_fact == 0 ? nullptr : &by_facts[provenance.by_fact - 1];
}

std::string Desired::OwnerOfSources(const SourceList& sources) const {
  const std::string& first = provenance[sources.front()].owner;
  if (sources.size() == 1) return first;
  std::set<std::string_view> roles;
  std::string_view identity;
  for (const uint32_t source : sources) {
    const std::string& owner = provenance[source].owner;
    for (std::string_view role : RolesInOwner(owner)) {
      roles.insert(role);
      identity = IdentityInOwner(owner);
    }
  }
  if (roles.empty()) return first;
  std::string owner;
  for (std::string_view role : roles) {
    owner += owner.empty() ? "role:" : ",role:";
    owner += role;
  }
  return OwnerOf(owner, std::string(identity));
}

std::string TargetOfServer(const config::Declarations& declarations, std::string_view server) {
  for (const auto& declared : declarations.servers) {
    if (declared.message.name() == server) return "host:" + declared.message.host();
  }
  return "";
}

Compiler::Compiler(const config::Declarations& declarations, const diag::Sources& sources,
                   const Products& products, const Facts& facts)
    : declarations_(declarations), sources_(sources), products_(products), facts_(facts) {}

Desired Compiler::Run() {
  IndexNames();
  for (const auto& host : declarations_.hosts) TargetNamed("host:" + host.message.name());
  for (const auto& directory : declarations_.directories) {
    TargetNamed("directory:" + directory.message.name());
  }
  for (const auto& iam : declarations_.iams) TargetNamed("iam:" + iam.message.name());
  for (const auto& runner : declarations_.runners) TargetNamed("runner:" + runner.message.name());
  const size_t accounts = declarations_.accounts.size(), grants = declarations_.grants.size();
  desired_.provenance.reserve(accounts + grants + declarations_.folders.size() +
                              declarations_.users.size() + declarations_.iam_users.size());
  desired_.grants.reserve(grants);
  CompileFolders();
  CompileAccounts();
  CompileDirectory();
  CompileIam();
  CompileRoles();
  CompileGrants();
  FitServers();
  CompileJobs();
  for (DesiredTarget& target : desired_.targets) object::SortByKey(&target.objects);
  std::sort(desired_.targets.begin(), desired_.targets.end(),
            [](const DesiredTarget& a, const DesiredTarget& b) { return a.name < b.name; });
  return std::move(desired_);
}

uint32_t Compiler::AddProvenance(std::string owner, const diag::Span& span, base::Instant until,
                                 std::string ticket, std::string reason) {
  Provenance provenance;
  provenance.owner = std::move(owner);
  provenance.span = span;
  provenance.until = until;
  provenance.ticket = std::move(ticket);
  provenance.reason = std::move(reason);
  desired_.provenance.push_back(std::move(provenance));
  return static_cast<uint32_t>(desired_.provenance.size() - 1);
}

// The same reason with another end: one of what it gives ends when the others don't.
uint32_t Compiler::WithEnd(uint32_t source, base::Instant until) {
  Provenance own = desired_.provenance[source];
  own.until = until;
  desired_.provenance.push_back(std::move(own));
  return static_cast<uint32_t>(desired_.provenance.size() - 1);
}

void Compiler::Emit(const std::string& target, const google::protobuf::Message& message,
                    SourceList sources) {
  const object::ObjectView object = object::Encode(message, &desired_.bytes);
  TargetNamed(target).objects.push_back({object.kind, object.key, object.body, std::move(sources)});
}

void Compiler::NoteOffTime(const std::string& target, object::ObjectKey key,
                           const Interval& interval, uint32_t source, const RoleInfo* role) {
  if (interval.Holds(facts_.now)) return;
  const bool over = facts_.now > interval.until;
  OffTime off{target, std::move(key), over ? interval.until : interval.from, "",
              desired_.provenance[source].span};
  if (role != nullptr && off.at == (over ? role->interval.until : role->interval.from)) {
    off.whose = "role " + role->declared->message.name();
    off.span =
        role->declared->At(over ? decl::Role::kExpiresFieldNumber : decl::Role::kStartsFieldNumber);
  }
  (over ? desired_.expired : desired_.ahead).push_back(std::move(off));
}

void Compiler::SetAuthority(const std::string& target, object::Kind kind, std::string container,
                            Authority authority) {
  auto& all = TargetNamed(target).authority;
  all.insert_or_assign(all.end(), {kind, std::move(container)}, authority);
}

DesiredTarget& Compiler::TargetNamed(const std::string& name) {
  const auto [at, fresh] = target_index_.try_emplace(name, desired_.targets.size());
  if (fresh) {
    desired_.targets.emplace_back();
    desired_.targets.back().name = name;
    // About as many as last time: a list that grows by doubling moves every object.
    if (facts_.recorded != nullptr) {
      const auto recorded = facts_.recorded->find(name);
      if (recorded != facts_.recorded->end()) {
        desired_.targets.back().objects.reserve(recorded->second.size());
      }
    }
  }
  return desired_.targets[at->second];
}

const std::vector<std::string>& Compiler::RootsOf(const std::string& host) {
  const auto [at, fresh] = roots_.try_emplace(host);
  if (fresh && hosts_.contains(host)) {
    for (const std::string& root : hosts_.at(host)->message.manage().roots().values()) {
      at->second.push_back(object::Normalise(object::Comparator::kPath, root));
    }
  }
  return at->second;
}

// What the product says of itself, where the server wasn't asked.
const std::vector<object::Capability>& Compiler::StaticCapabilities(
    const std::string& server) const {
  const auto [at, fresh] = static_capabilities_.try_emplace(server);
  const auto declared = servers_.find(server);
  if (!fresh || declared == servers_.end()) return at->second;
  const auto product = products_.find(declared->second->message.product());
  if (product == products_.end()) return at->second;
  for (const access::Capability& row : product->second->Capabilities()) {
    at->second.push_back({.kind = row.kind,
                          .field = row.field,
                          .server = server,
                          .support = std::string(access::NameOf(row.support)),
                          .widens_to = {},
                          .why = row.why,
                          .alternatives = row.alternatives});
  }
  return at->second;
}

const object::Capability* Compiler::FindCapability(const std::string& server, std::string_view kind,
                                                   std::string_view field) const {
  const auto probed = facts_.capabilities.find(server);
  const auto& rows =
      probed == facts_.capabilities.end() ? StaticCapabilities(server) : probed->second;
  for (const object::Capability& capability : rows) {
    const bool here = capability.server.empty() || capability.server == server;
    if (here && capability.kind == kind && capability.field == field) return &capability;
  }
  return nullptr;
}

// Whether a login sees its own folder as the root. True where the server says nothing of it.
bool Compiler::Confines(const std::string& server) {
  const auto [at, fresh] = confined_.try_emplace(server, true);
  if (fresh) {
    const object::Capability* chroot = FindCapability(server, "account", "chroot");
    at->second = chroot == nullptr || chroot->support != "unsupported";
  }
  return at->second;
}

bool Compiler::TakesGroups(const std::string& server) const {
  const auto at = servers_.find(server);
  if (at == servers_.end()) return true;
  const auto product = products_.find(at->second->message.product());
  return product == products_.end() || product->second->TakesGroups();
}

Desired Compile(const config::Declarations& declarations, const diag::Sources& sources,
                const Products& products, const Facts& facts) {
  return Compiler(declarations, sources, products, facts).Run();
}

}  // namespace postern::compile
