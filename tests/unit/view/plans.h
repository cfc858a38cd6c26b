// tests/unit/view/plans.h: plans made by hand, for golden text.
#pragma once
#include <fmt/format.h>

#include <algorithm>

#include "core/plan/plan.h"
#include "schemas/kinds.pb.h"

namespace postern::view {

inline const base::Instant kNow = *base::ParseInstant("2026-11-21T18:40:00Z");

inline access::AccessChange Lost(const std::string& identity, const std::string& login,
                                 const std::string& path, access::Rights rights) {
  access::AccessChange change;
  change.identity = identity;
  change.place = {"host:edge", "edge-ftp"};
  change.account = login;
  change.path = path;
  change.rights = rights;
  return change;
}

inline plan::Change GrantChange(const std::string& path, const std::string& subject,
                                uint32_t rights, plan::Action action, plan::Reason reason) {
  kinds::Grant grant;
  grant.set_server("edge-ftp");
  grant.set_path(path);
  grant.set_depth("subtree");
  grant.set_subject(subject);
  grant.set_rights(rights);
  const object::Object encoded = object::Encode(grant);
  plan::Change change;
  change.kind = encoded.kind;
  change.key = encoded.key;
  change.action = action;
  change.reason = reason;
  (action == plan::Action::kDelete ? change.before : change.after) = encoded.body;
  return change;
}

// One partner closed, a group's members lose a right, one person gains something.
inline plan::Plan SmallPlan() {
  using access::Right;
  plan::Plan plan;
  plan.as_of = kNow;
  plan.created = plan.as_of;
  plan.revision = "4f1c9e2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  plan::TargetSummary edge{.name = "host:edge", .product = "proftpd", .reached = true};
  edge.took = std::chrono::milliseconds(300);
  edge.counts = {{"account", 214}, {"folder", 38}};
  edge.people = 200;
  plan.targets = {edge};

  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login("acme-print");
  account.set_home("/srv/print");
  account.set_enabled(true);
  account.set_password("hmac:00");
  plan::Change lock;
  const object::Object encoded = object::Encode(account);
  lock.kind = encoded.kind;
  lock.key = encoded.key;
  lock.before = encoded.body;
  lock.action = plan::Action::kDisable;
  lock.reason = plan::Reason::kExpired;
  lock.place = "partners/acme.toml:4";
  lock.owner = "account:acme-print (partner:acme-print)";
  plan::Change key = lock;
  key.kind = object::Kind::kSshKey;
  key.key = object::MakeKey(key.kind, {"edge-ftp", "acme-print", "SHA256:abc"});
  key.before.clear();
  key.action = plan::Action::kDelete;
  plan::Change session = key;
  session.kind = object::Kind::kSession;
  session.key = object::MakeKey(session.kind, {"edge-ftp", "acme-print", "77"});
  session.action = plan::Action::kEnd;
  session.fields.push_back({0, "open", "1", "0", true, true, false});
  session.reason = plan::Reason::kConsequence;
  plan::Change removed =
      GrantChange("/out/acme", "group:ops", access::Rights(Right::kOverwrite).bits(),
                  plan::Action::kDelete, plan::Reason::kRemoved);
  removed.place = "folders.toml:31";
  removed.fields = {{5, "rights", std::to_string(access::Rights(Right::kOverwrite).bits()), "",
                     true, false, false}};
  plan::Change added =
      GrantChange("/archive", "account:sam", 3, plan::Action::kCreate, plan::Reason::kDeclared);
  plan.changes = {lock, key, removed, added, session};

  access::AccessChange closed =
      Lost("partner:acme-print", "acme-print", "/srv/print", access::Rights(3));
  closed.everything = true;
  access::AccessChange bea = Lost("person:bea", "bea", "/out/acme", Right::kOverwrite);
  bea.through = "group:ops";
  access::AccessChange cy = bea;
  cy.identity = "person:cy";
  cy.account = "cy";
  plan.delta.lost = {closed, bea, cy};
  plan.delta.gained = {Lost("person:sam.ode", "sam", "/archive", access::Rights(3))};
  compile::Provenance expired;
  expired.owner = "account:acme-print";
  expired.until = *base::ParseInstant("2026-11-20", true);
  plan.lost_by[{"partner:acme-print", "/srv/print"}] = expired;
  compile::Provenance granted;
  granted.owner = "grant:grants.toml:12";
  granted.ticket = "REQ-8841";
  granted.until = *base::ParseInstant("2026-12-31", true);
  plan.gained_by[{"person:sam.ode", "/archive"}] = granted;
  plan.looks = {{"foreign account tmpuser on edge", "last seen 3 days ago", ""}};
  return plan;
}

// `people` people who each lose another folder and gain one, on many targets.
inline plan::Plan HugePlan(size_t people) {
  plan::Plan plan = SmallPlan();
  plan.delta = {};
  plan.changes.clear();
  for (size_t i = 0; i < 40; ++i) {
    plan.targets.push_back({.name = fmt::format("host:h{}", i),
                            .reached = i % 3 != 0,
                            .error = "connection refused by a machine with a long name"});
    plan.looks.push_back(
        {fmt::format("something to look at, number {}", i), "a detail", "a.toml:1"});
  }
  for (size_t i = 0; i < people; ++i) {
    const std::string who = fmt::format("person:p{:06}", i);
    const std::string path = fmt::format("/srv/exchange/folder-{:06}/with/a/long/path", i);
    plan.delta.lost.push_back(Lost(who, who.substr(7), path, access::Rights::All()));
    plan.delta.gained.push_back(Lost(who, who.substr(7), path + "/new", access::Rights(3)));
    plan.changes.push_back(GrantChange(path, "account:" + who.substr(7), 3, plan::Action::kDelete,
                                       plan::Reason::kRemoved));
    plan.changes.back().place = "access/partners/a-long-name.toml:1234";
    plan.changes.back().held = i % 10 == 0 ? fmt::format("reason {}", i) : "";
  }
  return plan;
}

}  // namespace postern::view
