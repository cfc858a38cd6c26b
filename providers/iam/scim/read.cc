// Reading by id and by key.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/diag/text.h"
#include "providers/iam/scim/locate.h"

namespace postern::iam {

using object::Answer;
using object::Kind;
using object::KnownKey;
using object::ObjectKey;
using object::ReadAnswer;

std::string ScimTarget::MembersQuery() const {
  return dialect().Is(Trait::kMembersInList, "asked")
             ? "?attributes=displayName,externalId,members,meta"
             : "";
}

namespace {

std::shared_ptr<const MemberList> ReadMembers(const Json& group) {
  auto list = std::make_shared<MemberList>();
  auto members = MembersOf(group);
  if (!members) {
    list->trouble = members.error().message;
    return list;
  }
  list->all = std::move(*members);
  for (const Member& member : list->all) list->ids.insert(member.id);
  return list;
}

}  // namespace

Snapshot ScimTarget::Judge(Kind kind, const std::string& id, const HttpResult& result) {
  Snapshot snapshot;
  snapshot.id = id;
  if (!result) {
    snapshot.reason = result.error().error.message;
    snapshot.lost = result.error().error.retryable();
    return snapshot;
  }
  const std::string url = PathOf(kind, id);
  if (result->status == 404 || result->status == 410) {
    // A page of somebody on the way says nothing about the object.
    if (result->body.empty() || ReadDocument(*result)) {
      snapshot.state = Snapshot::State::kAbsent;
    } else {
      snapshot.reason = fmt::format("GET {}: {}", url, SaidIn(*result));
      snapshot.lost = true;
    }
    return snapshot;
  }
  if (result->status != 200) {
    snapshot.reason = fmt::format("GET {}: {}", url, SaidIn(*result));
    snapshot.lost = result->status == 429 || result->status >= 500;
    return snapshot;
  }
  auto document = ReadDocument(*result);
  if (!document) {
    snapshot.reason = fmt::format("GET {}: {}", url, document.error().message);
  } else if (TextAt(*document, "id") != id) {
    snapshot.reason = fmt::format("GET {} answers with {}", url, Describe(kind, *document));
  } else {
    snapshot.state = Snapshot::State::kFound;
    snapshot.document = std::move(*document);
    if (kind == Kind::kIamGroup) snapshot.members = ReadMembers(snapshot.document);
    if (dialect().Is(Trait::kVersions, "etag")) {
      snapshot.etag = VersionIn(*result, snapshot.document);
    }
  }
  return snapshot;
}

std::vector<Snapshot> ScimTarget::ReadIds(Kind kind, std::span<const std::string> ids) {
  std::vector<HttpRequest> requests;
  for (const std::string& id : ids) {
    requests.push_back(
        Get(PathOf(kind, id) + (kind == Kind::kIamGroup ? MembersQuery() : std::string())));
  }
  std::vector<Snapshot> out(ids.size());
  session_.SendAll(std::move(requests), [&](size_t at, const HttpResult& result) {
    out[at] = Judge(kind, ids[at], result);
  });
  return out;
}

std::vector<ObjectKey> ScimTarget::PartsOf(const ObjectKey& key) {
  if (key.kind != Kind::kIamMembership) return {key};
  std::vector<ObjectKey> parts;
  for (const std::string_view part : object::SplitKey(key.key)) {
    if (part.starts_with("group:")) {
      parts.push_back({Kind::kIamGroup, Names::KeyOf(part.substr(6))});
    } else if (part.starts_with("user:")) {
      parts.push_back({Kind::kIamUser, Names::KeyOf(part.substr(5))});
    }
  }
  const bool known = parts.size() == 2 && parts[0].kind == Kind::kIamGroup;
  return known ? parts : std::vector<ObjectKey>();
}

namespace {

void Unreadable(std::string reason, ReadAnswer* answer) {
  answer->answer = Answer::kUnreadable;
  answer->reason = std::move(reason);
}

// False: the snapshot decides the answer.
bool IsFound(const Snapshot& snapshot, ReadAnswer* answer) {
  if (snapshot.state == Snapshot::State::kUnreadable) Unreadable(snapshot.reason, answer);
  if (snapshot.state == Snapshot::State::kAbsent) answer->answer = Answer::kAbsent;
  return snapshot.state == Snapshot::State::kFound;
}

}  // namespace

ReadAnswer ScimTarget::AnswerOf(const ObjectKey& key, const Snapshots& snapshots) {
  ReadAnswer answer;
  answer.object.kind = key.kind;
  answer.object.key = key.key;
  const std::vector<ObjectKey> parts = PartsOf(key);
  const bool is_ours = key.kind == Kind::kIamUser || key.kind == Kind::kIamGroup ||
                       (key.kind == Kind::kIamMembership && !parts.empty());
  if (!is_ours) {
    Unreadable(fmt::format("SCIM has no {}", object::Describe(key.kind, key.key)), &answer);
    return answer;
  }
  const Snapshot& first = snapshots.at(parts[0]);
  if (!IsFound(first, &answer)) return answer;
  Result<object::Object> object = Fail(ErrorCode::kInternal, "");
  if (key.kind != Kind::kIamMembership) {
    object = ObjectOf(key.kind, first.document, ssh_keys());
  } else {
    const Snapshot& member = snapshots.at(parts[1]);
    if (!IsFound(member, &answer)) return answer;
    if (!first.members->trouble.empty()) {
      Unreadable(first.members->trouble, &answer);
      return answer;
    }
    if (!first.members->ids.contains(member.id)) {
      answer.answer = Answer::kAbsent;
      return answer;
    }
    object = MembershipOf(NameIn(Kind::kIamGroup, first.document), parts[1].kind,
                          NameIn(parts[1].kind, member.document));
  }
  if (!object) {
    Unreadable(object.error().message, &answer);
    return answer;
  }
  answer.answer = Answer::kValue;
  answer.object = std::move(*object);
  return answer;
}

Result<std::vector<ReadAnswer>> ScimTarget::Read(std::span<const ObjectKey> keys) {
  std::vector<KnownKey> known;
  known.reserve(keys.size());
  for (const ObjectKey& key : keys) known.push_back({key, ""});
  return ReadKnown(known);
}

// What an id shows of the name it had: another name is neither there nor gone.
void ScimTarget::TakeKnown(const ObjectKey& key, Snapshot* snapshot) {
  Names& names = this->names(key.kind);
  if (snapshot->state == Snapshot::State::kAbsent) names.Forget(snapshot->id);
  if (snapshot->state == Snapshot::State::kFound) {
    const std::string name = NameIn(key.kind, snapshot->document);
    names.Put(snapshot->id, name);
    if (Names::KeyOf(name) == key.key) return;
    snapshot->state = Snapshot::State::kUnreadable;
    snapshot->reason = fmt::format("it is there as {}, which the listing lacked too",
                                   Describe(key.kind, snapshot->document));
    snapshot->document = Json();
  }
  missing_[key] = *snapshot;
}

// One 404 is as good as the server's word about somebody whom it lists. That one may be gone as
// well, so three are asked at most; where none is known nothing is asked.
std::string ScimTarget::WhyNoAbsence(Kind kind, const std::vector<std::string>& asked) {
  constexpr size_t kWitnesses = 3;
  const std::set<std::string> but(asked.begin(), asked.end());
  std::string why;
  for (const std::string& id : names(kind).Others(but, kWitnesses)) {
    const Snapshot witness = ReadIds(kind, std::span(&id, 1)).front();
    if (witness.state == Snapshot::State::kFound) return "";
    why =
        witness.state == Snapshot::State::kAbsent
            ? fmt::format("the server answers 404 for {} as well, whom it lists", PathOf(kind, id))
            : witness.reason;
  }
  return why;
}

// Those of the kind that have an id, by their place in `known`.
std::map<size_t, ReadAnswer> ScimTarget::ReadByIds(Kind kind, std::span<const KnownKey> known) {
  std::vector<size_t> places;
  std::vector<std::string> ids;
  for (size_t i = 0; i < known.size(); ++i) {
    if (known[i].key.kind != kind || known[i].id.empty()) continue;
    places.push_back(i);
    ids.push_back(known[i].id);
  }
  std::vector<Snapshot> read = ReadIds(kind, ids);
  const auto is_absent = [](const Snapshot& one) { return one.state == Snapshot::State::kAbsent; };
  if (std::any_of(read.begin(), read.end(), is_absent)) {
    if (const std::string why = WhyNoAbsence(kind, ids); !why.empty()) {
      for (Snapshot& one : read) {
        if (!is_absent(one)) continue;
        one.state = Snapshot::State::kUnreadable;
        one.reason = why;
      }
    }
  }
  std::map<size_t, ReadAnswer> answers;
  for (size_t i = 0; i < places.size(); ++i) {
    const ObjectKey& key = known[places[i]].key;
    TakeKnown(key, &read[i]);
    answers.emplace(places[i], AnswerOf(key, {{key, std::move(read[i])}}));
  }
  return answers;
}

Result<std::vector<ReadAnswer>> ScimTarget::ReadKnown(std::span<const KnownKey> known) {
  if (auto ready = Discover(); !ready) return tl::unexpected(ready.error());
  std::map<size_t, ReadAnswer> by_id = ReadByIds(Kind::kIamUser, known);
  by_id.merge(ReadByIds(Kind::kIamGroup, known));
  std::set<ObjectKey> wanted;
  Snapshots snapshots;
  for (size_t i = 0; i < known.size(); ++i) {
    if (by_id.contains(i)) continue;
    for (ObjectKey& part : PartsOf(known[i].key)) {
      const auto missing = missing_.find(part);
      if (missing != missing_.end() && names(part.kind).IdsOf(part.key).empty()) {
        snapshots.insert(*missing);
      } else {
        wanted.insert(std::move(part));
      }
    }
  }
  snapshots.merge(ReadKeys(*this, wanted, {.each = true}));
  std::vector<ReadAnswer> answers;
  answers.reserve(known.size());
  for (size_t i = 0; i < known.size(); ++i) {
    const auto at = by_id.find(i);
    answers.push_back(at != by_id.end() ? std::move(at->second)
                                        : AnswerOf(known[i].key, snapshots));
  }
  return answers;
}

}  // namespace postern::iam
