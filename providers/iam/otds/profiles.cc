// Which partitions come from another system. That GET /identityproviderprofiles lists them is a
// guess, and so is what in a profile names its partition: the list is believed only where every
// profile in it names a partition that exists. An empty list has a second witness.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/text.h"
#include "providers/iam/otds/target.h"

namespace postern::iam::otds {
namespace {

constexpr const char* kPath = "/identityproviderprofiles";
constexpr size_t kNames = 8;    // of one profile that are looked for among partitions
constexpr size_t kLooked = 20;  // users of a partition that are asked where they come from

// One element of the list.
struct Profile {
  std::set<std::string> texts;     // of its first two levels, folded
  std::vector<std::string> names;  // those that stand under a name or an id, as they are spelled
};

bool IsName(std::string_view member) {
  const std::string folded = Folded(member);
  return folded.ends_with("name") || folded.ends_with("id") || folded.ends_with("partition");
}

void Note(const Json& object, Profile* profile) {
  for (const auto& [member, value] : object.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    if (text.empty()) continue;
    profile->texts.insert(Folded(text));
    std::vector<std::string>& names = profile->names;
    const bool known = std::find(names.begin(), names.end(), text) != names.end();
    if (IsName(member) && !known && names.size() < kNames) names.push_back(text);
  }
}

Profile ReadProfile(const Json& json) {
  Profile profile;
  if (!json.is_object()) return profile;
  Note(json, &profile);
  for (const auto& [member, inner] : json.items()) {
    if (inner.is_object()) Note(inner, &profile);
  }
  return profile;
}

// The member of the answer that holds the profiles: what it is called is a guess, too.
std::string ListIn(const Json& answer) {
  if (!answer.is_object()) return {};
  for (const auto& [member, value] : answer.items()) {
    if (value.is_array() && Folded(member).find("profile") != std::string::npos) return member;
  }
  return {};
}

// And is there.
bool IsManaged(const Ground& ground, const std::string& name) {
  const auto at = ground.partitions.find(Folded(name));
  return at != ground.partitions.end() && at->second.trouble.empty();
}

}  // namespace

void OtdsTarget::Doubt(const std::string& why) {
  guesses_.Refute(Guess::kProfiles, fmt::format("GET {}: {}", kPath, why));
}

// Nothing where there is no list to believe, which is then said of the guess.
Result<std::optional<std::vector<Json>>> OtdsTarget::ListProfiles() {
  using List = std::optional<std::vector<Json>>;
  if (!ground_.admin) {
    Doubt(fmt::format("{} is no administrator there, and what it sees may leave some out",
                      ground_.identity));
    return List();
  }
  auto first = api_->Get(kPath);
  if (!first && SaysNothing(first.error())) return tl::unexpected(first.error());
  if (!first) {
    guesses_.Refute(Guess::kProfiles, first.error().message);
    return List();
  }
  const std::string list = ListIn(*first);
  if (list.empty()) {
    Doubt("the answer has no list of profiles");
    return List();
  }
  const std::string_view keys[] = {list};
  std::vector<Json> profiles;
  const auto walked = api_->WalkOn(kPath, std::move(first), keys, [&](size_t, const Json& profile) {
    profiles.push_back(profile);
    return true;
  });
  if (!walked && SaysNothing(walked.error())) return tl::unexpected(walked.error());
  if (walked) return List(std::move(profiles));
  guesses_.Refute(Guess::kProfiles, walked.error().message);
  return List();
}

Result<void> OtdsTarget::ReadProfiles() {
  const auto listed = ListProfiles();
  if (!listed) return tl::unexpected(listed.error());
  if (!*listed) return {};
  if ((*listed)->empty()) return AskUsersForOrigins();
  const auto is_managed = [&](const std::string& name) { return IsManaged(ground_, name); };
  std::set<std::string> texts, names;
  std::vector<Profile> others;  // of partitions that aren't managed, or of none
  for (const Json& json : **listed) {
    Profile one = ReadProfile(json);
    texts.insert(one.texts.begin(), one.texts.end());
    if (std::any_of(one.names.begin(), one.names.end(), is_managed)) continue;
    names.insert(one.names.begin(), one.names.end());
    others.push_back(std::move(one));
  }
  const std::set<std::string> found = PartitionsAmong(names);
  for (const Profile& one : others) {
    const auto is_found = [&](const std::string& name) { return found.contains(Folded(name)); };
    if (std::any_of(one.names.begin(), one.names.end(), is_found)) continue;
    Doubt(fmt::format(
        "a profile ({}) names no partition that exists, so that which one it fills can't be told",
        one.names.empty() ? "without a name"
                          : diag::Printable(fmt::format("{}", fmt::join(one.names, ", ")))));
    return {};
  }
  guesses_.Confirm(
      Guess::kProfiles,
      fmt::format("each of {} profiles names a partition that exists", (*listed)->size()));
  SetOrigins(texts);
  return {};
}

// `synchronized`: folded names, and other texts.
void OtdsTarget::SetOrigins(const std::set<std::string>& synchronized) {
  for (auto& [name, partition] : ground_.partitions) {
    partition.origin =
        synchronized.contains(name) ? Ground::Origin::kSynchronized : Ground::Origin::kOwn;
  }
}

// Those of `names` that a partition has, folded.
std::set<std::string> OtdsTarget::PartitionsAmong(const std::set<std::string>& names) {
  const std::vector<std::string> asked(names.begin(), names.end());
  std::vector<std::string> paths;
  for (const std::string& name : asked) paths.push_back("/partitions/" + Encode(name));
  std::set<std::string> found;
  const auto answers = api_->GetAll(paths);
  // What a text of a profile makes of a path may be more than the server can stand: no such one.
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i] && Same(TextAt(*answers[i], "name"), asked[i])) found.insert(Folded(asked[i]));
  }
  return found;
}

