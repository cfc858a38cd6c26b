// What roles cost: bench_roles IDENTITIES, in a hundredth as many roles, each by one department.
// Prints one JSON object.
//
// cpu_s: facts indexed, roles evaluated, accounts and rows compiled, and the plan made against a
// world in which all is as wanted but for three people: a joiner, a mover, a leaver. The world is
// in memory: no provider, no files.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/plan/plan.h"
#include "providers/filetransfer/proftpd/product.h"
#include "schemas/kinds.pb.h"

namespace postern {
namespace {

constexpr int kRuns = 5;
constexpr char kHr[] = "iam:hr", kEdge[] = "host:edge";

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct World {
  config::Declarations declarations;
  diag::Sources sources;
  compile::Products products{{"proftpd", &proftpd::Proftpd()}};
  observe::Observed observed;
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
  plan::Inputs In() {
    plan::Inputs in;
    in.declarations = &declarations;
    in.sources = &sources;
    in.products = &products;
    in.observed = &observed;
    in.recorded = &recorded;
    in.now = in.as_of = 1'800'000'000;
    in.ledger_id = "bench";
    return in;
  }
};

void Declare(int roles, World* world) {
  auto& host = world->declarations.hosts.emplace_back().message;
  host.set_name("edge");
  host.mutable_manage()->mutable_roots()->add_values("/srv");
  auto& server = world->declarations.servers.emplace_back().message;
  server.set_name("ftp");
  server.set_host("edge");
  server.set_product("proftpd");
  server.mutable_uids()->set_from(30'000);
  server.mutable_uids()->set_to(1'000'000);
  server.mutable_uids()->set_gid(30'000);
  world->declarations.iams.emplace_back().message.set_name("hr");
  for (int i = 0; i < roles; ++i) {
    auto& folder = world->declarations.folders.emplace_back().message;
    folder.set_name(fmt::format("f{}", i));
    folder.set_host("edge");
    folder.set_path(fmt::format("/srv/d{}", i));
    auto& role = world->declarations.roles.emplace_back().message;
    role.set_name(fmt::format("r{}", i));
    auto* member = role.mutable_members()->add_values();
    member->set_iam("hr");
    member->mutable_where()->set_department(fmt::format("Department {}", i));
    role.mutable_account()->mutable_servers()->add_values("ftp");
    role.mutable_account()->set_home("/srv");
    auto* row = role.mutable_rows()->add_values();
    row->set_folder(folder.name());
    row->mutable_rights()->add_values("list");
    row->mutable_rights()->add_values("read");
  }
}

object::Object User(int i, int department, bool active) {
  kinds::IamUser user;
  user.set_user_name(fmt::format("u{}", i));
  user.set_external_id(fmt::format("e{}", i));
  user.set_department(fmt::format("Department {}", department));
  user.set_active(active);
  object::Object object = object::Encode(user);
  object.id = fmt::format("id-{}", i);
  return object;
}

// `moved`: with a joiner, a mover and a leaver.
void ShowPeople(int people, int roles, bool moved, World* world) {
  observe::ObservedTarget target;
  target.name = kHr;
  target.reached = true;
  const int count = people + (moved ? 1 : 0);
  for (int i = 0; i < count; ++i) {
    const int department = (i + (moved && i == 1 ? 1 : 0)) % roles;
    target.objects.Add(User(i, department, !(moved && i == 2)).view());
  }
  target.objects.Sort();
  for (const object::Kind kind : {object::Kind::kIamUser, object::Kind::kIamMembership}) {
    target.scopes.push_back({kind, "", true, "", static_cast<uint64_t>(count), true, "", 1});
  }
  world->observed.targets.push_back(std::move(target));
}

void ShowHost(World* world) {
  observe::ObservedTarget target;
  target.name = kEdge;
  target.reached = true;
  for (const ledger::Recorded& row : world->recorded[kEdge]) {
    target.objects.Add({row.kind, row.key, row.body, row.id});
  }
  target.objects.Sort();
  for (const object::KindTable& table : object::AllKinds()) {
    if (object::IsIamKind(table.kind)) continue;
    const char* scope = table.kind == object::Kind::kFolder ? "edge" : "ftp";
    target.scopes.push_back({table.kind, scope, true, "", 0, true, "", 1});
  }
  world->observed.targets.insert(world->observed.targets.begin(), std::move(target));
}

compile::Desired Compile(World* world, const plan::Inputs& in) {
  const compile::Facts facts = plan::FactsOf(in, {});
  return compile::Compile(world->declarations, world->sources, world->products, facts);
}

// All that the roles give is live and recorded.
void Settle(World* world) {
  const compile::Desired desired = Compile(world, world->In());
  for (const compile::DesiredObject& object : desired.Find(kEdge)->objects) {
    ledger::Recorded row;
    row.kind = object.kind;
    row.key = object.key;
    row.body = object.body;
    row.owner = desired.OwnerOfSources(object.sources);
    world->recorded[kEdge].push_back(std::move(row));
  }
}

int Run(int people) {
  const int roles = std::max(1, people / 100);
  World world;
  Declare(roles, &world);
  ShowPeople(people, roles, false, &world);
  Settle(&world);
  world.observed.targets.clear();
  ShowPeople(people, roles, true, &world);
  ShowHost(&world);
  std::vector<double> taken;
  size_t changes = 0, accounts = 0;
  for (int run = 0; run < kRuns; ++run) {
    const double begin = CpuSeconds();
    plan::Inputs in = world.In();
    const compile::Desired desired = Compile(&world, in);
    in.desired = &desired;
    diag::Diagnostics diagnostics;
    const plan::Plan plan = plan::MakePlan(in, &diagnostics);
    taken.push_back(CpuSeconds() - begin);
    changes = plan.changes.size();
    accounts = plan.targets[0].counts.at("account");
  }
  std::sort(taken.begin(), taken.end());
  std::printf("%s\n", fmt::format(R"({{"bench": "roles", "n": {}, "roles": {}, )"
                                  R"("accounts": {}, "changes": {}, "cpu_s": {:.3f}}})",
                                  people, roles, accounts, changes, taken[kRuns / 2])
                          .c_str());
  // Joiner: account and row; mover: a row goes, one comes, the account's record; leaver: both.
  return accounts == static_cast<size_t>(people) && changes > 0 && changes < 20 ? 0 : 1;
}

}  // namespace
}  // namespace postern

int main(int argc, char** argv) {
  return postern::Run(argc > 1 ? std::atoi(argv[1]) : 100'000);
}
