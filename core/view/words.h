// core/view/words.h: how things are called on a screen: identities, targets, kinds, values, times.
//
// Pure; any thread. Answers raw text: the caller makes it safe.
#pragma once
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/effective.h"
#include "core/object/object.h"
#include "core/plan/plan.h"
#include "core/view/json_writer.h"

namespace postern::view {

// "person:sam.ode" -> {"sam.ode", ""}; "partner:acme" -> {"acme", "partner"}; an account that
// nobody declared -> {"edge-ftp/tmpuser", "account"}.
struct Who {
  std::string name, type;
};
Who WhoIs(std::string_view identity);
// "iam:corp/jo.hart#2819" -> "jo.hart": what stands between the slash and the last '#', an id.
std::string EntryName(std::string_view identity);
// What an entry is in, as a phrase: "member of ops", "role reader".
std::string SetWords(std::string_view set);
// "3 people, 1 partner" for a set of identities.
std::string CountWho(const std::set<std::string>& identities);

// "host:edge" -> "edge", "directory:corp" -> "corp".
std::string_view ShortTarget(std::string_view target);
// "cn=ops,ou=groups,dc=corp" -> "ops".
std::string ShortDn(std::string_view dn);

// "3 grants", "1 ssh key"
std::string CountKind(size_t count, object::Kind kind);
std::string_view PastWord(plan::Action action);  // "create" -> "+", for lists of changes
std::string_view WhyOf(plan::Reason reason);     // "no longer declared"

// A difference's value for people: rights by name, modes in octal.
std::string ValueText(object::Kind kind, std::string_view field, const std::string& value);
// "18:40Z" needs its day: "2026-11-21 18:40Z"; "never" and "" for what isn't a moment.
std::string Moment(base::Instant at);
// How long something took: "4 s", "3 min 20 s", "2 h 5 min", "6 days 1 h".
std::string Took(base::Instant seconds);
// "changed 2026-11-21 09:14Z by cn=admin (exact)", "who and when: not recorded"
std::string ChangedBy(std::string_view who, base::Instant at, std::string_view how_known);

// A body as a JSON object by field name; secrets as "(secret)".
void WriteBody(JsonWriter& json, object::Kind kind, std::string_view body);
// The same as a field; an empty body is an object that isn't there: null.
void WriteBodyField(JsonWriter& json, std::string_view name, object::Kind kind,
                    std::string_view body);
// The managed fields of a body as lines "home: /srv/a".
std::vector<std::string> BodyLines(object::Kind kind, std::string_view body);

}  // namespace postern::view
