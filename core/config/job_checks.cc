#include "core/config/job_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/diag/suggest.h"
#include "core/jobs/schedule/schedule.h"
#include "core/object/kind.h"

namespace postern::config {
namespace {

namespace code = diag::code;

using Format = decl::FileFormat;
using object::Kind;

void OnlyOf(const char* type, bool has, int field, const char* name, const Format& format,
            std::vector<FormatMistake>* out) {
  if (!has || format.type() == type) return;
  out->push_back({field, fmt::format("{} is of {}, the format is {}", name, type, format.type()),
                  "leave it out"});
}

}  // namespace

std::vector<std::string_view> AttributesOf(std::string_view what, bool iam) {
  const auto fields = [](Kind kind) {
    std::vector<std::string_view> names;
    for (const object::FieldTable& field : object::TableOf(kind).fields) {
      if (!field.secret) names.push_back(field.name);
    }
    return names;
  };
  if (what == "users") {
    return fields(iam ? Kind::kIamUser : Kind::kUser);
  }
  if (what == "groups") return fields(iam ? Kind::kIamGroup : Kind::kDirectoryGroup);
  if (what == "roles") return fields(Kind::kIamRole);
  if (what == "memberships") return fields(iam ? Kind::kIamMembership : Kind::kMembership);
  if (what == "entitlements") {
    return {"id", "target", "account", "path", "depth", "through", "rights", "closed"};
  }
  return {};
}

std::string NearestOr(std::string_view word, const std::vector<std::string_view>& known) {
  if (const auto near = diag::Nearest(word, known)) return fmt::format("did you mean {}?", *near);
  return fmt::format("one of {}", fmt::join(known, ", "));
}

void CheckSchedule(const decl::JobSchedule& schedule, const std::string& subject, diag::Span cron,
                   diag::Span zone, const Said& said) {
  diag::Diagnostics found;
  const std::string in = schedule.has_zone() ? schedule.zone() : "UTC";
  const auto parsed = jobs::ParseSchedule(schedule.cron(), in, subject, &found);
  for (diag::Diagnostic d : found.all()) {
    d.span = d.code == code::kUnknownZone ? zone : cron;
    d.subject.clear();
    said.diagnostics.Add(std::move(d));
  }
  // A moment that every schedule has behind it.
  constexpr base::Instant kSomeDay = 1'767'225'600;
  if (parsed && !jobs::NextSlot(*parsed, kSomeDay)) {
    said.Error(code::kBadCron, cron, fmt::format("{} never runs", said.what),
               "no day of twelve years is such a day");
  }
}

std::vector<FormatMistake> MistakesOf(const Format& format) {
  std::vector<FormatMistake> out;
  if (!format.has_type()) return out;
  OnlyOf("csv", format.has_delimiter(), Format::kDelimiterFieldNumber, "delimiter", format, &out);
  OnlyOf("csv", format.has_quote(), Format::kQuoteFieldNumber, "quote", format, &out);
  OnlyOf("csv", format.has_eol(), Format::kEolFieldNumber, "eol", format, &out);
  OnlyOf("csv", format.has_header(), Format::kHeaderFieldNumber, "header", format, &out);
  OnlyOf("csv", format.has_formula_guard(), Format::kFormulaGuardFieldNumber, "formula_guard",
         format, &out);
  OnlyOf("xml", format.has_root(), Format::kRootFieldNumber, "root", format, &out);
  OnlyOf("xml", format.has_element(), Format::kElementFieldNumber, "element", format, &out);
  const bool utf8_only = format.type() != "csv" && format.type() != "xml";
  if (utf8_only && format.has_encoding() && format.encoding() != "utf-8") {
    out.push_back({Format::kEncodingFieldNumber, fmt::format("{} is always UTF-8", format.type()),
                   "leave it out"});
  }
  const std::string& delimiter = format.delimiter();
  if (format.has_delimiter() && format.type() == "csv" &&
      (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r")) {
    out.push_back({Format::kDelimiterFieldNumber, "one character, no quote and no line's end",
                   "such as \";\" or \"\\t\""});
  }
  if (format.type() == "ldif" && format.has_operation()) {
    out.push_back({Format::kOperationFieldNumber, "LDIF says it by changetype", "leave it out"});
  }
  return out;
}

void CheckSignIn(const CheckInput& input, const std::string& endpoint, const std::string& as,
                 diag::Span span, const Said& said) {
  const auto* place = input.index.Get<decl::Endpoint>(endpoint);
  const auto address = SplitAddress(as);
  if (place == nullptr || !address || !place->message.has_server()) return;
  const auto* account = input.index.Get<decl::ServiceAccount>(address->name);
  if (account == nullptr) return;
  const auto& servers = account->message.servers().values();
  if (std::find(servers.begin(), servers.end(), place->message.server()) == servers.end()) {
    said.Error(code::kJobSignsIn, span,
               fmt::format("{} has no account at {}", as, place->message.server()),
               "it couldn't sign in",
               fmt::format("name \"{}\" in its servers", place->message.server()))
        .also.push_back({account->span, "the service account"});
    return;
  }
  const bool sftp = place->message.protocol() == "sftp";
  for (const decl::Credential* slot : {&account->message.current(), &account->message.next()}) {
    if (slot->has_password() || (sftp && slot->has_private_key())) return;
  }
  said.Error(code::kJobSignsIn, span,
             fmt::format("{} has nothing to sign in with at {}", as, place->message.name()),
             sftp ? "no private_key and no password in its slots" : "no password in its slots",
             sftp ? "current = { key = \"...\", private_key = \"secret:NAME\" }"
                  : "current = { password = \"secret:NAME\" }")
      .also.push_back({account->span, "the service account"});
}

}  // namespace postern::config
