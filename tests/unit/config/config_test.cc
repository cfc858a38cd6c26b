#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/time.h"
#include "core/config/declarations.h"
#include "core/config/index.h"
#include "core/config/json_schema.h"
#include "core/config/starter.h"
#include "core/config/tables.h"
#include "core/config/values.h"
#include "core/diag/render.h"

namespace postern::config {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kOperator[] = R"(
administrators = ["person:jo"]
[host.edge]
address = "memory:world"
limits = { lose_people = 7, lose_percent = 3 }
[server.ftp]
host = "edge"
product = "proftpd"
[directory.corp]
url = "memory:world"
users_ou = "ou=people,dc=x"
groups_ou = "ou=groups,dc=x"
)";

class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "postern-config-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Write("operator/postern.toml", kOperator);
    Write("access/people.toml", "[person.jo]\n");
  }
  ~Scratch() { fs::remove_all(folder_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }
  Loaded Read() const { return Load({.operator_file = folder_ / "operator/postern.toml"}); }

 private:
  fs::path folder_;
};

std::string Said(const Loaded& loaded) {
  return diag::Render(loaded.diagnostics, loaded.sources);
}

std::vector<std::string> Codes(const Loaded& loaded) {
  std::vector<std::string> codes;
  for (const auto& d : loaded.diagnostics.all()) codes.push_back(d.code);
  return codes;
}

TEST(Load, FillsMessagesAndPlaces) {
  Scratch scratch;
  scratch.Write("access/a.toml", R"([partner.acme]
contract = { starts = 2026-01-01, ends = 2026-12-31 }
[account.in]
for = "partner:acme"
server = "ftp"
home = "/srv/a"
enabled = false
uid = 30001
[folder.f]
host = "edge"
path = "/srv/a"
[[grant]]
who = ["partner:acme",
       "account:in"]
folder = "f"
rights = ["list"]
expires = 2026-12-31T18:00:00+01:00
)");
  const Loaded loaded = scratch.Read();
  EXPECT_TRUE(loaded.diagnostics.empty()) << Said(loaded);
  EXPECT_EQ(loaded.files, 3u);
  const Declarations& all = loaded.declarations;
  ASSERT_EQ(all.accounts.size(), 1u);
  EXPECT_EQ(all.accounts[0].message.for_(), "partner:acme");
  EXPECT_FALSE(all.accounts[0].message.enabled());
  EXPECT_TRUE(all.accounts[0].message.has_enabled());
  EXPECT_EQ(all.accounts[0].message.uid(), 30001u);
  EXPECT_FALSE(all.accounts[0].message.has_keys());
  const auto& contract = all.partners[0].message.contract();
  EXPECT_EQ(base::FormatInstant(contract.starts()), "2026-01-01T00:00:00Z");
  EXPECT_EQ(base::FormatInstant(contract.ends()), "2026-12-31T23:59:59Z");
  const auto& grant = all.grants[0];
  EXPECT_EQ(base::FormatInstant(grant.message.expires()), "2026-12-31T17:00:00Z");
  EXPECT_EQ(grant.span.line, 12u);
  EXPECT_EQ(grant.At(decl::Grant::kWhoFieldNumber, 1).line, 14u);
  EXPECT_EQ(grant.At(decl::Grant::kWhoFieldNumber, 1).column, 8u);
  EXPECT_EQ(grant.At(decl::Grant::kWhoFieldNumber).line, 13u);
  EXPECT_EQ(grant.At(decl::Grant::kReasonFieldNumber).line, 12u);
}

