// bench_scim_read [USERS]: a census of all users through a warm provider process, against one curl
// that asks for the same pages on one connection and throws them away. Prints one JSON line;
// medians of 5, the ratio that of one round. The server is one Node thread that takes most of the
// time on both sides. Ends with an error where a page was asked for more than once.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "core/provider/client.h"
#include "schemas/provider.pb.h"
#include "tests/support/command.h"
#include "tests/support/scim.h"

namespace postern {
namespace {

using support::ScimServer;

constexpr int kPage = 200;

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

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  explicit Bench(int users) : users_(users), server_({.users = users, .groups = 0}) {}
  int Run();

 private:
  bool Start();
  bool Peer();
  bool Observe();
  // All of them: one a user would be seen.
  int Requests() {
    const nlohmann::json asked = server_.Requests();
    int count = 0;
    for (const auto& [path, times] : asked.items()) count += times.get<int>();
    return count;
  }

  const int users_;
  ScimServer server_;
  std::unique_ptr<provider::Client> client_;
};

bool Bench::Start() {
  provider::v1::TargetConfig config;
  config.set_name("iam:bench");
  decl::Iam& declared = *config.mutable_iam();
  declared.set_name("bench");
  declared.set_url(server_.url());
  declared.mutable_auth()->set_token("secret:token");
  declared.mutable_dialect()->set_page(kPage);
  auto client = provider::Start({.program = provider::ProviderProgram("iam")}, config,
                                {{"token", ScimServer::kToken}});
  if (!client) fmt::print(stderr, "{}\n", client.error().message);
  if (client) client_ = std::move(*client);
  return client_ != nullptr;
}

// A range in the address is one transfer after the other, on a kept connection.
bool Bench::Peer() {
  const std::string command = fmt::format(
      "exec curl -sS -f -H 'Authorization: Bearer {}' '{}/Users?startIndex=[1-{}:{}]&count={}' "
      "> /dev/null",
      ScimServer::kToken, server_.url(), users_, kPage, kPage);
  return support::RunCommand({"/bin/sh", "-c", command}).exit == 0;
}

bool Bench::Observe() {
  Keep sink;
  const object::Kind kinds[] = {object::Kind::kIamUser};
  const auto scopes = client_->Enumerate(kinds, sink);
  sink.set.Sort();
  const bool all = scopes && scopes->size() == 1 && scopes->front().complete &&
                   scopes->front().unstable.empty() &&
                   sink.set.all().size() == static_cast<size_t>(users_);
  if (!all) fmt::print(stderr, "not all users came\n");
  return all;
}

int Bench::Run() {
  if (!Start()) return 1;
  const int expected = (users_ + kPage - 1) / kPage;
  std::vector<double> ours, peer, ratios;
  for (int round = 0; round < 6; ++round) {
    double start = Seconds();
    if (!Peer()) return 1;
    const double peer_wall = Seconds() - start;
    const int before = Requests();
    start = Seconds();
    if (!Observe()) return 1;
    const double wall = Seconds() - start;
    const int sent = Requests() - before;
    if (round == 0) continue;  // warm
    if (sent != expected) {
      fmt::print(stderr, "{} requests for {} pages\n", sent, expected);
      return 1;
    }
    peer.push_back(peer_wall);
    ours.push_back(wall);
    ratios.push_back(wall / peer_wall);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"bench\":\"scim-read\",\"n\":{},\"wall_s\":{:.3f},\"rss_mib\":{},\"peer\":{:.3f},"
      "\"ratio\":{:.3f},\"requests\":{}}}\n",
      users_, Median(ours), usage.ru_maxrss / 1024, Median(peer), Median(ratios), expected);
  return 0;
}

}  // namespace
}  // namespace postern

int main(int argc, char** argv) {
  return postern::Bench(argc > 1 ? std::atoi(argv[1]) : 10'000).Run();
}
