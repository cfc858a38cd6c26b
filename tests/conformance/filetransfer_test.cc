// The file-transfer provider on a real ProFTPD, in this process and as a process of its own.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/provider/client.h"
#include "providers/filetransfer/proftpd/include_file.h"
#include "providers/filetransfer/target.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/conformance/samples.h"
#include "tests/conformance/suite.h"
#include "tests/support/proftpd.h"

namespace postern::conformance {
namespace {

namespace fs = std::filesystem;
using support::Proftpd;
using support::ReadFile;

// One daemon for the whole binary: its files are put back before each test, and it runs again when
// the test before made the provider restart it.
class Site {
 public:
  static Site& Get() {
    auto& slot = Slot();
    if (slot == nullptr) slot.reset(new Site);
    return *slot;
  }
  // Emptied at the end of main (below), while everything that a Site uses is still there.
  static std::unique_ptr<Site>& Slot() {
    static auto* const slot = new std::unique_ptr<Site>;
    return *slot;
  }
  ~Site() { support::EndAdopted("proftpd"); }

  void Reset() {
    proftpd.WriteAccounts({});
    proftpd.WriteGroups({});
    for (const std::string& folder : {proftpd.keys_path(), proftpd.data()}) {
      for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        fs::remove_all(entry.path());
      }
    }
    WriteRows({});
    if (proftpd.process() != nullptr && proftpd.process()->Alive()) return;
    proftpd.Stop();
    support::EndAdopted("proftpd");
    ASSERT_TRUE(proftpd.Start());
  }

  // The include of another control plane on the same folders.
  void WriteRows(const std::vector<access::GrantRow>& rows) {
    const std::vector<std::string> roots = {proftpd.data()};
    const auto text = proftpd::Lower(rows, roots);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    proftpd.WriteInclude(*text);
  }

 private:
  support::Scratch scratch_;

 public:
  Proftpd proftpd{scratch_};

 private:
  Site() = default;
};

class Ending : public testing::Environment {
  void TearDown() override { Site::Slot().reset(); }
};
[[maybe_unused]] const testing::Environment* const kEnding =
    testing::AddGlobalTestEnvironment(new Ending);

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Replaces the line of a name in a file of lines with colons, or appends one.
void PutLine(const std::string& path, const std::string& name, const std::string& line) {
  std::string out;
  const std::string text = ReadFile(path);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string old = text.substr(at, end - at);
    if (!old.starts_with(name + ":")) out += old + "\n";
    at = end + 1;
  }
  Write(path, out + line + "\n");
}

class FiletransferWorld : public World {
 public:
  FiletransferWorld() {
    site_.Reset();
    names_.server = "ftp";
    names_.host = "edge";
    names_.root = site_.proftpd.data();
    config_.set_name("host:edge");
    decl::Host& host = *config_.mutable_host();
    host.set_name(names_.host);
    host.set_address("local:");
    host.mutable_manage()->mutable_roots()->add_values(names_.root);
    host.mutable_manage()->set_accounts("all");
    decl::Server& server = *config_.add_servers();
    server.set_name(names_.server);
    server.set_host(names_.host);
    server.set_product("proftpd");
    server.set_config(site_.proftpd.config_path());
    server.set_include(site_.proftpd.include_path());
    for (const std::string& word : site_.proftpd.StartCommand()) {
      server.mutable_control()->mutable_start()->add_values(word);
    }
  }

  std::string WhyOff(Feature feature, Kind kind) const override {
    const bool edge = kind == Kind::kSshKey || kind == Kind::kServerMembership;
    switch (feature) {
      case Feature::kStableIds:
        if (kind == Kind::kFolder) return "";
        return kind == Kind::kAccount ? "an account's id is its uid: the same uid is the same owner"
                                      : "ProFTPD's files have no ids beside the names";
      case Feature::kRename:
        return kind == Kind::kAccount
                   ? "the samples change the uid, which is the id; tests/live/filetransfer renames"
                   : "nothing but an account keeps its identity under another name";
      case Feature::kValues:
        return edge ? "it is its key and has no field beside it" : "";
      case Feature::kClear:
        return kind == Kind::kAccount ? "" : "none of its fields can be unset";
      case Feature::kDelete:
        return kind == Kind::kFolder ? "folders hold other people's files and are never deleted"
                                     : "";
      case Feature::kUnreadable:
        return "a file is read whole or not at all";
      case Feature::kWho:
        return "a file says when it was written, and not by whom";
      case Feature::kCutShort:
        return "tests/live/filetransfer takes files away and cuts connections";
      case Feature::kLostAnswer:
      case Feature::kDeath:
        return "tests/live/filetransfer kills the provider at each of its kill points";
    }
    return "";
  }
  Result<std::unique_ptr<object::Target>> Connect() override {
    return filetransfer::MakeTarget(config_, Keys());
  }
  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override {
    return SampleOf(names_, kind, n, version);
  }
  void Prepare(Kind kind, int /*first*/, int /*last*/) override {
    if (prepared_) return;
    prepared_ = true;
    // A key without its account waits aside, and a member needs its group.
    if (kind == Kind::kSshKey) HandPut(*Sample(Kind::kAccount, 0, 0));
    if (kind == Kind::kServerMembership) HandPut(*Sample(Kind::kServerGroup, 0, 0));
  }
  void HandPut(const Message& message) override {
    const object::Object object = object::Encode(message);
    switch (object.kind) {
      case Kind::kAccount:
        return PutAccount(object::DecodeAs<kinds::Account>(object.body));
      case Kind::kSshKey:
        return PutKey(object::DecodeAs<kinds::SshKey>(object.body));
      case Kind::kServerGroup:
        return PutGroup(object::DecodeAs<kinds::ServerGroup>(object.body));
      case Kind::kServerMembership:
        return PutMember(object::DecodeAs<kinds::ServerMembership>(object.body));
      case Kind::kFolder:
        return PutFolder(object::DecodeAs<kinds::Folder>(object.body));
      case Kind::kGrant:
        return PutGrant(object::DecodeAs<kinds::Grant>(object.body));
      default:
        FAIL() << "nobody makes one by hand";
    }
  }
  void HandDelete(Kind kind, const std::string& key) override {
    ASSERT_EQ(kind, Kind::kFolder) << "only folders are replaced under their key";
    fs::remove_all(std::string(object::SplitKey(key).back()));
  }
  uint32_t MakeUnreadable(Kind, const std::string&) override {
    ADD_FAILURE();
    return 0;
  }
  void CutShort(Kind, int) override { FAIL(); }
  void LoseAnswers(int) override { FAIL(); }
  void DieAfter(int) override { FAIL(); }
  void Mend() override {}

