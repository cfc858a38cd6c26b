// bench_ldap_read [ENTRIES]: observes a directory end to end to the core through a warm provider
// process, against ldapsearch of the same attributes. Prints one JSON line; medians of 5.
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

double OwnCpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
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
  std::string command = fmt::format(
      "exec ldapsearch -x -LLL -H {} -D {} -w {} -b {} '(|(objectClass="
      "organizationalUnit)(objectClass=person)(objectClass=account)(objectClass="
      "groupOfNames)(objectClass=groupOfUniqueNames))'",
      slapd.url(), Slapd::kBindDn, Slapd::kPassword, Slapd::kPeople);
  for (uint8_t i = 0; i < directory::kAttributeCount; ++i) {
    if (i == directory::kEntryCsn) continue;
    command += fmt::format(" {}", NameOf(static_cast<directory::Attribute>(i)));
  }
  return command + " > /dev/null";
}

int Main(int entries) {
  Slapd slapd({.ldif = People(entries)});
  provider::v1::TargetConfig config;
  config.set_name("directory:bench");
  decl::Directory& declared = *config.mutable_directory();
  declared.set_name("bench");
  declared.set_url(slapd.url());
  declared.mutable_bind()->set_dn(Slapd::kBindDn);
  declared.mutable_bind()->set_password("secret:bind");
  declared.mutable_tls()->set_start(false);
  declared.mutable_manage()->mutable_bases()->add_values(Slapd::kPeople);
  const object::Secrets secrets = {{"bind", Slapd::kPassword}, {"ledger-key", "k"}};
  auto client =
      provider::Start({.program = provider::ProviderProgram("directory")}, config, secrets);
  if (!client) {
    fmt::print(stderr, "{}\n", client.error().message);
    return 1;
  }
  std::vector<double> wall, cpu, peer;
  const std::string command = PeerCommand(slapd);
  for (int round = 0; round < 6; ++round) {
    double start = Seconds();
    if (support::RunCommand({"/bin/sh", "-c", command}, {.env = {{"LDAPNOINIT", "1"}}}).exit != 0) {
      fmt::print(stderr, "ldapsearch failed\n");
      return 1;
    }
    const double peer_wall = Seconds() - start;
    const double cpu_before = OwnCpu() + CpuOf((*client)->pid());
    start = Seconds();
    Keep sink;
    const auto scopes = (*client)->Enumerate({}, sink);
    const double our_wall = Seconds() - start;
    for (const auto& scope : scopes ? *scopes : std::vector<object::ScopeStatus>{}) {
      if (!scope.complete) fmt::print(stderr, "incomplete: {}\n", scope.reason);
    }
    if (!scopes || sink.set.all().size() != static_cast<size_t>(entries) + 1) {
      fmt::print(stderr, "{} objects: {}\n", sink.set.all().size(),
                 scopes ? "" : scopes.error().message);
      return 1;
    }
    if (round == 0) continue;  // warm
    peer.push_back(peer_wall);
    wall.push_back(our_wall);
    cpu.push_back(OwnCpu() + CpuOf((*client)->pid()) - cpu_before);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"bench\":\"ldap-read\",\"n\":{},\"cpu_s\":{:.3f},\"wall_s\":{:.3f},\"rss_mib\":{},"
      "\"peer\":{:.3f},\"ratio\":{:.3f}}}\n",
      entries, Median(cpu), Median(wall), usage.ru_maxrss / 1024, Median(peer),
      Median(wall) / Median(peer));
  return 0;
}

}  // namespace
}  // namespace postern

int main(int argc, char** argv) {
  return postern::Main(argc > 1 ? std::atoi(argv[1]) : 100'000);
}
