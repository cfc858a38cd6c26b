// The file-transfer provider on a real sshd over system accounts, in this process and as a process
// of its own. Everything is on a machine of its own (tests/live/openssh_product/machine.h).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/access/rights.h"
#include "core/provider/client.h"
#include "providers/filetransfer/target.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/conformance/samples.h"
#include "tests/conformance/suite.h"
#include "tests/live/openssh/world.h"
#include "tests/support/scratch.h"

namespace postern::conformance {
namespace {

namespace fs = std::filesystem;
using live::kExchange;
using live::SshdWorld;

constexpr unsigned kGid = 30000;  // of the group that marks accounts as managed
const std::string kAway = "/srv/away", kAwayInEtc = "/etc/away-";

void Append(const std::string& path, const std::string& line) {
  std::ofstream(path, std::ios::app) << line << "\n";
}

// The lines of a file of accounts but for one name's.
void DropLine(const std::string& path, const std::string& name) {
  std::ifstream in(path);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name + ":")) out += line + "\n";
  }
  in.close();
  std::ofstream(path, std::ios::trunc) << out;
}

class OpenSshWorld : public World {
 public:
  OpenSshWorld() {
    fs::remove_all(kAway);
    EXPECT_TRUE(sshd_.Start());
    names_.server = "sftp";
    names_.host = "edge";
    names_.root = kExchange;
    config_.set_name("host:edge");
    decl::Host& host = *config_.mutable_host();
    host.set_name(names_.host);
    host.set_address("local:");
    host.mutable_manage()->mutable_roots()->add_values(kExchange);
    host.mutable_manage()->set_accounts("group:ftpusers");
    decl::Server& server = *config_.add_servers();
    server.set_name(names_.server);
    server.set_host(names_.host);
    server.set_product("openssh");
    server.set_config(sshd_.config());
    server.mutable_uids()->set_from(30000);
    server.mutable_uids()->set_to(59999);
    server.mutable_uids()->set_gid(kGid);
    server.mutable_control()->set_pidfile("/srv/ssh/sshd.pid");
  }
  ~OpenSshWorld() override {
    for (const char* name : {"shadow", "group"}) {
      const std::string away = kAwayInEtc + name;
      if (fs::exists(away)) fs::rename(away, fmt::format("/etc/{}", name));
    }
  }