TEST(Load, KeepsThePlacesOfInlineTables) {
  const Loaded loaded = Scratch().Read();
  const auto& host = loaded.declarations.hosts[0];
  constexpr int kLimits = decl::Host::kLimitsFieldNumber;
  EXPECT_EQ(host.message.limits().lose_people(), 7u);
  const auto people = host.At(Nested(kLimits, decl::Limits::kLosePeopleFieldNumber));
  const auto percent = host.At(Nested(kLimits, decl::Limits::kLosePercentFieldNumber));
  const auto change = host.At(Nested(kLimits, decl::Limits::kChangePercentFieldNumber));
  EXPECT_EQ(people.line, 5u);
  EXPECT_LT(people.column, percent.column);
  EXPECT_EQ(change.column, host.At(kLimits).column);
  EXPECT_EQ(
      loaded.declarations.operator_file.At(decl::Operator::kAdministratorsFieldNumber, 0).line, 2u);
}

TEST(Load, ReportsEveryFileAndGoesOnAfterSyntaxErrors) {
  Scratch scratch;
  scratch.Write("access/a.toml",
                "[folder.a]\nhost = \"edge\npath = \"/a\"\n[folder.b]\nhost = 1\n");
  scratch.Write("access/b.toml",
                "[[grant]]\nwho = [\"person:jo\"]\nfolder = \"a\"\nrights = [\"x\"]\n");
  EXPECT_THAT(Codes(scratch.Read()), ElementsAre("E0103", "E0206", "E0203", "E0207"));
}

TEST(Load, DoesNotBlameReferencesWhenAFileIsMissing) {
  Scratch scratch;
  scratch.Write("access/a.toml",
                "[[grant]]\nwho = [\"person:jo\"]\nfolder = \"gone\"\nrights = [\"list\"]\n");
  EXPECT_THAT(Codes(scratch.Read()), ElementsAre("E0204"));
  scratch.Write("access/b.toml", std::string((16 << 20) + 1, '\n'));
  EXPECT_THAT(Codes(scratch.Read()), ElementsAre("E0102"));
}

TEST(Load, MasksSecretsInEveryMessage) {
  Scratch scratch;
  scratch.Write("access/a.toml",
                "[account.a]\nfor = \"person:jo\"\nserver = \"ftp\"\nhome = \"/srv\"\n"
                "password = \"hunter2hunter2\"\ncomment = \"password=hunter2hunter2\"\n");
  const Loaded loaded = scratch.Read();
  EXPECT_THAT(Codes(loaded), ElementsAre("E0213", "E0214"));
  EXPECT_EQ(Said(loaded).find("hunter2"), std::string::npos);
  EXPECT_EQ(diag::RenderJson(loaded.diagnostics, loaded.sources).find("hunter2"),
            std::string::npos);
}

TEST(Load, FindsCyclesInDeepNestingWithoutRecursion) {
  Scratch scratch;
  std::string text;
  for (int i = 0; i < 20000; ++i) {
    text += "[group.g" + std::to_string(i) + "]\nmembers = [\"group:g" +
            std::to_string((i + 1) % 20000) + "\"]\n";
  }
  scratch.Write("access/a.toml", text);
  EXPECT_THAT(Codes(scratch.Read()), ElementsAre("E0229"));
}

TEST(Index, FindsByTableAndName) {
  const Loaded loaded = Scratch().Read();
  const Index index(loaded.declarations);
  ASSERT_NE(index.Get<decl::Server>("ftp"), nullptr);
  EXPECT_EQ(index.Get<decl::Server>("ftp")->message.host(), "edge");
  EXPECT_EQ(index.Get<decl::Server>("edge"), nullptr);
  EXPECT_NE(index.Find("person", "jo"), nullptr);
  EXPECT_EQ(index.Find("grant", "x"), nullptr);
  const auto address = SplitAddress("person:li.wong");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->table, "person");
  EXPECT_EQ(address->name, "li.wong");
  EXPECT_FALSE(SplitAddress("person"));
  EXPECT_FALSE(SplitAddress(":x"));
  EXPECT_FALSE(SplitAddress("person:"));
}

struct SecretCase {
  const char* text;
  bool secret;
};
class LooksSecretTest : public testing::TestWithParam<SecretCase> {};

