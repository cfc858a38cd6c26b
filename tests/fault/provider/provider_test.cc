// Every way in which a provider can fail the core: an error that says what happened, soon, and a
// client that fails at once from then on. What was done is found by a new provider.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "core/observe/observe.h"
#include "core/provider/client.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/support/process.h"

namespace postern::provider {
namespace {

using object::Kind;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr milliseconds kSoon{5000};  // generous for a loaded machine; a hang would be for ever

object::Object Account(int n) {
  kinds::Account account;
  account.set_server("edge-ftp");
  account.set_login(fmt::format("login{}", n));
  account.set_home("/srv/exchange/home");
  account.set_comment(std::string(200, 'c'));
  return object::Encode(account);
}

std::vector<object::OperationGroup> Creates(int first, int last, bool one_group) {
  std::vector<object::OperationGroup> groups;
  for (int n = first; n <= last; ++n) {
    if (groups.empty() || !one_group) groups.emplace_back();
    const object::Object account = Account(n);
    object::Operation operation;
    operation.id = static_cast<uint64_t>(n);
    operation.kind = Kind::kAccount;
    operation.key = account.key;
    operation.after = account.body;
    groups.back().operations.push_back(std::move(operation));
  }
  return groups;
}

// kill() comes back before the process stands: one of its threads may still answer on another core.
void Stop(pid_t pid) {
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  const auto stands = [&] {
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
      const std::string stat = support::ReadFile((task.path() / "stat").string());
      if (stat.substr(stat.rfind(')') + 1, 2) != " T") return false;
    }
    return true;
  };
  const auto begin = steady_clock::now();
  while (!stands() && steady_clock::now() - begin < kSoon) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  ASSERT_TRUE(stands());
}

struct CountObjects : object::ObjectSink {
  bool Add(const object::ObjectView&) override {
    ++objects;
    return true;
  }
  int objects = 0;
};

struct CountOutcomes : object::OutcomeSink {
  void Add(object::Outcome outcome) override { ++by_status[outcome.status]; }
  std::map<object::Status, int> by_status;
};

// Sends the provider a signal in the middle of its answer.
class SignalAmong final : public CountObjects {
 public:
  SignalAmong(pid_t pid, int signal) : pid_(pid), signal_(signal) {}
  bool Add(const object::ObjectView& object) override {
    if (objects == 50) kill(pid_, signal_);
    return CountObjects::Add(object);
  }

 private:
  pid_t pid_;
  int signal_;
};

class ProviderFault : public testing::Test {
 protected:
  Result<std::unique_ptr<Client>> StartBad(const std::string& mode, StartOptions options = {}) {
    v1::TargetConfig config;
    config.set_name("host:" + mode);
    options.program = BAD_PROVIDER;
    return Start(options, config, {});
  }
  std::unique_ptr<Client> StartMemory(const std::string& host = "edge", StartOptions options = {}) {
    v1::TargetConfig config;
    config.set_name("host:" + host);
    config.mutable_host()->set_name(host);
    config.mutable_host()->set_address("memory:" +
                                       scratch_.File(host == "edge" ? "world" : "world-" + host));
    config.add_servers()->set_name("edge-ftp");
    options.program = ProviderProgram("memory");
    auto client = Start(options, config, {});
    EXPECT_TRUE(client.has_value()) << client.error().message;
    return client ? std::move(*client) : nullptr;
  }
  static void Fill(Client& client, int count) {
    CountOutcomes outcomes;
    ASSERT_TRUE(client.Apply(Creates(1, count, true), {}, outcomes).has_value());
    ASSERT_EQ(outcomes.by_status[object::Status::kApplied], count);
  }
  void Fault(const std::string& line) { scratch_.Write("world.faults", line + "\n"); }
  static void ExpectAccounts(Client& client, int count) {
    CountObjects objects;
    const Kind kinds[] = {Kind::kAccount};
    ASSERT_TRUE(client.Enumerate(kinds, objects).has_value());
    EXPECT_EQ(objects.objects, count);
  }
  // Later calls must not hang or start anything.
  static void ExpectGone(Client& client) {
    const auto begin = steady_clock::now();
    const auto probe = client.ProbeTarget();
    ASSERT_FALSE(probe.has_value());
    EXPECT_LT(steady_clock::now() - begin, milliseconds(500));
  }