  std::string WhyOff(Feature feature, Kind kind) const override {
    const bool edge = kind == Kind::kSshKey || kind == Kind::kServerMembership;
    switch (feature) {
      case Feature::kStableIds:
        if (kind == Kind::kFolder || kind == Kind::kAccount) return "";
        return "what files and ACLs hold has no id beside the name";
      case Feature::kRename:
        return kind == Kind::kAccount ? ""
                                      : "nothing but an account keeps its id under another name";
      case Feature::kValues:
        return edge ? "it is its key and has no field beside it" : "";
      case Feature::kClear:
        return kind == Kind::kAccount ? "" : "none of its fields can be unset";
      case Feature::kDelete:
        return kind == Kind::kFolder ? "folders hold other people's files and are never deleted"
                                     : "";
      case Feature::kUnreadable:
        return "a file is read whole or not at all: what can't be read makes its scope incomplete";
      case Feature::kWho:
        return "a file says when it was written, and not by whom";
      case Feature::kCutShort:
        return "";
      case Feature::kLostAnswer:
        return "a lost answer is the provider's death, which is tried";
      case Feature::kDeath:
        return "in the test's own process nothing can die; the process of its own does";
    }
    return "";
  }
  Result<std::unique_ptr<object::Target>> Connect() override {
    return filetransfer::MakeTarget(config_, Keys());
  }
  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override {
    auto sample = SampleOf(names_, kind, n, version);
    if (kind == Kind::kServerGroup) {
      static_cast<kinds::ServerGroup&>(*sample).set_gid(40000 + n + 5000 * version);
    }
    return sample;
  }
  std::unique_ptr<Message> Renamed(Kind kind, int from, int to) const override {
    auto sample = Sample(kind, to, 0);
    static_cast<kinds::Account&>(*sample).set_uid(30000 + from);
    return sample;
  }
  void Prepare(Kind kind, int first, int last) override {
    const bool of_account = kind == Kind::kSshKey || kind == Kind::kGrant;
    if (of_account) PutOnce(*Sample(Kind::kAccount, 0, 0));
    if (kind == Kind::kGrant) DenyAll();
    if (kind == Kind::kServerMembership) PutOnce(*Sample(Kind::kServerGroup, 0, 0));
    for (int n = first; n <= last; ++n) {
      if (kind == Kind::kServerMembership) PutOnce(*Sample(Kind::kAccount, n, 0));
      if (kind == Kind::kGrant) SshdWorld::MakeFolder(PathOf(n), "0700");
    }
  }
  void HandPut(const Message& message) override {
    const object::Object object = object::Encode(message);
    switch (object.kind) {
      case Kind::kAccount:
        return PutAccount(object::DecodeAs<kinds::Account>(object.body));
      case Kind::kSshKey: {
        const auto key = object::DecodeAs<kinds::SshKey>(object.body);
        return Append("/srv/ssh/keys/" + key.login(), key.public_key());
      }
      case Kind::kServerGroup: {
        const auto group = object::DecodeAs<kinds::ServerGroup>(object.body);
        DropLine("/etc/group", group.name());
        return Append("/etc/group", fmt::format("{}:x:{}:", group.name(), group.gid()));
      }
      case Kind::kServerMembership:
        return PutMember(object::DecodeAs<kinds::ServerMembership>(object.body));
      case Kind::kFolder: {
        const auto folder = object::DecodeAs<kinds::Folder>(object.body);
        fs::create_directory(folder.path());
        EXPECT_EQ(::chmod(folder.path().c_str(), folder.mode()), 0);
        return;
      }
      case Kind::kGrant:
        return PutGrant(object::DecodeAs<kinds::Grant>(object.body));
      default:
        FAIL() << "nobody makes one by hand";
    }
  }
  void HandDelete(Kind kind, const std::string& key) override {
    const std::string name(object::SplitKey(key).back());
    if (kind == Kind::kFolder) {
      fs::remove_all(name);
      return;
    }
    ASSERT_EQ(kind, Kind::kAccount);
    for (const char* file : {"/etc/passwd", "/etc/shadow"}) DropLine(file, name);
    gone_.insert(name);
  }
  uint32_t MakeUnreadable(Kind, const std::string&) override {
    ADD_FAILURE();
    return 0;
  }
  // What the kind is read from goes, or is something else.
  void CutShort(Kind kind, int) override {
    switch (kind) {
      case Kind::kAccount:
        return fs::rename("/etc/shadow", kAwayInEtc + "shadow");
      case Kind::kServerGroup:
      case Kind::kServerMembership:
        return fs::rename("/etc/group", kAwayInEtc + "group");
      case Kind::kFolder:
        return fs::rename(kExchange, kAway);
      default:
        // Where keys and rules stand only sshd's configuration says.
        fs::rename(sshd_.config(), kAway);
        fs::create_directory(sshd_.config());
    }
  }
  void LoseAnswers(int) override { FAIL(); }
  void DieAfter(int) override { FAIL(); }
  void Mend() override {}

 protected:
  static object::Secrets Keys() { return {{"ledger-key", "a key for tests"}}; }
  provider::v1::TargetConfig config_;

 private:
  static std::string PathOf(int n) { return fmt::format("{}/folder{}", kExchange, n); }
  // Rows stand in a managed root whose deny-all is there.
  void DenyAll() {
    kinds::Grant none;
    none.set_server(names_.server);
    none.set_path(kExchange);
    none.set_depth("subtree");
    none.set_subject("everyone");
    none.set_rights(0);
    if (made_.insert(object::Encode(none).key).second) WriteElsewhere(none);
  }
  // As another control plane over the same host writes it.
  void WriteElsewhere(const Message& message) {
    const object::Object object = object::Encode(message);
    struct Sink final : object::OutcomeSink {
      void Add(object::Outcome outcome) override {
        EXPECT_EQ(outcome.status, object::Status::kApplied) << outcome.message;
      }
    } sink;
    auto target = filetransfer::MakeTarget(config_, Keys());
    ASSERT_TRUE(target.has_value()) << target.error().message;
    const object::OperationGroup groups[] = {
        {"", {{.id = 1, .kind = object.kind, .key = object.key, .after = object.body}}}};
    EXPECT_TRUE((*target)->Apply(groups, Keys(), sink).has_value());
  }
  void PutOnce(const Message& message) {
    const object::Object object = object::Encode(message);
    if (made_.insert(object.key).second) HandPut(message);
  }
  // Who comes again under a name that somebody had by hand gets another number.
  void PutAccount(const kinds::Account& account) {
    const unsigned uid = account.uid() + (gone_.contains(account.login()) ? 5000 : 0);
    for (const char* file : {"/etc/passwd", "/etc/shadow"}) DropLine(file, account.login());
    Append("/etc/passwd", fmt::format("{}:x:{}:{}:{}:{}:/usr/sbin/nologin", account.login(), uid,
                                      account.gid(), account.comment(), account.home()));
    Append("/etc/shadow",
           fmt::format("{}:*:19000:0:99999:7::{}:", account.login(), account.enabled() ? "" : "1"));
  }
  static void PutMember(const kinds::ServerMembership& member) {
    SshdWorld::Run({"usermod", "-a", "-G", member.group(), member.login()});
  }
  // To list, as an administrator would: entries for the account, on the way there, too.
  void PutGrant(const kinds::Grant& grant) {
    if (access::Rights(grant.rights()) != access::Right::kList) return WriteElsewhere(grant);
    const std::string who = "u:login0:";
    SshdWorld::Run({"setfacl", "-m", who + "x", kExchange});
    SshdWorld::Run({"setfacl", "-m", who + "rx", grant.path()});
    SshdWorld::Run({"setfacl", "-d", "-m", who + "rx", grant.path()});
  }

