// Exports: what they take, from where, how it is written and where it goes; as far as no target
// must be asked.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/config/job_checks.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"
#include "core/jobs/schedule/file_name.h"
#include "core/jobs/zone.h"

namespace postern::config {
namespace {

namespace code = diag::code;

using decl::Deliver;
using decl::Export;

constexpr int kDeliver = Export::kDeliverFieldNumber, kColumns = Export::kColumnsFieldNumber;

class ExportChecks {
 public:
  ExportChecks(const CheckInput& input, const Declared<Export>& declared,
               diag::Diagnostics* diagnostics)
      : input_(input),
        export_(declared),
        m_(declared.message),
        said_{*diagnostics, fmt::format("export \"{}\"", declared.message.name())} {}

  void Run() {
    if (!m_.has_what()) return;  // said by the reader
    CheckSources();
    CheckSelect();
    CheckColumns();
    CheckFormat();
    CheckDelta();
    CheckKey();
    CheckName();
    CheckOrder();
    CheckEncrypt();
    CheckLimits();
    if (m_.has_schedule()) {
      constexpr int kSchedule = Export::kScheduleFieldNumber;
      CheckSchedule(m_.schedule(), "export." + m_.name(),
                    At(kSchedule, decl::JobSchedule::kCronFieldNumber),
                    At(kSchedule, decl::JobSchedule::kZoneFieldNumber), said_);
    }
    CheckSignIn(input_, m_.deliver().to(), m_.as(), export_.At(Export::kAsFieldNumber), said_);
  }

 private:
  diag::Span At(int outer, int inner) const { return export_.At(Nested(outer, inner)); }
  bool HasRows() const { return m_.what() != "distribution" && m_.what() != "snapshot"; }
  bool OfIam() const {
    return m_.from().values_size() > 0 && m_.from().values(0).starts_with("iam:");
  }

  void CheckSources() {
    const bool files = m_.what() == "distribution";
    const bool several = m_.what() == "entitlements" || m_.what() == "snapshot";
    const int count = m_.from().values_size();
    const diag::Span span = m_.has_from() ? export_.At(Export::kFromFieldNumber) : export_.span;
    if (files != m_.has_files()) {
      said_.Error(code::kJobSource, files ? export_.span : export_.At(Export::kFilesFieldNumber),
                  files ? fmt::format("{} names no files", said_.what)
                        : fmt::format("files in {} have no meaning", said_.what),
                  fmt::format("what is {}", m_.what()),
                  files ? "write files = { folder = \"/srv/catalog\", pattern = \"*.pdf\" }"
                        : "files are for what = \"distribution\"");
    }
    if (files ? count != 0 : (count == 0 || (count > 1 && !several))) {
      said_.Error(code::kJobSource, span,
                  files        ? fmt::format("{} takes files and names a source", said_.what)
                  : count == 0 ? fmt::format("{} names no source", said_.what)
                               : fmt::format("{} names more than one source", said_.what),
                  files     ? "a distribution has no rows"
                  : several ? "which systems?"
                            : fmt::format("{} come from one", m_.what()),
                  files ? "leave from out" : "write for instance from = [\"directory:NAME\"]");
    }
    for (int i = 0; i < count; ++i) CheckSource(i);
  }

  void CheckSource(int i) {
    const auto address = SplitAddress(m_.from().values(i));
    if (!address || m_.what() == "snapshot" || m_.what() == "distribution") return;
    const std::string_view table = address->table;
    const bool server = table == "server" || table == "host";
    const bool fits = m_.what() == "entitlements" ? server
                      : m_.what() == "roles"      ? table == "iam"
                                                  : !server;
    if (fits) return;
    said_.Error(code::kJobSource, export_.At(Export::kFromFieldNumber, i),
                fmt::format("{} has no {}", m_.from().values(i), m_.what()),
                m_.what() == "entitlements" ? "they are at servers"
                : m_.what() == "roles"      ? "they are in IAM systems"
                                            : "they are in directories and IAM systems");
  }

  void CheckSelect() {
    if (!m_.has_select()) return;
    const decl::Select& select = m_.select();
    using decl::Select;
    const bool entitlements = m_.what() == "entitlements";
    const auto only = [&](bool has, int field, const char* name, bool fits, const char* of) {
      if (!has || fits) return;
      said_.Error(code::kJobSource, At(Export::kSelectFieldNumber, field),
                  fmt::format("{} in select of {} has no meaning", name, said_.what),
                  fmt::format("it is for {}", of), "leave it out");
    };
    only(select.has_base(), Select::kBaseFieldNumber, "base",
         HasRows() && !entitlements && !OfIam(), "directories");
    only(select.has_partition(), Select::kPartitionFieldNumber, "partition", OfIam(),
         "IAM systems with partitions");
    only(select.has_servers(), Select::kServersFieldNumber, "servers", entitlements,
         "entitlements");
    only(select.has_folders(), Select::kFoldersFieldNumber, "folders", entitlements,
         "entitlements");
    const bool people = m_.what() == "users";
    only(select.has_status(), Select::kStatusFieldNumber, "status", people, "users");
    only(select.has_where(), Select::kWhereFieldNumber, "where", people, "users");
    only(select.has_group(), Select::kGroupFieldNumber, "group",
         people || m_.what() == "memberships", "users and memberships");
  }

