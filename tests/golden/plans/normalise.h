// tests/golden/plans/normalise.h: what differs from run to run made alike, and nothing else.
#pragma once
#include <string>

namespace postern::golden {

// Durations become "0.0 s", times of about now <now> (a day: <now>), the name of a plan "xxxx
// some-bird", long digests <digest>, `scratch` <work>, who and where we are <me>.
std::string Normalise(std::string text, const std::string& scratch);

// The paths of all members of a JSON value, sorted, one a line ("changes[].key"); empty when `text`
// isn't one JSON value.
std::string MembersOf(const std::string& text);

}  // namespace postern::golden
