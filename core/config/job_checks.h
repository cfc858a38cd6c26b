// core/config/job_checks.h: what checks of exports and imports share. Internal to core/config.
//
// Pure. `Said` writes diagnostics about one declaration, so that a check is one line a mistake.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/config/check.h"

namespace postern::config {

// Where diagnostics about one job go, and how it is called: export "people".
struct Said {
  diag::Diagnostics& diagnostics;
  std::string what;

  diag::Diagnostic& Error(const char* code, diag::Span span, std::string summary, std::string label,
                          std::string way_out = {}) const {
    auto& d = diagnostics.Add(
        {.code = code, .summary = std::move(summary), .span = span, .label = std::move(label)});
    if (!way_out.empty()) d.notes.push_back(std::move(way_out));
    return d;
  }
};

// The attributes of what a row is, as they may be written: field names of the kind. Empty: rows
// have none.
std::vector<std::string_view> AttributesOf(std::string_view what, bool iam);
// ", did you mean `mail`?" or a list of what there is.
std::string NearestOr(std::string_view word, const std::vector<std::string_view>& known);

// Five fields of cron and a zone.
void CheckSchedule(const decl::JobSchedule& schedule, const std::string& subject, diag::Span cron,
                   diag::Span zone, const Said& said);
// What of a format is wrong: the field, and why. Nothing: it is fine.
struct FormatMistake {
  int field = 0;
  std::string label, way_out;
};
std::vector<FormatMistake> MistakesOf(const decl::FileFormat& format);

void CheckEndpoints(const CheckInput& input, diag::Diagnostics* diagnostics);
void CheckExports(const CheckInput& input, diag::Diagnostics* diagnostics);
void CheckImports(const CheckInput& input, diag::Diagnostics* diagnostics);

// Whether a job can sign in at the endpoint as its service account.
void CheckSignIn(const CheckInput& input, const std::string& endpoint, const std::string& as,
                 diag::Span span, const Said& said);

}  // namespace postern::config
