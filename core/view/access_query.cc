#include "core/view/access_query.h"

#include <algorithm>

#include "core/compile/identity.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using access::AccountState;
using access::GrantRow;
using access::Place;
using object::Kind;

std::string ClosedBecause(const AccountState& state) {
  if (!state.enabled) return "locked";
  return state.open() ? "" : "no key, no password";
}

bool Names(std::string_view asked, const std::string& identity, const Place& place,
           std::string_view account) {
  if (asked == identity) return true;
  // Without the source's own id, which nobody types.
  const compile::FactIdentityParts fact = compile::SplitFactIdentity(identity);
  if (!fact.target.empty() && asked == std::string(fact.target) + "/" + std::string(fact.name)) {
    return true;
  }
  if (asked.find(':') == std::string_view::npos && WhoIs(identity).name == asked) return true;
  const std::string login = place.server + "/" + std::string(account);
  return asked == login || asked == "account:" + login || asked == account;
}

bool Reaches(const GrantRow& row, std::string_view path) {
  if (row.path == path || access::IsWithin(row.path, path)) return true;
  return row.depth == access::Depth::kSubtree && access::IsWithin(path, row.path);
}

void SortRows(std::vector<AccessRow>* rows) {
  std::sort(rows->begin(), rows->end(), [](const AccessRow& a, const AccessRow& b) {
    return std::tie(a.identity, a.place, a.account, a.path, a.depth, a.through) <
           std::tie(b.identity, b.place, b.account, b.path, b.depth, b.through);
  });
}

}  // namespace

// One user is one identity, by what a role gives and by what its source shows.
std::string AccessQuery::IdentityOf(const Place& place, std::string_view account) const {
  if (observed_ != nullptr && place.server.empty() && !desired_.facts.empty() &&
      desired_.DeclaredIdentity(place, account) == nullptr) {
    const observe::ObservedTarget* source = observed_->Find(place.target);
    const Kind kind = place.target.starts_with("iam:") ? Kind::kIamUser : Kind::kUser;
    const object::ObjectView* user =
        source == nullptr ? nullptr : source->objects.Find(kind, account);
    if (user != nullptr && !user->id.empty()) return compile::FactIdentityOf(place.target, *user);
  }
  return desired_.IdentityOf(place, account);
}

void AccessQuery::Cite(std::string_view target, Kind kind, std::string_view key,
                       AccessRow* row) const {
  const compile::DesiredTarget* wanted = desired_.Find(target);
  const compile::DesiredObject* object = wanted == nullptr ? nullptr : wanted->Find(kind, key);
  if (object == nullptr) return;
  for (const uint32_t index : object->sources) {
    const compile::Provenance& source = desired_.provenance[index];
    if (row->declared_at.empty()) {
      row->declared_at = sources_.Place(source.span);
      row->ticket = source.ticket;
      row->closer = source.closer;
      row->until = source.until;
    } else {
      // Two declarations give the row: it ends with the later one.
      row->until = std::max(row->until, source.until);
    }
  }
}

std::vector<AccessRow> AccessQuery::RowsOf(const Place& place, const access::ServerWorld& server,
                                           std::string_view login) const {
  std::vector<AccessRow> rows;
  const AccountState* state = server.FindAccount(login);
  if (state == nullptr || !state->exists) return rows;
  AccessRow base;
  base.identity = IdentityOf(place, login);
  base.place = place;
  base.account = login;
  base.closed = ClosedBecause(*state);
  for (const GrantRow& grant : server.RowsOf(login)) {
    if (grant.rights.empty()) continue;  // the deny-all of a managed root
    AccessRow row = base;
    row.path = grant.path;
    row.depth = grant.depth;
    row.rights = grant.rights;
    const std::string subject = access::Format(grant.subject);
    if (grant.subject.type != access::Subject::Type::kAccount) row.through = subject;
    Cite(place.target, Kind::kGrant,
         object::MakeKey(Kind::kGrant,
                         {place.server, grant.path, access::NameOf(grant.depth), subject}),
         &row);
    rows.push_back(std::move(row));
  }
  if (rows.empty()) {
    Cite(place.target, Kind::kAccount, object::MakeKey(Kind::kAccount, {place.server, login}),
         &base);
    rows.push_back(std::move(base));
  }
  return rows;
}