TEST_P(LooksSecretTest, TellsSecretsFromProse) {
  EXPECT_EQ(!LooksSecret(GetParam().text).empty(), GetParam().secret) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, LooksSecretTest,
    testing::Values(SecretCase{"-----BEGIN OPENSSH PRIVATE KEY-----", true},
                    SecretCase{"$6$abcdefgh$0123456789abcdef", true},
                    SecretCase{"$2b$12$abcdefghijkl", true},
                    SecretCase{"{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", true},
                    SecretCase{"password = hunter2", true}, SecretCase{"Password:hunter2", true},
                    SecretCase{"token=abcdefgh", true},
                    SecretCase{"ghp_0123456789abcdefghij", true},
                    SecretCase{"AKIAIOSFODNN7EXAMPLE", true},
                    SecretCase{"kX9vQ2mLp7RtY4wZ8bNc3HjD6fGs1AeU", true},
                    SecretCase{"5f4dcc3b5aa765d61d8327deb882cf99", true},
                    SecretCase{"password = secret:acme-initial", false},
                    SecretCase{"password: ask the sponsor for it", false},
                    SecretCase{"the password is set by the partner", false},
                    SecretCase{"4f1c9e2b8d7a6f5e4d3c2b1a0f9e8d7c6b5a4f3e", false},  // a Git commit
                    SecretCase{"/srv/exchange/Partner2026/Incoming4Orders/Archive", false},
                    SecretCase{"A rather long sentence without any secret in it at all", false},
                    SecretCase{"https://tickets.example.com/browse/REQ-8841", false},
                    SecretCase{"it costs $5 and $6 more", false}));

TEST(Values, Names) {
  for (const char* name : {"a", "li.wong", "acme-in", "9x", "m\u00fcller", "\u4f60\u597d"}) {
    EXPECT_FALSE(CheckName(name)) << name;
  }
  for (const char* name : {"", ".a", "-a", "a b", "a/b", "a:b", "a\"", "\xff"}) {
    EXPECT_TRUE(CheckName(name)) << name;
  }
  EXPECT_TRUE(CheckName(std::string(129, 'a')));
}

TEST(Values, PathsAndDns) {
  for (const char* path : {"/", "/srv", "/srv/a b", "/srv/.hidden", "/srv/..."}) {
    EXPECT_FALSE(CheckPath(path)) << path;
  }
  for (const char* path :
       {"", "srv", "/srv/", "//", "/srv//a", "/.", "/..", "/a/..", "/a/../b", "/./a"}) {
    EXPECT_TRUE(CheckPath(path)) << path;
  }
  for (const char* dn :
       {"dc=x", "cn=a\\,b,dc=x", "cn=a+uid=b,dc=x", "2.5.4.3=a", "cn = a , dc=x"}) {
    EXPECT_TRUE(IsDn(dn)) << dn;
  }
  for (const char* dn : {"", "x", "cn=", "=x", "cn=a,", "cn=a,,dc=x", "c n=a"}) {
    EXPECT_FALSE(IsDn(dn)) << dn;
  }
}

// ---- schema and loader say the same

const char* ValueFor(const Field& field) {
  switch (field.type) {
    case ValueType::kText:
      return "1";  // always the wrong type: the key is known, so E0203
    case ValueType::kBool:
      return "\"x\"";
    case ValueType::kNumber:
      return "\"x\"";
    case ValueType::kInstant:
      return "\"x\"";
    case ValueType::kTexts:
    case ValueType::kTables:
      return "1";
    case ValueType::kTable:
      return "1";
  }
  return "";
}

std::string HeadingFor(const Table& table) {
  if (table.top_level) return "";
  return (table.array ? "[[" + table.name + "]]" : "[" + table.name + ".zz]") + "\n";
}

// Everything said about one key in one table.
std::vector<std::string> SaidAbout(const Table& table, const std::string& line) {
  Scratch scratch;
  scratch.Write(table.operator_file ? "operator/postern.toml" : "access/zz.toml",
                HeadingFor(table) + line + "\n");
  std::vector<std::string> codes;
  const Loaded loaded = scratch.Read();
  for (const auto& d : loaded.diagnostics.all()) {
    const bool here = d.span.line == (table.top_level ? 1u : 2u);
    if (here) codes.push_back(d.code);
  }
  return codes;
}