  support::Scratch scratch_;
};

TEST_F(ProviderFault, KilledWhileItEnumerates) {
  auto client = StartMemory();
  Fill(*client, 20'000);
  SignalAmong sink(client->pid(), SIGKILL);
  const auto begin = steady_clock::now();
  const auto scopes = client->Enumerate({}, sink);
  ASSERT_FALSE(scopes.has_value()) << "half an answer looked like a whole one";
  EXPECT_EQ(scopes.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(scopes.error().message, HasSubstr("provider memory (host:edge) died (signal 9)"));
  EXPECT_LT(steady_clock::now() - begin, kSoon);
  EXPECT_LT(sink.objects, 20'000);
  ExpectGone(*client);
}

TEST_F(ProviderFault, KilledAtEachKillPoint) {
  constexpr const char* kPoints[] = {"provider.apply.received", "memory.apply.before:5",
                                     "memory.apply.after:5", "provider.apply.answered",
                                     "provider.enumerate.batch"};
  int count = 0;
  for (const char* point : kPoints) {
    SCOPED_TRACE(point);
    const auto groups = Creates(count + 1, count + 1000, false);
    count += 1000;
    setenv("POSTERN_PROVIDER_KILL_POINT", point, 1);  // NOLINT(concurrency-mt-unsafe)
    auto doomed = StartMemory();
    unsetenv("POSTERN_PROVIDER_KILL_POINT");  // NOLINT(concurrency-mt-unsafe)
    CountOutcomes outcomes;
    auto done = doomed->Apply(groups, {}, outcomes);
    if (done.has_value()) {
      CountObjects objects;
      const auto scopes = doomed->Enumerate({}, objects);
      ASSERT_FALSE(scopes.has_value()) << "the kill point was never reached";
      done = tl::unexpected(scopes.error());
    }
    EXPECT_THAT(done.error().message, HasSubstr("died (signal 9)"));
    // The next provider finds what was done and does the rest; nothing twice.
    auto next = StartMemory();
    CountOutcomes again;
    ASSERT_TRUE(next->Apply(groups, {}, again).has_value());
    EXPECT_EQ(
        again.by_status[object::Status::kApplied] + again.by_status[object::Status::kAlreadySo],
        1000);
    EXPECT_GE(again.by_status[object::Status::kAlreadySo],
              outcomes.by_status[object::Status::kApplied]);
    ExpectAccounts(*next, count);
  }
}

TEST_F(ProviderFault, DiesInTheMiddleOfOneGroup) {
  auto client = StartMemory();
  Fault("die-before 4");
  CountOutcomes outcomes;
  const auto done = client->Apply(Creates(1, 10, true), {}, outcomes);
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, HasSubstr("died (signal 9) during Apply"));
  Fault("");
  ExpectAccounts(*StartMemory(), 3);
}

TEST_F(ProviderFault, IsCancelledFromAnotherThreadWhileItHangs) {
  auto client = StartBad("hang-enumerate");
  ASSERT_TRUE(client.has_value()) << client.error().message;
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(100));
    (*client)->Cancel();
  });
  const auto begin = steady_clock::now();
  CountObjects sink;
  const auto scopes = (*client)->Enumerate({}, sink);
  other.join();
  ASSERT_FALSE(scopes.has_value());
  EXPECT_EQ(scopes.error().code, ErrorCode::kCancelled);
  EXPECT_EQ((*client)->ProbeTarget().error().code, ErrorCode::kCancelled);
  const pid_t pid = (*client)->pid();
  client->reset();
  EXPECT_LT(steady_clock::now() - begin, kSoon + kSoon);
  EXPECT_EQ(kill(pid, 0), -1) << "the hanging provider was left behind";
}

TEST_F(ProviderFault, HangsPastItsDeadline) {
  StartOptions options;
  options.hello = milliseconds(300);
  const auto silent = StartBad("silent", options);
  ASSERT_FALSE(silent.has_value());
  EXPECT_EQ(silent.error().code, ErrorCode::kTimeout);
  EXPECT_THAT(silent.error().message, HasSubstr("did not answer Hello within 0.3 s"));

  options = StartOptions();
  options.configure = milliseconds(300);
  const auto configure = StartBad("hang-configure", options);
  ASSERT_FALSE(configure.has_value());
  EXPECT_THAT(configure.error().message, HasSubstr("did not answer Configure within 0.3 s"));

  options = StartOptions();
  options.probe = milliseconds(300);
  const auto client = StartBad("hang-probe", options);
  ASSERT_TRUE(client.has_value()) << client.error().message;
  const auto probe = (*client)->ProbeTarget();
  ASSERT_FALSE(probe.has_value());
  EXPECT_EQ(probe.error().code, ErrorCode::kTimeout);
  ExpectGone(**client);
}