  void CheckColumns() {
    const int count = m_.columns().values_size();
    if (HasRows() != (count > 0)) {
      said_.Error(
          code::kJobColumn, count > 0 ? export_.At(kColumns) : export_.span,
          count > 0 ? fmt::format("columns of {} have no meaning", said_.what)
                    : fmt::format("{} names no columns", said_.what),
          fmt::format("what is {}", m_.what()),
          count > 0 ? "leave them out" : "write for instance columns = [\"uid\", \"mail\"]");
      return;
    }
    const auto known = AttributesOf(m_.what(), OfIam());
    std::set<std::string_view> names;
    for (int i = 0; i < count; ++i) {
      CheckColumn(m_.columns().values(i), export_.At(kColumns, i), known);
      const decl::ExportColumn& column = m_.columns().values(i);
      const std::string& name = column.has_name() ? column.name() : column.from();
      if (!name.empty() && !names.insert(name).second) {
        said_.Error(code::kJobColumn, export_.At(kColumns, i),
                    fmt::format("two columns of {} are called \"{}\"", said_.what, name), "again",
                    "give one of them another name");
      }
    }
  }

  void CheckColumn(const decl::ExportColumn& column, diag::Span span,
                   const std::vector<std::string_view>& known) {
    const std::string name = column.has_name()   ? column.name()
                             : column.has_from() ? column.from()
                                                 : "";
    const auto wrong = [&](std::string summary, std::string label, std::string way_out = {}) {
      said_.Error(code::kJobColumn, span, std::move(summary), std::move(label), std::move(way_out));
    };
    if (column.has_from() == column.has_constant()) {
      wrong(fmt::format("a column of {} {}", said_.what,
                        column.has_from() ? "takes an attribute and a constant" : "takes nothing"),
            "one of from and constant");
    } else if (m_.what() == "entitlements" &&
               (column.from() == "identity" || column.from() == "until")) {
      wrong(
          fmt::format("entitlements have no attribute \"{}\"", column.from()),
          "a runner sees accounts at servers; whose they are and until when only declarations say",
          "take account; postern access who --json tells the rest where the declarations are");
    } else if (column.has_from() &&
               std::find(known.begin(), known.end(), column.from()) == known.end()) {
      wrong(fmt::format("{} have no attribute \"{}\"", m_.what(), column.from()),
            NearestOr(column.from(), known));
    } else if (column.has_constant() && !column.has_name()) {
      wrong(fmt::format("a constant of {} has no name", said_.what), "what is the column called?",
            "write { name = \"SOURCE\", constant = \"corp\" }");
    }
    const auto& steps = column.transform().values();
    const bool hashes = std::find(steps.begin(), steps.end(), "hash") != steps.end();
    if (hashes != column.has_hash_key()) {
      wrong(hashes ? fmt::format("column \"{}\" is hashed without a key", name)
                   : fmt::format("hash_key of column \"{}\" has no meaning", name),
            hashes ? "anybody could try all values" : "nothing is hashed",
            hashes ? "write hash_key = \"secret:NAME\"" : "");
    }
    CheckLookup(column, span, name);
    if (column.has_zone() && !jobs::FindZone(column.zone())) {
      said_.Error(code::kUnknownZone, span, fmt::format("no time zone \"{}\"", column.zone()),
                  "not in the system's tzdata");
    }
    if (column.has_max() && column.max() == 0) {
      said_.Error(code::kJobLimit, span, fmt::format("max of column \"{}\" is 0", name),
                  "no value would fit");
    }
  }

  void CheckLookup(const decl::ExportColumn& column, diag::Span span, const std::string& name) {
    const auto wrong = [&](std::string summary, std::string label, std::string way_out) {
      said_.Error(code::kJobColumn, span, std::move(summary), std::move(label), std::move(way_out));
    };
    if (column.has_otherwise() && !column.has_lookup()) {
      wrong(fmt::format("otherwise of column \"{}\" has no meaning", name), "nothing is looked up",
            "write lookup = [{ value = \"Sales\", as = \"SLS\" }]");
    }
    if (column.has_lookup() && !column.has_from()) {
      wrong(fmt::format("lookup of column \"{}\" has no meaning", name),
            "it is the same in every row", "leave it out");
    }
    if (column.has_lookup() && column.lookup().values().empty()) {
      wrong(fmt::format("lookup of column \"{}\" is empty", name), "no value is in it",
            "leave it out");
    }
    std::set<std::string_view> values;
    for (const decl::Lookup& one : column.lookup().values()) {
      if (values.insert(one.value()).second) continue;
      wrong(fmt::format("lookup of column \"{}\" has \"{}\" twice", name, one.value()),
            "which of both is meant?", "leave one of them out");
    }
  }

