// bench_ldap_read [ENTRIES]: observes a directory end to end to the core through a warm provider
// process, against ldapsearch of the same attributes. Prints one JSON line; medians of 5, the ratio
// that of one round. Wall time depends on what else the machine does, so the CPU seconds of both
// sides stand beside it: cpu_s (core and provider) against peer_cpu_s, and what slapd spent on
// each.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "core/provider/client.h"
#include "providers/directory/entry.h"
#include "schemas/provider.pb.h"
#include "tests/support/slapd.h"

namespace postern {
namespace {

using support::Slapd;

class Keep final : public object::ObjectSink {
 public:
  bool Add(const object::ObjectView& view) override {
    set.Add(view);
    return true;
  }
  object::ObjectSet set;
};

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuBy(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// User and system time of a live process, from /proc/PID/stat.
double CpuOf(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  text.erase(0, text.rfind(')') + 2);
  std::istringstream fields(text);
  std::string skip;
  double user = 0, system = 0;
  for (int i = 0; i < 11; ++i) fields >> skip;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string People(int count) {
  std::string ldif;
  for (int i = 0; i < count; ++i) {
    ldif += Slapd::PersonLdif(
        fmt::format("user{:07}", i),
        fmt::format("givenName: Given{}\ndisplayName: Given Person {}\nemployeeNumber: {}\n"
                    "description: a person of the bench\nuserPassword: {{SSHA}}x{}\n",
                    i, i, i, i));
  }
  return ldif;
}

std::string PeerCommand(const Slapd& slapd) {
  // The filter of the provider's own search (enumerate.cc).
  std::string command = fmt::format(
      "exec ldapsearch -x -LLL -H {0} -D {1} -w {2} -b {3} '(|(objectClass=person)"
      "(objectClass=account)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)"
      "(objectClass=organizationalUnit)(entryDN={3}))'",
      slapd.url(), Slapd::kBindDn, Slapd::kPassword, Slapd::kPeople);
  for (uint8_t i = 0; i < directory::kAttributeCount; ++i) {
    if (i == directory::kEntryCsn) continue;
    command += fmt::format(" {}", NameOf(static_cast<directory::Attribute>(i)));
  }
  return command + " > /dev/null";
}

provider::v1::TargetConfig Config(const Slapd& slapd) {
  provider::v1::TargetConfig config;
  config.set_name("directory:bench");
  decl::Directory& declared = *config.mutable_directory();
  declared.set_name("bench");
  declared.set_url(slapd.url());
  declared.mutable_bind()->set_dn(Slapd::kBindDn);
  declared.mutable_bind()->set_password("secret:bind");
  declared.mutable_tls()->set_start(false);
  declared.mutable_manage()->mutable_bases()->add_values(Slapd::kPeople);
  return config;
}

// What one round took: the peer's or ours.
struct Cost {
  double wall = 0, cpu = 0, server = 0;
};

class Bench {
 public:
  explicit Bench(int entries) : entries_(entries), slapd_({.ldif = People(entries)}) {}
  int Run();

 private:
  template <class Work, class Cpu>
  Cost Measure(Work work, Cpu cpu) {
    const double server = CpuOf(slapd_.process().pid()), before = cpu(), start = Seconds();
    ok_ = work() && ok_;
    return {Seconds() - start, cpu() - before, CpuOf(slapd_.process().pid()) - server};
  }
  bool Observe();
  void Print() const;

  const int entries_;
  Slapd slapd_;
  std::unique_ptr<provider::Client> client_;
  std::vector<Cost> ours_, peer_;
  bool ok_ = true;
};

bool Bench::Observe() {
  Keep sink;
  const auto scopes = client_->Enumerate({}, sink);
  sink.set.Sort();
  for (const auto& scope : scopes ? *scopes : std::vector<object::ScopeStatus>{}) {
    if (scope.complete) continue;
    fmt::print(stderr, "incomplete: {}\n", scope.reason);
    return false;
  }
  if (scopes && sink.set.all().size() == static_cast<size_t>(entries_) + 1) return true;
  fmt::print(stderr, "{} objects: {}\n", sink.set.all().size(),
             scopes ? "" : scopes.error().message);
  return false;
}

int Bench::Run() {
  const object::Secrets secrets = {{"bind", Slapd::kPassword}, {"ledger-key", "k"}};
  auto client =
      provider::Start({.program = provider::ProviderProgram("directory")}, Config(slapd_), secrets);
  if (!client) {
    fmt::print(stderr, "{}\n", client.error().message);
    return 1;
  }
  client_ = std::move(*client);
  const std::vector<std::string> command = {"/bin/sh", "-c", PeerCommand(slapd_)};
  for (int round = 0; round < 6 && ok_; ++round) {
    const Cost peer = Measure(
        [&] {
          return support::RunCommand(command, {.env = {{"LDAPNOINIT", "1"}}}).exit == 0;
        },
        [] { return CpuBy(RUSAGE_CHILDREN); });
    const Cost ours = Measure([&] { return Observe(); },
                              [&] { return CpuBy(RUSAGE_SELF) + CpuOf(client_->pid()); });
    if (round == 0) continue;  // warm
    peer_.push_back(peer);
    ours_.push_back(ours);
  }
  if (ok_) Print();
  return ok_ ? 0 : 1;
}

void Bench::Print() const {
  const auto median = [](const std::vector<Cost>& costs, double Cost::*part) {
    std::vector<double> values;
    for (const Cost& cost : costs) values.push_back(cost.*part);
    return Median(std::move(values));
  };
  std::vector<double> ratios;
  for (size_t i = 0; i < ours_.size(); ++i) ratios.push_back(ours_[i].wall / peer_[i].wall);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"bench\":\"ldap-read\",\"n\":{},\"cpu_s\":{:.3f},\"wall_s\":{:.3f},\"rss_mib\":{},"
      "\"peer\":{:.3f},\"ratio\":{:.3f},\"peer_cpu_s\":{:.3f},\"server_cpu_s\":{:.3f},"
      "\"peer_server_cpu_s\":{:.3f}}}\n",
      entries_, median(ours_, &Cost::cpu), median(ours_, &Cost::wall), usage.ru_maxrss / 1024,
      median(peer_, &Cost::wall), Median(std::move(ratios)), median(peer_, &Cost::cpu),
      median(ours_, &Cost::server), median(peer_, &Cost::server));
}

}  // namespace
}  // namespace postern

int main(int argc, char** argv) {
  return postern::Bench(argc > 1 ? std::atoi(argv[1]) : 100'000).Run();
}