TEST_F(ProviderFault, SaysNothingForTooLong) {
  StartOptions options;
  options.silence = milliseconds(300);
  const auto client = StartBad("hang-apply", options);
  ASSERT_TRUE(client.has_value()) << client.error().message;
  CountOutcomes outcomes;
  const auto done = (*client)->Apply(Creates(1, 3, true), {}, outcomes);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kTimeout);
  EXPECT_THAT(done.error().message, HasSubstr("said nothing for 0.3 s during Apply"));
  ExpectGone(**client);
}

// A process frozen as a whole: its own target fails in time, and no other.
TEST_F(ProviderFault, IsStoppedWhileAnotherTargetIsObserved) {
  StartOptions options;
  options.keep_alive = milliseconds(400);
  std::vector<observe::OpenTarget> targets(2);
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string name = i == 0 ? "edge" : "far";
    auto client = StartMemory(name, options);
    ASSERT_NE(client, nullptr);
    Fill(*client, 2000);
    targets[i].name = "host:" + name;
    targets[i].target = std::move(client);
  }
  const pid_t pid = dynamic_cast<Client&>(*targets[0].target).pid();
  ASSERT_NO_FATAL_FAILURE(Stop(pid));
  const auto begin = steady_clock::now();
  const auto observed = observe::Observe(targets, {}, {});
  EXPECT_LT(steady_clock::now() - begin, kSoon + kSoon);
  const observe::ObservedTarget* stopped = observed.Find("host:edge");
  ASSERT_NE(stopped, nullptr);
  EXPECT_FALSE(stopped->reached);
  EXPECT_EQ(stopped->error.code, ErrorCode::kTimeout);
  EXPECT_THAT(stopped->error.message,
              HasSubstr(fmt::format("provider memory (host:edge) did not answer Probe: something "
                                    "has stopped its process {}",
                                    pid)));
  const observe::ObservedTarget* other = observed.Find("host:far");
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(other->reached) << other->error.message;
  EXPECT_EQ(other->objects.OfKind(Kind::kAccount).size(), 2000u);
  targets.clear();
  EXPECT_EQ(kill(pid, 0), -1) << "the stopped provider was left behind";
}

