#include "core/view/access_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/view/plan_parts.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

std::string WhoText(const std::string& identity) {
  const Who who = WhoIs(identity);
  return who.type.empty() ? who.name : who.name + " (" + who.type + ")";
}

std::string WhatText(const AccessRow& row) {
  if (row.place.server.empty()) {
    return row.path.empty() ? "login" : SetWords(row.path);
  }
  if (row.path.empty()) return "login only, no grant";
  std::string text = access::Format(row.rights) + " on " + row.path;
  return row.depth == access::Depth::kThis ? text + ", not below" : text;
}

std::string PathText(const AccessRow& row) {
  const std::string account =
      row.place.server.empty()
          ? ShortDn(row.account) + " in " + std::string(ShortTarget(row.place.target))
          : row.account + " at " + row.place.server;
  std::string text = row.through.empty() ? account : account + ", " + row.through;
  return row.closed.empty() ? text : text + " (" + row.closed + ")";
}

void WriteRights(JsonWriter& json, access::Rights rights) {
  json.Key("rights").Array();
  for (int i = 0; i < access::kRightCount; ++i) {
    const auto right = static_cast<access::Right>(i);
    if (rights.Has(right)) json.Value(access::NameOf(right));
  }
  json.End();
}

std::string DaysUntil(base::Instant until, base::Instant now) {
  const int64_t days = (until - now) / 86400;
  if (days == 0) return "today";
  return "in " + Count(static_cast<uint64_t>(days), "day");
}

}  // namespace

std::string RenderAccess(const AccessHeading& heading, const std::vector<AccessRow>& rows,
                         bool detail, const Style& style) {
  std::string out = Painted(Paint::kBold, Safe(heading.title, style), style) + ", " +
                    (heading.live ? "as it is live" : "as declared") + "\n";
  std::set<std::string> open;
  for (const AccessRow& row : rows) {
    if (row.closed.empty()) open.insert(row.identity);
  }
  Table table({"who", "may", "by", "until", "declared"});
  const size_t most = detail ? rows.size() : kScreenLines - 6;
  for (size_t i = 0; i < rows.size() && i < most; ++i) {
    const AccessRow& row = rows[i];
    const bool again = i > 0 && rows[i - 1].identity == row.identity;
    table.Row({again ? "" : WhoText(row.identity), WhatText(row), PathText(row),
               row.until == base::kForever ? "" : Moment(row.until),
               row.declared_at.empty() ? (heading.live ? "nowhere" : "") : row.declared_at});
  }
  out += table.Print(style, 2);
  if (rows.size() > most) {
    out +=
        fmt::format("  ... and {} more rows: --detail shows all\n", Thousands(rows.size() - most));
  }
  if (rows.empty()) {
    out += "No such access.\n";
  } else {
    out += fmt::format("{} by {}.\n", open.empty() ? "Nobody gets in" : CountWho(open),
                       Count(rows.size(), "row"));
  }
  for (const UnusedRights& unused : heading.unused) {
    const std::string text =
        fmt::format("has and doesn't need: {} on {}", fmt::join(unused.rights, ", "), unused.path);
    for (const std::string& line :
         Item("~", Paint::kWarn, Safe(text, style), Safe(unused.place, style), style)) {
      out += line + "\n";
    }
  }
  if (!heading.note.empty()) out += Safe(heading.note, style) + "\n";
  for (const std::string& target : heading.unobserved) {
    out += fmt::format("Not asked: {}\n", Safe(target, style));
  }
  return out;
}

void WriteAccessRows(JsonWriter& json, const std::vector<AccessRow>& rows) {
  json.Array();
  for (const AccessRow& row : rows) {
    json.Object().Field("identity", row.identity).Field("target", row.place.target);
    json.Optional("server", row.place.server).Field("account", row.account);
    json.Optional("path", row.path);
    if (!row.place.server.empty() && !row.path.empty()) {
      json.Field("depth", access::NameOf(row.depth));
      WriteRights(json, row.rights);
    }
    json.Optional("through", row.through).Field("open", row.closed.empty());
    json.Optional("closed_because", row.closed).TimeField("until", row.until);
    json.Optional("closer", row.closer).Optional("ticket", row.ticket);
    json.Optional("declared_at", row.declared_at).End();
  }
  json.End();
}