const nlohmann::json& SchemaOf(const nlohmann::json& whole, const Table& table) {
  if (table.top_level) return whole;
  const auto& one = whole.at("properties").at(table.name);
  return table.array ? one.at("items") : one.at("additionalProperties");
}

TEST(JsonSchema, AndTheLoaderAgreeOnEveryTableKeyAndValue) {
  const nlohmann::json schemas[] = {nlohmann::json::parse(JsonSchema(false)),
                                    nlohmann::json::parse(JsonSchema(true))};
  size_t keys = 0;
  for (const Table* table : AllTables()) {
    if (table->inline_only) continue;
    const auto& schema = SchemaOf(schemas[table->operator_file ? 1 : 0], *table);
    EXPECT_FALSE(schema.at("additionalProperties").get<bool>()) << table->name;
    for (const auto& [key, value] : schema.at("properties").items()) {
      const Field* field = table->Find(key);
      if (!field) {
        EXPECT_TRUE(table->top_level && FindTable(key)) << table->name << "." << key;
        continue;
      }
      ++keys;
      EXPECT_THAT(SaidAbout(*table, key + " = " + ValueFor(*field)), testing::Contains("E0203"))
          << table->name << "." << key;
      const auto& text = value.contains("items") ? value.at("items") : value;
      if (!text.contains("enum")) continue;
      for (const auto& allowed : text.at("enum")) {
        const std::string quoted = "\"" + allowed.get<std::string>() + "\"";
        const bool list = value.contains("items");
        EXPECT_THAT(SaidAbout(*table, key + " = " + (list ? "[" + quoted + "]" : quoted)),
                    testing::Not(testing::Contains("E0207")))
            << table->name << "." << key << " = " << quoted;
        EXPECT_THAT(SaidAbout(*table, key + " = " + (list ? "[\"zz9\"]" : "\"zz9\"")),
                    testing::Contains("E0207"))
            << table->name << "." << key;
      }
    }
    EXPECT_THAT(SaidAbout(*table, "zz9 = 1"), testing::Contains("E0202")) << table->name;
    for (const Field& field : table->fields) {
      EXPECT_TRUE(schema.at("properties").contains(field.name)) << table->name << "." << field.name;
      EXPECT_FALSE(field.doc.empty() && !field.nested) << table->name << "." << field.name;
    }
  }
  EXPECT_GT(keys, 60u);
}

TEST(JsonSchema, NamesEveryTableInOneOfTheFilesOnly) {
  const auto tree = nlohmann::json::parse(JsonSchema(false)).at("properties");
  const auto top = nlohmann::json::parse(JsonSchema(true)).at("properties");
  for (const Table* table : AllTables()) {
    if (table->inline_only || table->top_level) continue;
    EXPECT_EQ(top.contains(table->name), table->operator_file) << table->name;
    EXPECT_EQ(tree.contains(table->name), !table->operator_file) << table->name;
  }
}

TEST(Reference, NamesEveryKey) {
  const std::string account = Reference("account");
  EXPECT_THAT(account, HasSubstr("[account.NAME]"));
  EXPECT_THAT(account, HasSubstr("names: person:NAME, partner:NAME, service:NAME, user:NAME"));
  EXPECT_EQ(Reference("nothing"), "");
  EXPECT_THAT(Reference(), HasSubstr("[[grant]]"));
}

TEST(Starter, LoadsWithoutADiagnostic) {
  Scratch scratch;
  for (const StarterFile& file : StarterFiles()) scratch.Write(file.path, file.text);
  const Loaded loaded = scratch.Read();
  EXPECT_TRUE(loaded.diagnostics.empty()) << Said(loaded);
  EXPECT_EQ(loaded.files, StarterFiles().size());
}

}  // namespace
}  // namespace postern::config