  void CheckFormat() {
    constexpr int kFormat = Export::kFormatFieldNumber;
    if (HasRows() != m_.has_format()) {
      said_.Error(code::kJobFormat, m_.has_format() ? export_.At(kFormat) : export_.span,
                  m_.has_format() ? fmt::format("format of {} has no meaning", said_.what)
                                  : fmt::format("format is missing in {}", said_.what),
                  fmt::format("what is {}", m_.what()),
                  m_.has_format() ? "leave it out" : "write format = { type = \"csv\" }");
      return;
    }
    for (const FormatMistake& mistake : MistakesOf(m_.format())) {
      said_.Error(code::kJobFormat, At(kFormat, mistake.field),
                  fmt::format("the format of {} can't be", said_.what), mistake.label,
                  mistake.way_out);
    }
    const bool no_entries = m_.what() == "entitlements" || m_.what() == "memberships";
    if (m_.format().type() == "ldif" && no_entries) {
      said_.Error(code::kJobFormat, At(kFormat, decl::FileFormat::kTypeFieldNumber),
                  fmt::format("the format of {} can't be", said_.what),
                  "LDIF holds entries, and these have no DN", "write csv, json, jsonl or xml");
    }
  }

  // The attributes that name a row where no column says so.
  std::set<std::string_view> DefaultKey() const {
    const std::string_view what = m_.what();
    if (what == "users") return {OfIam() ? "user_name" : "dn"};
    if (what == "groups") return {OfIam() ? "name" : "dn"};
    if (what == "roles") return {"name"};
    if (what == "memberships") {
      if (OfIam()) return {"set", "member"};
      return {"group", "member"};
    }
    return {"id"};
  }

  void CheckDelta() {
    const bool delta = m_.mode() == "delta";
    if (m_.has_full_every() && !delta) {
      said_.Error(code::kJobDelta, export_.At(Export::kFullEveryFieldNumber),
                  fmt::format("full_every of {} has no meaning", said_.what), "every run is full",
                  "write mode = \"delta\", or leave it out");
    }
    if (!delta) return;
    const diag::Span span = export_.At(Export::kModeFieldNumber);
    if (!HasRows()) {
      said_.Error(code::kJobDelta, span, fmt::format("{} has no changes to tell", said_.what),
                  fmt::format("what is {}", m_.what()), "leave mode out");
    }
  }

  // Rows stand in the order of their keys, and a delta says by it which row it means.
  void CheckKey() {
    if (!HasRows() || !m_.has_columns()) return;
    const auto& columns = m_.columns().values();
    if (std::any_of(columns.begin(), columns.end(), [](const auto& c) { return c.key(); })) return;
    std::set<std::string_view> wanted = DefaultKey();
    for (const auto& column : columns) wanted.erase(column.from());
    if (wanted.empty()) return;
    said_.Error(code::kJobColumn, export_.At(kColumns),
                fmt::format("no column of {} says whose row it is", said_.what),
                fmt::format("none is the key, and {} isn't among them", *wanted.begin()),
                "write { from = \"...\", key = true } where values are unique, or add that one");
  }

  void CheckName() {
    const Deliver& deliver = m_.deliver();
    if (!deliver.has_name()) return;
    const diag::Span span = At(kDeliver, Deliver::kNameFieldNumber);
    std::string problem;
    const auto name = jobs::ParseFileName(deliver.name(), &problem);
    if (!name) {
      said_.Error(code::kJobFileName, span,
                  fmt::format("\"{}\" is no name for files", deliver.name()), problem,
                  "write for instance \"users_{slot:%Y%m%d}.csv\"");
      return;
    }
    const auto* place = input_.index.Get<decl::Endpoint>(deliver.to());
    const bool replaces = place != nullptr && place->message.receiver() == "rename";
    if (place == nullptr || replaces || name->IsDistinct() || m_.what() == "distribution") return;
    said_
        .Error(code::kJobFileName, span,
               fmt::format("every run of {} would have the same name", said_.what),
               fmt::format("{} never replaces a file", deliver.to()),
               "add {slot:%Y%m%d} or {seq}, or declare receiver = \"rename\" there")
        .also.push_back({place->span, "the endpoint"});
  }