TEST_F(ProviderFault, IsStoppedInTheMiddleOfAnAnswer) {
  StartOptions options;
  options.keep_alive = milliseconds(400);
  auto client = StartMemory("edge", options);
  ASSERT_NE(client, nullptr);
  Fill(*client, 20'000);
  SignalAmong sink(client->pid(), SIGSTOP);
  const auto begin = steady_clock::now();
  const auto scopes = client->Enumerate({}, sink);
  ASSERT_FALSE(scopes.has_value()) << "half an answer looked like a whole one";
  EXPECT_EQ(scopes.error().code, ErrorCode::kTimeout);
  EXPECT_THAT(scopes.error().message, HasSubstr("did not answer Enumerate: something has stopped"));
  EXPECT_LT(steady_clock::now() - begin, kSoon + kSoon);
  EXPECT_LT(sink.objects, 20'000);
  ExpectGone(*client);
}

TEST_F(ProviderFault, SendsJunk) {
  const auto begin = steady_clock::now();
  const auto client = StartBad("junk");
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(client.error().message, HasSubstr("is it a provider?"));
  EXPECT_LT(steady_clock::now() - begin, kSoon);
}

TEST_F(ProviderFault, EndsAtOnceWithWords) {
  const auto client = StartBad("exits");
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(client.error().message, HasSubstr("ended (exit 3) during Hello"));
  EXPECT_THAT(client.error().message, HasSubstr("first line | [31mno such library: libfoo.so"));
  EXPECT_EQ(client.error().message.find('\x1b'), std::string::npos);
}

TEST_F(ProviderFault, IsNotThereOrNoProvider) {
  StartOptions options;
  options.program = scratch_.File("postern-provider-missing");
  const auto missing = Start(options, v1::TargetConfig(), {});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotInstalled);
  EXPECT_THAT(missing.error().message, HasSubstr(options.program));

  options.program = scratch_.Write("not-a-program", "neither ELF nor script\n", 0755);
  EXPECT_THAT(Start(options, v1::TargetConfig(), {}).error().message, HasSubstr("cannot start"));

  options.program = support::FindProgram("true");
  EXPECT_THAT(Start(options, v1::TargetConfig(), {}).error().message,
              HasSubstr("ended (exit 0) during Hello"));
}

TEST_F(ProviderFault, SpeaksAnotherProtocol) {
  const auto client = StartBad("wrong-version");
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(client.error().message, HasSubstr("speaks protocol 9, this core 1"));
}

TEST_F(ProviderFault, LosesTheEndOfAnEnumeration) {
  for (const char* mode : {"no-last", "unknown-kind"}) {
    SCOPED_TRACE(mode);
    const auto client = StartBad(mode);
    ASSERT_TRUE(client.has_value()) << client.error().message;
    CountObjects sink;
    const auto scopes = (*client)->Enumerate({}, sink);
    ASSERT_FALSE(scopes.has_value());
    EXPECT_EQ(scopes.error().code, ErrorCode::kInternal);
    EXPECT_THAT(scopes.error().message, HasSubstr("breaks the protocol"));
  }
}

TEST_F(ProviderFault, CountsMoreThanItSends) {
  const auto client = StartBad("miscounts");
  ASSERT_TRUE(client.has_value()) << client.error().message;
  CountObjects sink;
  const auto scopes = (*client)->Enumerate({}, sink);
  ASSERT_TRUE(scopes.has_value()) << scopes.error().message;
  ASSERT_EQ(scopes->size(), 1u);
  EXPECT_FALSE(scopes->front().complete);
  EXPECT_THAT(scopes->front().reason, HasSubstr("counted 5"));
}

TEST_F(ProviderFault, AnswersWhatNobodyAsked) {
  const auto other_key = StartBad("other-key"), twice = StartBad("answers-twice"),
             never = StartBad("never-answers");
  const object::ObjectKey keys[] = {{Kind::kAccount, Account(1).key}};
  EXPECT_THAT((*other_key)->Read(keys).error().message, HasSubstr("another key"));
  CountOutcomes outcomes;
  EXPECT_THAT((*twice)->Apply(Creates(1, 1, true), {}, outcomes).error().message,
              HasSubstr("answered twice"));
  EXPECT_THAT((*never)->Apply(Creates(1, 2, true), {}, outcomes).error().message,
              HasSubstr("2 operations have no answer"));
}

TEST_F(ProviderFault, CarriesAGroupLargerThanAnyMessage) {
  auto client = StartMemory();
  Fill(*client, 40'000);  // one group of 12 MB, over the limit of 8 MiB a message
  ExpectAccounts(*client, 40'000);
  std::vector<object::ObjectKey> keys;
  for (int n = 1; n <= 40'000; ++n) keys.push_back({Kind::kAccount, Account(n).key});
  const auto answers = client->Read(keys);
  ASSERT_TRUE(answers.has_value()) << answers.error().message;
  ASSERT_EQ(answers->size(), keys.size());
  EXPECT_EQ(answers->back().object.body, Account(40'000).body);
}

TEST_F(ProviderFault, DiesWithTheCore) {
  support::BecomeSubreaper();  // a zombie counts as gone: whoever adopts it may be slow to reap
  const auto core = support::RunCommand({CORE_CHILD, scratch_.File("world")});
  ASSERT_EQ(core.signal, SIGKILL) << core.err;
  const pid_t pid = std::atoi(core.out.c_str());
  ASSERT_GT(pid, 0);
  const auto gone = [&] {
    std::string stat;
    if (FILE* file = std::fopen(fmt::format("/proc/{}/stat", pid).c_str(), "r")) {
      char text[256] = {};
      const size_t got = std::fread(text, 1, sizeof(text) - 1, file);
      std::fclose(file);
      stat.assign(text, got);
    }
    return stat.empty() || stat.find(") Z") != std::string::npos;
  };
  EXPECT_TRUE(support::Eventually(kSoon, gone)) << "the provider outlived its core";
}

TEST_F(ProviderFault, LeavesNoCoreFileAndTakesNoPrivileges) {
  auto client = StartMemory();
  const std::string proc = fmt::format("/proc/{}/", client->pid());
  EXPECT_THAT(support::ReadFile(proc + "status"), HasSubstr("NoNewPrivs:\t1"));
  const std::string limits = support::ReadFile(proc + "limits");
  const std::string line = limits.substr(limits.find("Max core file size"));
  EXPECT_THAT(line.substr(0, line.find('\n')), HasSubstr(" 1 "));
  const std::string environment = support::ReadFile(proc + "environ");
  EXPECT_EQ(environment.find("HOME="), std::string::npos);
  EXPECT_THAT(environment, HasSubstr("LC_ALL=C"));
}

}  // namespace
}  // namespace postern::provider
