// What it costs to compute what a ProFTPD server really enforces: bench_raise BLOCKS, with half as
// many accounts. Prints one JSON object.
//
// cpu_s: the whole configuration raised, and the answers for all accounts at every cell that it
// names. effect_cpu_s: what one rule by another hand changes, that is two raises and their
// comparison, as the planner does it for each such rule.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/access/overlay.h"
#include "providers/filetransfer/proftpd/product.h"

namespace postern::proftpd {
namespace {

using access::ConfigFile;
using access::Enforced;
using access::RaiseInput;

constexpr char kMain[] = "/etc/p/main.conf", kHand[] = "/etc/p/conf.d/hand.conf";
constexpr int kRuns = 5;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// Blocks in a hundred folders; each lets five accounts read and one group in two hundred write.
std::string MainText(int blocks, int accounts) {
  std::string text = "AuthOrder mod_auth_file.c\nInclude /etc/p/conf.d/*.conf\n<Global>\n";
  text += "AllowOverride off\n";
  for (int i = 0; i < blocks; ++i) {
    std::string users;
    for (int u = 0; u < 5; ++u) {
      users += fmt::format("{}u{}", u == 0 ? "" : ",", (i * 7 + u) % accounts);
    }
    text += fmt::format(
        "<Directory /srv/d{}/f{}>\n<Limit RETR READ>\nAllowUser {}\nDenyAll\n</Limit>\n"
        "<Limit STOR APPE WRITE>\nAllowGroup g{}\nDenyAll\n</Limit>\n</Directory>\n",
        i % 100, i, users, i % 200);
  }
  return text + "</Global>\n";
}

std::unique_ptr<Enforced> Raise(const RaiseInput& input) {
  auto raised = Proftpd().Raise(input);
  if (!raised) {
    std::fprintf(stderr, "bench_raise: %s\n", raised.error().message.c_str());
    std::exit(1);  // NOLINT(concurrency-mt-unsafe): there is one thread
  }
  return *std::move(raised);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int blocks) {
  const int accounts = std::max(1, blocks / 2);
  RaiseInput input;
  input.roots = {"/srv"};
  input.files = {{ConfigFile::Role::kMain, kMain, MainText(blocks, accounts), true},
                 {ConfigFile::Role::kIncluded, kHand, "", true}};
  auto logins = std::make_shared<access::Overlay::Logins>();
  for (int i = 0; i < accounts; ++i) {
    input.accounts.push_back({fmt::format("u{}", i), {fmt::format("g{}", i % 200)}, "/home"});
    logins->emplace(input.accounts.back().name, static_cast<uint32_t>(i));
  }
  RaiseInput changed = input;
  changed.files[1].text =
      "<Directory /srv/d7/f7/x>\n<Limit DELE>\nAllowUser u8\n</Limit>\n</Directory>\n";
  std::vector<double> whole, effect;
  size_t readers = 0, affected = 0;
  for (int run = 0; run < kRuns; ++run) {
    const double began = CpuSeconds();
    const std::unique_ptr<Enforced> clean = Raise(input);
    for (const std::string& path : clean->NamedPaths()) {
      for (const access::Part part : access::kParts) {
        const access::CellAnswers answers = clean->AnswersAt({path, part});
        readers += answers[static_cast<size_t>(access::Right::kRead)]
                       .yes.Members(static_cast<uint32_t>(accounts))
                       .size();
      }
    }
    whole.push_back(CpuSeconds() - began);
    const double second = CpuSeconds();
    const std::unique_ptr<Enforced> without = Raise(input);
    const access::Overlay overlay =
        access::Overlay::Between(*without, Raise(changed), logins, {}, input.roots);
    affected += overlay.Affected().size();
    effect.push_back(CpuSeconds() - second);
  }
  // Nothing raised would be quick, too.
  if (readers == 0 || affected == 0) {
    std::fprintf(stderr, "bench_raise: nobody may read, or the rule changes nothing\n");
    return 1;
  }
  fmt::print(
      R"({{"bench": "raise", "n": {}, "accounts": {}, "cpu_s": {:.3f}, "effect_cpu_s": {:.3f}, "runs": {}}})"
      "\n",
      blocks, accounts, Median(whole), Median(effect), kRuns);
  return 0;
}

}  // namespace
}  // namespace postern::proftpd

int main(int argc, char** argv) {
  const int blocks = argc == 2 ? std::atoi(argv[1]) : 0;
  if (blocks <= 0) {
    std::fprintf(stderr, "usage: bench_raise BLOCKS\n");
    return 1;
  }
  return postern::proftpd::Main(blocks);
}