  void CheckOrder() {
    const Deliver& deliver = m_.deliver();
    const auto& order = deliver.order().values();
    const auto named = [&](const char* what) {
      return std::find(order.begin(), order.end(), what);
    };
    const auto wrong = [&](int field, std::string summary, std::string label, std::string way_out) {
      said_.Error(code::kJobOrder, At(kDeliver, field), std::move(summary), std::move(label),
                  std::move(way_out));
    };
    for (const std::string* ending :
         {&deliver.temporary(), &deliver.trigger(), &deliver.reject(), &deliver.ack()}) {
      if (ending->find_first_of("/ \t\\") != std::string::npos) {
        wrong(Deliver::kNameFieldNumber, fmt::format("\"{}\" is no ending of a name", *ending),
              "a slash or a blank in it", "such as \".done\"");
      }
    }
    if (deliver.has_ack_minutes() && !deliver.has_ack()) {
      wrong(Deliver::kAckMinutesFieldNumber,
            fmt::format("ack_minutes of {} has no meaning", said_.what), "nothing is waited for",
            "write ack = \".ack\", or leave it out");
    }
    if (!deliver.has_order()) {
      if (deliver.has_trigger()) {
        wrong(Deliver::kTriggerFieldNumber, fmt::format("{} never writes its trigger", said_.what),
              "the default order has none", "write order = [\"file\", \"checksum\", \"trigger\"]");
      }
      return;
    }
    if (named("file") == order.end()) {
      wrong(Deliver::kOrderFieldNumber, fmt::format("{} never writes its file", said_.what),
            "no \"file\" in it", "");
    } else if (named("trigger") != order.end() && !deliver.has_trigger()) {
      wrong(Deliver::kOrderFieldNumber, fmt::format("the trigger of {} has no name", said_.what),
            "no trigger is declared", "write trigger = \".done\"");
    } else if (named("trigger") == order.end() && deliver.has_trigger()) {
      wrong(Deliver::kTriggerFieldNumber, fmt::format("{} never writes its trigger", said_.what),
            "not in order", "add \"trigger\" to order, at its end");
    } else if (named("trigger") < named("file")) {
      wrong(Deliver::kOrderFieldNumber,
            fmt::format("the trigger of {} comes before the file", said_.what),
            "it would say that all is there", "write it last");
    }
  }

  void CheckEncrypt() {
    if (!m_.has_encrypt()) return;
    using decl::Encrypt;
    const decl::Encrypt& encrypt = m_.encrypt();
    const bool pgp = encrypt.openpgp().values_size() > 0, age = encrypt.age().values_size() > 0;
    const auto wrong = [&](int field, std::string label, std::string way_out) {
      said_.Error(code::kJobEncrypt, At(Export::kEncryptFieldNumber, field),
                  fmt::format("{} can't be encrypted like this", said_.what), std::move(label),
                  std::move(way_out));
    };
    if (pgp == age) {
      wrong(Encrypt::kAgeFieldNumber, pgp ? "for OpenPGP and for age" : "for nobody",
            "write openpgp = [\"FINGERPRINT\"] with home, or age = [\"age1...\"]");
    } else if (pgp && !encrypt.has_home()) {
      wrong(Encrypt::kOpenpgpFieldNumber, "where are the keys?",
            "write home = \"/var/lib/postern/gpg\", gpg's home on the runner");
    } else if (age && encrypt.has_sign()) {
      wrong(Encrypt::kSignFieldNumber, "age signs nothing", "sign with OpenPGP");
    }
    for (int i = 0; i < encrypt.openpgp().values_size(); ++i) {
      const std::string& key = encrypt.openpgp().values(i);
      const bool hex = key.find_first_not_of("0123456789ABCDEFabcdef") == std::string::npos;
      if (hex && (key.size() == 40 || key.size() == 64)) continue;
      wrong(Encrypt::kOpenpgpFieldNumber, fmt::format("\"{}\" is no whole fingerprint", key),
            "40 hex digits, as gpg --fingerprint shows them, without blanks");
    }
  }

  void CheckLimits() {
    if (m_.has_shrink_percent() && m_.shrink_percent() == 0) {
      said_.Error(code::kJobLimit, export_.At(Export::kShrinkPercentFieldNumber),
                  fmt::format("shrink_percent of {} is 0", said_.what),
                  "one row fewer would stop it");
    }
    if (m_.has_full_every() && m_.full_every() == 0) {
      said_.Error(code::kJobLimit, export_.At(Export::kFullEveryFieldNumber),
                  fmt::format("full_every of {} is 0", said_.what), "leave it out for never");
    }
  }

  const CheckInput& input_;
  const Declared<Export>& export_;
  const Export& m_;
  const Said said_;
};

}  // namespace

void CheckExports(const CheckInput& input, diag::Diagnostics* diagnostics) {
  for (const auto& declared : input.declarations.exports) {
    ExportChecks(input, declared, diagnostics).Run();
  }
}

}  // namespace postern::config
