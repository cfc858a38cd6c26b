// tests/unit/plan/bench.h: the three sides of a join, by hand, for one host and one directory; and
// for a runner where something is said of it.
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/plan/plan.h"
#include "tests/unit/access/objects.h"

namespace postern::plan {

inline constexpr char kHost[] = "host:edge";
inline constexpr char kCorp[] = "directory:corp";
inline constexpr char kRunner[] = "runner:nightly";
inline constexpr base::Instant kNow = 1'800'000'000;

struct Bench {
  Bench() {
    declarations.hosts.resize(1);
    declarations.hosts[0].message.set_name("edge");
    declarations.directories.resize(1);
    declarations.directories[0].message.set_name("corp");
    desired.provenance.resize(1);
    desired.provenance[0].owner = "account:x";
  }
  decl::Host& host() { return declarations.hosts[0].message; }

  Bench& Want(const object::Object& object, const char* target = kHost) {
    // The desired state owns its bytes.
    wanted[target].push_back(
        {object.kind, desired.bytes.Copy(object.key), desired.bytes.Copy(object.body), {0}});
    return *this;
  }
  Bench& Live(object::Object object, const char* target = kHost) {
    live[target].push_back(std::move(object));
    return *this;
  }
  Bench& Record(const object::Object& object, const char* target = kHost) {
    ledger::Recorded row;
    row.kind = object.kind;
    row.key = object.key;
    row.body = object.body;
    row.id = object.id;
    row.owner = "account:x";
    recorded[target].push_back(row);
    return *this;
  }
  Bench& All(const object::Object& object, const char* target = kHost) {
    return Want(object, target).Live(object, target).Record(object, target);
  }
  // Keys and memberships of these are ours alone.
  Bench& Exact(object::Kind kind, const std::string& container, const char* target = kHost,
               compile::Authority authority = compile::Authority::kExact) {
    this->authority[target][{kind, container}] = authority;
    return *this;
  }

  Plan Make(diag::Diagnostics* diagnostics = nullptr) {
    desired.targets.clear();
    observed.targets.clear();
    for (const char* name : {kCorp, kHost, kRunner}) {
      const bool said = wanted.contains(name) || live.contains(name) || recorded.contains(name);
      if (std::string(name) == kRunner && !said) continue;
      compile::DesiredTarget target;
      target.name = name;
      target.objects = wanted[name];
      target.authority = authority[name];
      std::sort(target.objects.begin(), target.objects.end(), [](const auto& a, const auto& b) {
        return std::tie(a.kind, a.key) < std::tie(b.kind, b.key);
      });
      desired.targets.push_back(std::move(target));
      auto& rows = recorded[name];
      std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return std::tie(a.kind, a.key) < std::tie(b.kind, b.key);
      });
      observed.targets.push_back(Observe(name));
    }
    diag::Diagnostics ignored;
    return MakePlan(In(), diagnostics == nullptr ? &ignored : diagnostics);
  }
  Inputs In() {
    Inputs in;
    in.declarations = &declarations;
    in.sources = &sources;
    in.desired = &desired;
    in.products = &products;
    in.observed = &observed;
    in.recorded = &recorded;
    in.last_census = census;
    in.open_intents = open_intents;
    in.now = now;
    in.as_of = now;
    in.secret_digests = secrets;
    in.ledger_id = "l";
    in.only_targets = only_targets;
    in.own_job = own_job;
    return in;
  }
  observe::ObservedTarget Observe(const char* name) {
    observe::ObservedTarget target;
    target.name = name;
    target.reached = !unreached.contains(name);
    if (!target.reached) {
      target.error.message = "connection refused";
      return target;
    }
    target.probe.capabilities = capabilities[name];
    for (const object::Object& object : live[name]) target.objects.Add(object.view());
    target.objects.Sort();
    for (const object::KindTable& table : object::AllKinds()) {
      const bool directory = static_cast<int>(table.kind) < 10;
      if (directory != (std::string(name) == kCorp)) continue;
      const bool runner = std::string(name) == kRunner;
      if (runner && table.kind != object::Kind::kJob && table.kind != object::Kind::kJobRun)
        continue;
      object::ScopeStatus status;
      status.kind = table.kind;
      status.scope = directory                             ? "dc=x"
                     : runner                              ? ""
                     : table.kind == object::Kind::kFolder ? "edge"
                                                           : "ftp";
      status.complete = !incomplete.contains(table.kind);
      status.reason = status.complete ? "" : "size limit";
      status.sentinel_seen = true;
      status.count = target.objects.OfKind(table.kind).size();
      target.scopes.push_back(status);
    }
    return target;
  }

  config::Declarations declarations;
  diag::Sources sources;
  compile::Desired desired;
  compile::Products products;
  observe::Observed observed;
  std::map<std::string, std::vector<compile::DesiredObject>> wanted;
  std::map<std::string, std::map<std::pair<object::Kind, std::string>, compile::Authority>>
      authority;
  std::map<std::string, std::vector<object::Object>> live;
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
  std::vector<ledger::Census> census;
  std::vector<ledger::OpenIntent> open_intents;
  std::map<std::string, std::string> secrets;
  std::set<object::Kind> incomplete;
  std::set<std::string> unreached, only_targets;
  std::string own_job;
  std::map<std::string, std::vector<object::Capability>> capabilities;
  base::Instant now = kNow;
};

inline object::Object WithId(object::Object object, std::string id) {
  object.id = std::move(id);
  return object;
}

// "create account declared; update grant declaration changed (held)"
inline std::string Said(const Plan& plan) {
  std::string text;
  for (const Change& change : plan.changes) {
    if (change.kind == object::Kind::kSession) continue;
    if (!text.empty()) text += "; ";
    text += std::string(NameOf(change.action)) + " " + std::string(object::NameOf(change.kind)) +
            " " + std::string(NameOf(change.reason));
    if (!change.held.empty()) text += " (held)";
  }
  return text;
}

// "revoke account; open grant"
inline std::string Steps(const Plan& plan) {
  std::string text;
  for (const Step& step : plan.steps) {
    if (!text.empty()) text += "; ";
    text +=
        std::string(NameOf(step.phase)) + " " + std::string(object::NameOf(step.operation.kind));
  }
  return text;
}

}  // namespace postern::plan
