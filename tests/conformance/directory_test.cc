// The directory provider on a real slapd, in this process and as a process of its own.
#include <fmt/format.h>

#include "core/provider/client.h"
#include "providers/directory/directory.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/conformance/samples.h"
#include "tests/conformance/suite.h"
#include "tests/support/slapd.h"

namespace postern::conformance {
namespace {

using support::Slapd;

// Descriptions of entries with this mark are hidden from the reconciler, at once.
constexpr const char* kMark = "businessCategory: hidden\n";

Slapd::Options Options() {
  return {.access = {"access to filter=(businessCategory=hidden) attrs=description by dn.exact=\"" +
                     std::string(Slapd::kBindDn) + "\" none by * read"}};
}

std::string Line(const char* name, const std::string& value) {
  return value.empty() ? "" : fmt::format("{}: {}\n", name, value);
}

class DirectoryWorld : public World {
 public:
  DirectoryWorld() : slapd_(Options()) {
    names_.base = Slapd::kSuffix;
    config_.set_name("directory:corp");
    decl::Directory& declared = *config_.mutable_directory();
    declared.set_name("corp");
    declared.set_url(slapd_.url());
    declared.mutable_bind()->set_dn(Slapd::kBindDn);
    declared.mutable_bind()->set_password("secret:bind");
    declared.mutable_tls()->set_start(false);
    declared.mutable_manage()->mutable_bases()->add_values(Slapd::kSuffix);
  }

  std::string WhyOff(Feature feature, Kind kind) const override {
    const bool edge = kind == Kind::kMembership;
    switch (feature) {
      case Feature::kStableIds:
      case Feature::kRename:
        return edge ? "a membership is its key and has no id" : "";
      case Feature::kValues:
      case Feature::kClear:
      case Feature::kUnreadable:
        return edge ? "a membership has no field beside its key" : "";
      case Feature::kWho:
        return edge ? "only the last writer of the whole group is recorded" : "";
      case Feature::kLostAnswer:
        return "slapd loses no answers; tests/fault kills the provider around each write";
      case Feature::kCutShort:
        return "tests/live/directory cuts answers short by limits, a crash and a stop";
      case Feature::kDeath:
        return "tests/fault kills the provider around each write";
      default:
        return "";
    }
  }
  Result<std::unique_ptr<object::Target>> Connect() override {
    return directory::Open(config_.directory(), Keys());
  }
  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override {
    return SampleOf(names_, kind, n, version);
  }
  void Prepare(Kind kind, int /*first*/, int /*last*/) override {
    if (kind != Kind::kMembership || prepared_) return;
    prepared_ = true;
    slapd_.Modify(
        fmt::format("dn: cn=group0,{}\nchangetype: add\nobjectClass: groupOfNames\n"
                    "cn: group0\nmember: cn=group0,{}\n",
                    Slapd::kGroups, Slapd::kGroups));
  }
  void HandPut(const Message& message) override {
    const object::Object object = object::Encode(message);
    if (object.kind == Kind::kMembership) {
      const auto edge = object::DecodeAs<kinds::Membership>(object.body);
      slapd_.Modify(fmt::format("dn: {}\nchangetype: modify\nadd: member\nmember: {}\n",
                                edge.group(), edge.member()));
      return;
    }
    const std::string dn = DnOf(object);
    const bool there =
        slapd_.Search(Slapd::kSuffix, fmt::format("(entryDN={})", dn), {"1.1"}).size() > 2;
    if (there) {
      slapd_.Modify(fmt::format("dn: {}\nchangetype: delete\n", dn));
    }
    slapd_.Modify(Ldif(object, dn));
  }
  void HandDelete(Kind kind, const std::string& key) override {
    ASSERT_NE(kind, Kind::kMembership);
    slapd_.Modify(fmt::format("dn: {}\nchangetype: delete\n", key));
  }
  uint32_t MakeUnreadable(Kind kind, const std::string& key) override {
    slapd_.Modify(fmt::format("dn: {}\nchangetype: modify\nadd: businessCategory\n{}", key, kMark));
    return kind == Kind::kUser ? 9 : 2;
  }
  void CutShort(Kind, int) override { FAIL(); }
  void LoseAnswers(int) override { FAIL(); }
  void DieAfter(int) override { FAIL(); }
  void Mend() override {}

 protected:
  static object::Secrets Keys() {
    return {{"ledger-key", "a key for tests"}, {"bind", Slapd::kPassword}};
  }
  provider::v1::TargetConfig config_;

 private:
  static std::string DnOf(const object::Object& object) {
    if (object.kind == Kind::kUser) return object::DecodeAs<kinds::User>(object.body).dn();
    if (object.kind == Kind::kOu) return object::DecodeAs<kinds::Ou>(object.body).dn();
    return object::DecodeAs<kinds::DirectoryGroup>(object.body).dn();
  }
  static std::string Ldif(const object::Object& object, const std::string& dn) {
    std::string text = fmt::format("dn: {}\nchangetype: add\n", dn);
    const std::string name = dn.substr(dn.find('=') + 1, dn.find(',') - dn.find('=') - 1);
    if (object.kind == Kind::kUser) {
      const auto user = object::DecodeAs<kinds::User>(object.body);
      text += "objectClass: inetOrgPerson\n" + Line("uid", user.uid()) +
              Line("cn", user.common_name()) + Line("sn", user.surname()) +
              Line("description", user.description());
      for (const std::string& mail : user.mail().values()) text += Line("mail", mail);
    } else if (object.kind == Kind::kOu) {
      text += "objectClass: organizationalUnit\n" + Line("ou", name) +
              Line("description", object::DecodeAs<kinds::Ou>(object.body).description());
    } else {
      text +=
          "objectClass: groupOfNames\n" + Line("cn", name) + Line("member", dn) +
          Line("description", object::DecodeAs<kinds::DirectoryGroup>(object.body).description());
    }
    return text;
  }

  Slapd slapd_;
  Names names_;
  bool prepared_ = false;
};

class ProcessWorld final : public DirectoryWorld {
 public:
  Result<std::unique_ptr<object::Target>> Connect() override {
    provider::StartOptions options;
    options.program = provider::ProviderProgram("directory");
    return provider::Start(options, config_, Keys());
  }
};

template <class W>
std::vector<Param> All(const std::string& name) {
  return Params(name, {Kind::kOu, Kind::kUser, Kind::kDirectoryGroup, Kind::kMembership},
                []() -> std::unique_ptr<World> { return std::make_unique<W>(); });
}

INSTANTIATE_TEST_SUITE_P(Directory, Conformance,
                         testing::ValuesIn(All<DirectoryWorld>("directory")), ParamName);
INSTANTIATE_TEST_SUITE_P(DirectoryProcess, Conformance,
                         testing::ValuesIn(All<ProcessWorld>("directory")), ParamName);

}  // namespace
}  // namespace postern::conformance