void WriteAccessJson(const AccessHeading& heading, const std::vector<AccessRow>& rows,
                     std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("live", heading.live);
  WriteAccessRows(json.Strings("unobserved", heading.unobserved).Key("access"), rows);
  if (!heading.unused.empty()) {
    json.Key("unneeded").Array();
    for (const UnusedRights& unused : heading.unused) {
      json.Object().Field("folder", unused.folder).Field("path", unused.path);
      json.Strings("rights", unused.rights).Field("place", unused.place).End();
    }
    json.End();
  }
  json.End();
}

std::vector<Ending> EndingSoon(const compile::Desired& desired, const diag::Sources& sources,
                               base::Instant now, int64_t within) {
  std::vector<Ending> endings;
  for (const compile::GrantLine& grant : desired.grants) {
    if (grant.until == base::kForever || grant.until < now || grant.until - now > within) continue;
    const compile::Provenance& source = desired.provenance[grant.source];
    endings.push_back({grant.until, grant.identity, grant.host, grant.path, source.closer,
                       source.ticket, sources.Place(source.span), grant.rights, ""});
  }
  for (const compile::LoginEnd& login : desired.login_ends) {
    const compile::Provenance& source = desired.provenance[login.source];
    if (source.until < now || source.until - now > within) continue;
    endings.push_back({source.until,
                       login.identity,
                       login.host,
                       "",
                       source.closer,
                       source.ticket,
                       sources.Place(source.span),
                       {},
                       login.what});
  }
  std::stable_sort(endings.begin(), endings.end(), [](const Ending& a, const Ending& b) {
    return std::tie(a.until, a.identity, a.path) < std::tie(b.until, b.identity, b.path);
  });
  return endings;
}

std::string RenderEndings(const std::vector<Ending>& endings, base::Instant now,
                          const std::string& within, bool detail, const Style& style) {
  if (endings.empty()) return "No grant ends within " + Safe(within, style) + ".\n";
  Table table({"ends", "", "who", "loses", "closed by", "ticket", "declared"});
  const size_t most = detail ? endings.size() : kScreenLines - 4;
  size_t nobody = 0, grants = 0;
  for (size_t i = 0; i < endings.size(); ++i) {
    const Ending& ending = endings[i];
    nobody += ending.closer != "server";
    grants += ending.what.empty();
    if (i >= most) continue;
    table.Row(
        {Moment(ending.until), DaysUntil(ending.until, now), WhoText(ending.identity),
         ending.what.empty() ? access::Format(ending.rights) + " on " + ending.path : ending.what,
         ending.closer.empty() ? "nobody" : ending.closer, ending.ticket, ending.place});
  }
  std::string out = table.Print(style);
  if (endings.size() > most) {
    out += fmt::format("... and {} more: --detail shows all\n", Thousands(endings.size() - most));
  }
  const size_t logins = endings.size() - grants;
  if (grants > 0) out += Count(grants, "grant");
  if (grants > 0 && logins > 0) out += " and ";
  if (logins > 0) out += logins == 1 ? "1 login or key" : Thousands(logins) + " logins and keys";
  out += (endings.size() == 1 ? " ends" : " end") + std::string(" within ") + Safe(within, style) +
         ".";
  if (nobody > 0) {
    out +=
        fmt::format(" {} closed by nobody: the next `postern apply` after the end takes {} away.",
                    nobody == 1 ? "1 is" : Thousands(nobody) + " are", nobody == 1 ? "it" : "them");
  }
  return out + "\n";
}

void WriteEndingsJson(const std::vector<Ending>& endings, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Key("endings").Array();
  for (const Ending& ending : endings) {
    json.Object().TimeField("until", ending.until).Field("identity", ending.identity);
    json.Field("host", ending.host);
    if (ending.what.empty()) {
      json.Field("path", ending.path);
      WriteRights(json, ending.rights);
    } else {
      json.Field("login", ending.what);
    }
    json.Field("closer", ending.closer.empty() ? std::string("nobody") : ending.closer);
    json.Optional("ticket", ending.ticket).Field("declared_at", ending.place).End();
  }
  json.End().End();
}

}  // namespace postern::view
