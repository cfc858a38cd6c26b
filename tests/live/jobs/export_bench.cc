// bench_export_csv [USERS]: an export of a real slapd to CSV in a local folder, from the start of
// the directory's provider to the file's final name (census, selection, sorting, state, checksum,
// manifest, read back), against ldapsearch of the attributes of its columns into a file. Prints one
// JSON line; medians of 5 rounds, the ratio that of one round. Wall time depends on what else the
// machine does, so the CPU seconds of both sides, and what slapd spent on each, stand beside it.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/jobs/export_run.h"
#include "core/provider/client.h"
#include "schemas/provider.pb.h"
#include "tests/support/command.h"
#include "tests/support/folder_place.h"
#include "tests/support/slapd.h"

namespace postern::jobs {
namespace {

using support::Slapd;

constexpr int kRounds = 5;

struct Column {
  const char* from;       // as an export has it
  const char* attribute;  // as the directory has it
};
constexpr Column kColumns[] = {{"uid", "uid"},
                               {"common_name", "cn"},
                               {"display_name", "displayName"},
                               {"mail", "mail"},
                               {"employee_number", "employeeNumber"}};

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// User and system time of ours and of the programs that have ended.
double CpuOfOurs() {
  double total = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    total += static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  return total;
}

// Of a live process, from /proc/PID/stat.
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

// What one side took in one round.
struct Cost {
  double wall = 0, cpu = 0, server = 0;
};

class Bench {
 public:
  explicit Bench(int users) : users_(users), slapd_({.ldif = People(users)}) { Declare(); }
  int Run();

 private:
  void Declare();
  bool Peer();
  bool Ours();
  Result<object::Target*> Start();
  template <class Work>
  Cost Measure(Work work);
  void Print() const;

  const int users_;
  Slapd slapd_;
  support::Scratch scratch_;
  std::string in_ = scratch_.Folder("in");
  job::JobSpec spec_;
  std::unique_ptr<provider::Client> source_;
  std::vector<Cost> ours_, peer_;
  int round_ = 0;
  bool ok_ = true;
};

void Bench::Declare() {
  spec_.set_name("export.users");
  decl::Export& declared = *spec_.mutable_export_();
  declared.set_name("users");
  declared.set_what("users");
  declared.mutable_from()->add_values("directory:bench");
  declared.mutable_format()->set_type("csv");
  for (const Column& column : kColumns) {
    declared.mutable_columns()->add_values()->set_from(column.from);
  }
  declared.mutable_columns()->mutable_values(0)->set_key(true);
  declared.mutable_deliver()->set_folder(in_);
  declared.mutable_deliver()->set_name("users_{seq:06}.csv");
}

bool Bench::Peer() {
  // The filter of the provider's own search (enumerate.cc).
  std::string command = fmt::format(
      "exec ldapsearch -x -LLL -H {0} -D {1} -w {2} -b {3} "
      "'(|(objectClass=person)(objectClass=account)(entryDN={3}))'",
      slapd_.url(), Slapd::kBindDn, Slapd::kPassword, Slapd::kPeople);
  for (const Column& column : kColumns) command += fmt::format(" {}", column.attribute);
  command += " > " + scratch_.File("peer.ldif");
  return support::RunCommand({"/bin/sh", "-c", command}, {.env = {{"LDAPNOINIT", "1"}}}).exit == 0;
}

Result<object::Target*> Bench::Start() {
  provider::v1::TargetConfig config;
  config.set_name("directory:bench");
  decl::Directory& declared = *config.mutable_directory();
  declared.set_name("bench");
  declared.set_url(slapd_.url());
  declared.mutable_bind()->set_dn(Slapd::kBindDn);
  declared.mutable_bind()->set_password("secret:bind");
  declared.mutable_tls()->set_start(false);
  declared.mutable_manage()->mutable_bases()->add_values(Slapd::kPeople);
  auto client = provider::Start({.program = provider::ProviderProgram("directory")}, config,
                                {{"bind", Slapd::kPassword}});
  if (!client) return tl::unexpected<Error>(client.error());
  source_ = std::move(*client);
  return source_.get();
}

bool Bench::Ours() {
  Ports ports;
  ports.source = [this](const std::string&) { return Start(); };
  ports.place = [] {
    return Result<Ports::OpenedAt>(
        Ports::OpenedAt{std::make_unique<support::FolderPlace>(""), "folder"});
  };
  ports.clock = {[] { return base::Now(); }, [](std::chrono::seconds) { return false; }};
  diag::Diagnostics diagnostics;
  const Asked asked{.slot = ++round_, .full = false, .digest = "sha256:bench"};
  const std::string folder = scratch_.Folder("job", 0700);
  auto report = ExportRun(spec_, asked, folder, ports, &diagnostics).Run();
  source_.reset();
  for (const diag::Diagnostic& one : diagnostics.all()) {
    fmt::print(stderr, "{} {}: {}\n", one.code, one.summary, one.label);
  }
  if (!report) fmt::print(stderr, "{}\n", report.error().message);
  return report && report->slots.size() == 1 && report->slots[0].outcome == kDeliveredOutcome &&
         report->slots[0].manifest.rows == static_cast<uint64_t>(users_);
}

template <class Work>
Cost Bench::Measure(Work work) {
  const int server = slapd_.process().pid();
  const double server_before = CpuOf(server), before = CpuOfOurs(), start = Seconds();
  ok_ = work() && ok_;
  const double wall = Seconds() - start;
  return {wall, CpuOfOurs() - before, CpuOf(server) - server_before};
}

int Bench::Run() {
  for (int round = 0; round <= kRounds && ok_; ++round) {
    const Cost peer = Measure([&] { return Peer(); });
    const Cost ours = Measure([&] { return Ours(); });
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
      "{{\"bench\": \"export-csv\", \"n\": {}, \"cpu_s\": {:.3f}, \"wall_s\": {:.3f}, \"rss_mib\": "
      "{}, \"peer\": {:.3f}, \"ratio\": {:.3f}, \"peer_cpu_s\": {:.3f}, \"server_cpu_s\": {:.3f}, "
      "\"peer_server_cpu_s\": {:.3f}, \"runs\": {}}}\n",
      users_, median(ours_, &Cost::cpu), median(ours_, &Cost::wall), usage.ru_maxrss / 1024,
      median(peer_, &Cost::wall), Median(std::move(ratios)), median(peer_, &Cost::cpu),
      median(ours_, &Cost::server), median(peer_, &Cost::server), kRounds);
}

}  // namespace
}  // namespace postern::jobs

int main(int count, char** words) {
  constexpr int kUsers = 100'000;
  return postern::jobs::Bench(count > 1 ? std::atoi(words[1]) : kUsers).Run();
}