  SshdWorld sshd_{SshdWorld::Options{}};
  Names names_;
  std::set<std::string> made_, gone_;
};

// A connection that can be made again with a provider that will be killed.
class Switched final : public object::Target {
 public:
  explicit Switched(std::shared_ptr<std::unique_ptr<object::Target>> inner)
      : inner_(std::move(inner)) {}
  Result<object::Probe> ProbeTarget() override { return (*inner_)->ProbeTarget(); }
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const Kind> kinds,
                                                     object::ObjectSink& sink) override {
    return (*inner_)->Enumerate(kinds, sink);
  }
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override {
    return (*inner_)->Read(keys);
  }
  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets& secrets,
                     object::OutcomeSink& sink) override {
    return (*inner_)->Apply(groups, secrets, sink);
  }

 private:
  std::shared_ptr<std::unique_ptr<object::Target>> inner_;
};

class ProcessWorld final : public OpenSshWorld {
 public:
  std::string WhyOff(Feature feature, Kind kind) const override {
    return feature == Feature::kDeath ? "" : OpenSshWorld::WhyOff(feature, kind);
  }
  Result<std::unique_ptr<object::Target>> Connect() override {
    auto client = Start();
    if (!client) return tl::unexpected(client.error());
    inner_ = std::make_shared<std::unique_ptr<object::Target>>(std::move(*client));
    return std::make_unique<Switched>(inner_);
  }
  void DieAfter(int operations) override {
    const std::string point = fmt::format("provider.apply.answered:{}", operations);
    ::setenv("POSTERN_PROVIDER_KILL_POINT", point.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
    auto client = Start();
    Mend();
    ASSERT_TRUE(client.has_value()) << client.error().message;
    *inner_ = std::move(*client);
  }
  void Mend() override { ::unsetenv("POSTERN_PROVIDER_KILL_POINT"); }  // NOLINT

 private:
  Result<std::unique_ptr<provider::Client>> Start() const {
    provider::StartOptions options;
    options.program = provider::ProviderProgram("filetransfer");
    return provider::Start(options, config_, Keys());
  }
  std::shared_ptr<std::unique_ptr<object::Target>> inner_;
};

template <class W>
std::vector<Param> All(const std::string& name, const std::vector<Kind>& kinds) {
  std::vector<Param> params =
      Params(name, kinds, []() -> std::unique_ptr<World> { return std::make_unique<W>(); });
  // Without unreadable fields the second round would be the first once more.
  std::erase_if(params, [](const Param& param) { return param.unreadable; });
  return params;
}

INSTANTIATE_TEST_SUITE_P(OpenSsh, Conformance,
                         testing::ValuesIn(All<OpenSshWorld>(
                             "openssh", {Kind::kAccount, Kind::kSshKey, Kind::kServerGroup,
                                         Kind::kServerMembership, Kind::kFolder, Kind::kGrant})),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(OpenSshProcess, Conformance,
                         testing::ValuesIn(All<ProcessWorld>(
                             "openssh_process", {Kind::kAccount, Kind::kSshKey, Kind::kGrant})),
                         ParamName);

}  // namespace
}  // namespace postern::conformance