 protected:
  static object::Secrets Keys() { return {{"ledger-key", "a key for tests"}}; }
  provider::v1::TargetConfig config_;

 private:
  void PutAccount(const kinds::Account& account) {
    PutLine(
        site_.proftpd.passwd_path(), account.login(),
        fmt::format("{}:{}:{}:{}:{}:{}:/bin/false", account.login(), account.enabled() ? "*" : "!*",
                    account.uid(), account.gid(), account.comment(), account.home()));
  }
  void PutKey(const kinds::SshKey& key) {
    const std::string& text = key.public_key();
    std::ofstream(site_.proftpd.keys_path() + "/" + key.login(), std::ios::app)
        << "---- BEGIN SSH2 PUBLIC KEY ----\nComment: \"by hand\"\n"
        << text.substr(text.find(' ') + 1) << "\n---- END SSH2 PUBLIC KEY ----\n";
  }
  void PutGroup(const kinds::ServerGroup& group) {
    PutLine(site_.proftpd.group_path(), group.name(),
            fmt::format("{}:x:{}:", group.name(), group.gid()));
  }
  void PutMember(const kinds::ServerMembership& member) {
    const std::string text = ReadFile(site_.proftpd.group_path());
    const size_t at = text.find(member.group() + ":x:");
    ASSERT_NE(at, std::string::npos);
    std::string line = text.substr(at, text.find('\n', at) - at);
    line += (line.ends_with(':') ? "" : ",") + member.login();
    PutLine(site_.proftpd.group_path(), member.group(), line);
  }
  static void PutFolder(const kinds::Folder& folder) {
    fs::create_directory(folder.path());
    EXPECT_EQ(::chmod(folder.path().c_str(), folder.mode()), 0);
  }
  void PutGrant(const kinds::Grant& grant) {
    const auto now = proftpd::ParseInclude(ReadFile(site_.proftpd.include_path()));
    ASSERT_TRUE(now.has_value()) << now.error().message;
    const auto depth = access::ParseDepth(grant.depth());
    const auto subject = access::ParseSubject(grant.subject());
    ASSERT_TRUE(depth && subject);
    std::vector<access::GrantRow> rows = now->rows;
    std::erase_if(rows, [&](const access::GrantRow& row) {
      return row.path == grant.path() && row.depth == *depth && row.subject == *subject;
    });
    rows.push_back({grant.path(), *depth, *subject, access::Rights(grant.rights())});
    site_.WriteRows(rows);
  }

  Site& site_ = Site::Get();
  Names names_;
  bool prepared_ = false;
};

class ProcessWorld final : public FiletransferWorld {
 public:
  Result<std::unique_ptr<object::Target>> Connect() override {
    provider::StartOptions options;
    options.program = provider::ProviderProgram("filetransfer");
    return provider::Start(options, config_, Keys());
  }
};

template <class W>
std::vector<Param> All(const std::vector<Kind>& kinds) {
  std::vector<Param> params = Params(
      "filetransfer", kinds, []() -> std::unique_ptr<World> { return std::make_unique<W>(); });
  // Without unreadable fields the second round would be the first once more.
  std::erase_if(params, [](const Param& param) { return param.unreadable; });
  return params;
}

INSTANTIATE_TEST_SUITE_P(Filetransfer, Conformance,
                         testing::ValuesIn(All<FiletransferWorld>(
                             {Kind::kAccount, Kind::kSshKey, Kind::kServerGroup,
                              Kind::kServerMembership, Kind::kFolder, Kind::kGrant})),
                         ParamName);
INSTANTIATE_TEST_SUITE_P(FiletransferProcess, Conformance,
                         testing::ValuesIn(All<ProcessWorld>({Kind::kAccount})), ParamName);

}  // namespace
}  // namespace postern::conformance