void AccessQuery::AddEntry(const Place& place, const access::DirectoryWorld& directory,
                           const std::string& dn, std::vector<AccessRow>* rows) const {
  AccessRow base;
  base.identity = IdentityOf(place, dn);
  base.place = place;
  base.account = dn;
  if (!directory.CanLogIn(dn)) base.closed = "locked";
  AccessRow login = base;
  const bool is_iam = place.target.starts_with("iam:");
  if (!is_iam) {
    Cite(place.target, Kind::kUser, object::MakeKey(Kind::kUser, {dn}), &login);
  } else if (dn.starts_with(access::kClientEntry)) {
    Cite(place.target, Kind::kOauthClient, dn.substr(sizeof access::kClientEntry - 1), &login);
  } else {
    Cite(place.target, Kind::kIamUser, dn, &login);
  }
  rows->push_back(std::move(login));
  for (const std::string& group : directory.GroupsOf(dn)) {
    AccessRow row = base;
    row.path = group;
    if (is_iam) {
      row.through = directory.Through(group, dn);
      const std::string member = row.through.empty() ? "user:" + dn : row.through;
      Cite(place.target, Kind::kIamMembership,
           object::MakeKey(Kind::kIamMembership, {group, member}), &row);
    } else {
      Cite(place.target, Kind::kMembership, object::MakeKey(Kind::kMembership, {group, dn}), &row);
    }
    rows->push_back(std::move(row));
  }
}

std::vector<AccessRow> AccessQuery::Who(std::string_view target, std::string_view path) const {
  std::vector<AccessRow> rows;
  for (const auto& [place, server] : world_.servers) {
    if (place.target != target) continue;
    for (const auto& [login, state] : server.accounts()) {
      const std::vector<GrantRow> all = server.RowsOf(login);
      const bool any = std::any_of(all.begin(), all.end(),
                                   [&](const GrantRow& row) { return Reaches(row, path); });
      if (!any) continue;
      for (AccessRow& row : RowsOf(place, server, login)) {
        if (row.path.empty()) continue;
        if (Reaches({row.path, row.depth, {}, row.rights}, path)) rows.push_back(std::move(row));
      }
    }
  }
  SortRows(&rows);
  return rows;
}

std::vector<AccessRow> AccessQuery::What(std::string_view identity) const {
  std::vector<AccessRow> rows;
  for (const auto& [place, server] : world_.servers) {
    for (const auto& [login, state] : server.accounts()) {
      if (!Names(identity, IdentityOf(place, login), place, login)) continue;
      for (AccessRow& row : RowsOf(place, server, login)) rows.push_back(std::move(row));
    }
  }
  for (const auto& [target, directory] : world_.directories) {
    const Place place{target, ""};
    for (const auto& [dn, enabled] : directory.users()) {
      if (!Names(identity, IdentityOf(place, dn), place, dn)) continue;
      AddEntry(place, directory, dn, &rows);
    }
  }
  SortRows(&rows);
  return rows;
}

access::World DeclaredWorld(const compile::Desired& desired) {
  access::World world;
  for (const compile::DesiredTarget& target : desired.targets) {
    for (const compile::DesiredObject& object : target.objects) {
      world.Put(target.name, object.kind, object.key, object.body, true);
    }
  }
  return world;
}

access::World LiveWorld(const observe::Observed& observed) {
  access::World world;
  for (const observe::ObservedTarget& target : observed.targets) {
    for (const object::ObjectView& object : target.objects.all()) {
      world.Put(target.name, object.kind, object.key, object.body, true);
    }
  }
  return world;
}

}  // namespace postern::view