// An empty list is right where no partition is synchronized, and wrong where the server keeps them
// elsewhere. Users are the second witness: whoever has an originUUID (facts, section 1.2) is taken
// to come from another system. That is a guess which can only keep us from writing.
Result<void> OtdsTarget::AskUsersForOrigins() {
  std::vector<std::string> names, paths;
  for (const std::string& name : names_.partitions()) {
    if (!IsManaged(ground_, name)) continue;
    names.push_back(name);
    paths.push_back(
        fmt::format("/users?page_size={}&where_partition_name={}", kLooked, Encode(name)));
  }
  const auto pages = api_->GetAll(paths);
  size_t looked = 0;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (!pages[i] && SaysNothing(pages[i].error())) return tl::unexpected(pages[i].error());
    const Json users =
        pages[i] && pages[i]->is_object() ? pages[i]->value("users", Json()) : Json();
    if (!users.is_array()) {
      Doubt(fmt::format("the list is empty, and where the users of {} come from can't be read",
                        names[i]));
      return {};
    }
    const size_t before = looked;
    for (const Json& user : users) {
      if (!Same(TextAt(user, "userPartitionID"), names[i])) continue;
      ++looked;
      if (TextAt(user, "originUUID").empty()) continue;
      Doubt(
          fmt::format("the list is empty, and yet {} of partition {} comes from another system: "
                      "it has an originUUID",
                      diag::Printable(TextAt(user, "name")), names[i]));
      return {};
    }
    if (!users.empty() && looked == before) {
      Doubt(fmt::format("the list is empty, and the server shows users of others for those of {}",
                        names[i]));
      return {};
    }
  }
  ground_.no_profiles = true;
  guesses_.Confirm(Guess::kProfiles,
                   looked == 0
                       ? "the list is empty; there is no user who could tell otherwise"
                       : fmt::format("the list is empty, and of {} users that were looked at none "
                                     "comes from another system",
                                     looked));
  SetOrigins({});
  return {};
}

}  // namespace postern::iam::otds
