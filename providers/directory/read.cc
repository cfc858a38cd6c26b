// Reading by key, and what is hidden from us.
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <unordered_map>

#include "providers/directory/ldap_error.h"
#include "providers/directory/object_writer.h"
#include "providers/directory/target.h"

namespace postern::directory {

using object::Answer;
using object::Kind;
using object::ObjectKey;
using object::ReadAnswer;

std::vector<const char*> NamesOf(AttributeSet attributes) {
  std::vector<const char*> names;
  for (uint8_t i = 0; i < kAttributeCount; ++i) {
    const auto attribute = static_cast<Attribute>(i);
    if ((attributes & Bit(attribute)) != 0) names.push_back(NameOf(attribute));
  }
  names.push_back(nullptr);
  return names;
}

namespace {

bool IsRelevant(const Entry& entry, Attribute attribute, const Reading& reading) {
  switch (attribute) {
    case kDescription:
      return true;
    case kUid:
    case kGivenName:
    case kDisplayName:
    case kMail:
    case kEmployeeNumber:
    case kPassword:
      return entry.type == Class::kUser;
    case kLockedTime:
    case kEndTime:
      return entry.type == Class::kUser && reading.has_policy_attributes;
    default:
      return false;
  }
}

}  // namespace

namespace {

// What an entry was asked for, may have, doesn't show, and so may be hiding.
std::vector<Attribute> Missing(const Entry& entry, const Reading& reading,
                               AttributeSet asked = kAllAttributes) {
  std::vector<Attribute> missing;
  for (uint8_t i = 0; i < kAttributeCount; ++i) {
    const auto attribute = static_cast<Attribute>(i);
    if ((asked & Bit(attribute)) != 0 && !entry.Has(attribute) &&
        IsRelevant(entry, attribute, reading)) {
      missing.push_back(attribute);
    }
  }
  return missing;
}

const char* const kNothing[] = {"1.1", nullptr};

}  // namespace

Hidden DirectoryTarget::AskHidden(Connection& connection, const Entry& entry, AttributeSet asked) {
  std::vector<BaseRead> questions;
  const std::vector<Attribute> missing = Missing(entry, reading_, asked);
  for (const Attribute attribute : missing) {
    questions.push_back({std::string(entry.dn), fmt::format("(!({}=*))", NameOf(attribute))});
  }
  const auto answers =
      connection.ReadMany(questions, kNothing, nullptr, [](size_t, EntryCursor&) {});
  Hidden hidden = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].found) hidden |= Bit(missing[i]);
  }
  return hidden;
}

Hidden DirectoryTarget::HiddenIn(Connection& connection, const Entry& entry, AttributeSet asked) {
  hidden_key_.assign(1, static_cast<char>('0' + static_cast<int>(entry.type)));
  hidden_key_ += ParentOf(entry.dn);
  if (const auto known = hidden_.find(hidden_key_); known != hidden_.end()) return known->second;
  const Hidden hidden = AskHidden(connection, entry, asked);
  // A lost connection says nothing about rights; what was not answered is unreadable for now.
  if (!connection.lost()) hidden_.emplace(hidden_key_, hidden);
  return hidden;
}

// One question an entry, on all it doesn't show; single ones only where that isn't answered.
void DirectoryTarget::FindHidden(Connection& connection, Snapshots* snapshots) {
  std::vector<BaseRead> questions;
  std::vector<Snapshot*> asked;
  for (auto& [key, snapshot] : *snapshots) {
    if (snapshot.state != Snapshot::State::kFound) continue;
    std::string filter = "(&";
    for (const Attribute attribute : Missing(snapshot.entry.View(), reading_)) {
      filter += fmt::format("(!({}=*))", NameOf(attribute));
    }
    if (filter.size() == 2) continue;
    questions.push_back({snapshot.entry.dn, filter + ")"});
    asked.push_back(&snapshot);
  }
  const auto answers =
      connection.ReadMany(questions, kNothing, nullptr, [](size_t, EntryCursor&) {});
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].found)
      asked[i]->hidden = AskHidden(connection, asked[i]->entry.View(), kAllAttributes);
  }
}

namespace {

// [0] INTEGER: the account may be used; [1] SEQUENCE: it may not. Nothing: no policy applies to it.
// The details inside [1] are no help: slapd 2.5.13 sends the same for locked and for expired.
void LoadUsability(const EntryCursor& cursor, Entry* entry) {
  entry->asked_usability = true;
  entry->inactive = cursor.control().starts_with('\xa1');
}

Snapshot Judge(const BaseAnswer& answer, const std::string& key) {
  Snapshot snapshot;
  if (answer.found) {
    snapshot.state = Snapshot::State::kFound;
    return snapshot;
  }
  if (answer.code == LDAP_NO_SUCH_OBJECT) {
    // The nearest entry that exists must be above the one that doesn't.
    const std::string matched = NormalDn(answer.matched);
    if (matched.empty() || (key.size() > matched.size() && key.ends_with("," + matched))) {
      snapshot.state = Snapshot::State::kAbsent;
      return snapshot;
    }
    snapshot.reason =
        fmt::format("the server answers no such object, but names {}", answer.matched);
    return snapshot;
  }
  snapshot.lost = answer.code == LDAP_SERVER_DOWN || answer.code == LDAP_TIMEOUT;
  snapshot.reason = answer.code == LDAP_SUCCESS ? "the server's access rules hide it"
                    : answer.code == LDAP_REFERRAL
                        ? "the server refers to another server, which is not followed"
                        : answer.message;
  return snapshot;
}

}  // namespace

// Below a base that we can't see, "no such object" may as well mean "hidden from you".
std::vector<std::string> DirectoryTarget::BaseProblems(const std::set<std::string>& keys) {
  std::vector<std::string> hidden_bases;
  std::vector<BaseRead> reads;
  std::vector<std::string> asked;
  for (size_t i = 0; i < settings_.bases.size(); ++i) {
    const std::string& base = settings_.base_keys[i];
    const bool needed = std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
      return key.ends_with("," + base);
    });
    if (!needed) continue;
    reads.push_back({settings_.bases[i], "(objectClass=*)"});
    asked.push_back(base);
  }
  const auto answers = connection_->ReadMany(reads, kNothing, nullptr, [](size_t, EntryCursor&) {});
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].found) hidden_bases.push_back(asked[i]);
  }
  return hidden_bases;
}

Snapshots DirectoryTarget::ReadEntries(const std::set<std::string>& keys) {
  Snapshots snapshots;
  auto connection = Connect();
  if (!connection) {
    for (const std::string& key : keys) {
      Snapshot& snapshot = snapshots[key];
      snapshot.reason = connection.error().message;
      snapshot.lost = true;
    }
    return snapshots;
  }
  std::vector<BaseRead> reads;
  std::vector<Snapshot*> order;
  for (const std::string& key : keys) {
    reads.push_back({key, "(objectClass=*)"});
    order.push_back(&snapshots[key]);
  }
  Entry entry;
  const char* control = features_.usability ? kUsabilityControl : nullptr;
  static const std::vector<const char*> names = NamesOf(kAllAttributes);
  const auto answers =
      (*connection)->ReadMany(reads, names.data(), control, [&](size_t index, EntryCursor& cursor) {
        entry.Load(cursor);
        if (control != nullptr) LoadUsability(cursor, &entry);
        order[index]->entry.Assign(entry);
      });
  for (size_t i = 0; i < answers.size(); ++i) {
    OwnedEntry read = std::move(order[i]->entry);
    *order[i] = Judge(answers[i], reads[i].dn);
    order[i]->entry = std::move(read);
  }
  bool any_absent = false;
  for (auto& [key, snapshot] : snapshots) {
    any_absent |= snapshot.state == Snapshot::State::kAbsent;
  }
  FindHidden(**connection, &snapshots);
  if (!any_absent) return snapshots;
  const std::vector<std::string> hidden_bases = BaseProblems(keys);
  for (auto& [key, snapshot] : snapshots) {
    if (snapshot.state != Snapshot::State::kAbsent) continue;
    for (const std::string& base : hidden_bases) {
      if (!std::string_view(key).ends_with("," + base)) continue;
      snapshot.state = Snapshot::State::kUnreadable;
      snapshot.reason =
          fmt::format("the base {} can't be read, so nothing is known below it", base);
    }
  }
  return snapshots;
}

namespace {

const char* NameOf(Class type) {
  switch (type) {
    case Class::kOu:
      return "an organizational unit";
    case Class::kUser:
      return "a user";
    case Class::kGroup:
      return "a group";
    case Class::kUnknown:
      return "of a class that can't be read";
    case Class::kOther:
      return "an entry of another class";
  }
  return "";
}

Class ClassOf(Kind kind) {
  return kind == Kind::kOu ? Class::kOu : kind == Kind::kUser ? Class::kUser : Class::kGroup;
}

void Unreadable(std::string reason, ReadAnswer* answer) {
  answer->answer = Answer::kUnreadable;
  answer->reason = std::move(reason);
}

void CopyObject(const object::ObjectView& view, ReadAnswer* answer) {
  answer->answer = Answer::kValue;
  object::Object& to = answer->object;
  to.body = view.body;
  to.id = view.id;
  to.unreadable = view.unreadable;
  to.changed_by = view.changed_by;
  to.changed_at = view.changed_at;
  to.how_known = view.how_known;
}

void AnswerMembership(std::string_view group, std::string_view member, const Snapshot& snapshot,
                      ReadAnswer* answer) {
  const OwnedEntry& entry = snapshot.entry;
  const auto& members = snapshot.Members();
  if (members.empty()) {  // the class demands one
    Unreadable(fmt::format("the members of {} are hidden from us", entry.dn), answer);
    return;
  }
  answer->answer = Answer::kAbsent;
  const auto found = members.find(std::string(member));
  if (found == members.end() || IsPlaceholder(group, member)) return;
  Entry head;  // without the members: there may be many
  head.dn = entry.dn;
  for (const Attribute attribute : {kModifiersName, kModifyTimestamp}) {
    head.values[attribute].assign(entry.values[attribute].begin(), entry.values[attribute].end());
  }
  ObjectWriter writer;
  writer.SetGroup(group);
  CopyObject(writer.WriteMembership(head, found->second), answer);
}

}  // namespace

const std::unordered_map<std::string, std::string>& Snapshot::Members() const {
  if (!members_read) {
    for (const std::string& member : entry.values[entry.member_attribute()]) {
      members.emplace(NormalDn(member), member);
    }
    members_read = true;
  }
  return members;
}

ReadAnswer DirectoryTarget::AnswerOf(const ObjectKey& key, const Snapshots& snapshots) {
  ReadAnswer answer;
  answer.object.kind = key.kind;
  answer.object.key = key.key;
  const auto parts = object::SplitKey(key.key);
  const auto found = snapshots.find(parts[0]);
  if (found == snapshots.end()) {
    Unreadable("it was not asked for", &answer);
    return answer;
  }
  const Snapshot& snapshot = found->second;
  if (snapshot.state == Snapshot::State::kUnreadable) {
    Unreadable(snapshot.reason, &answer);
    return answer;
  }
  if (snapshot.state == Snapshot::State::kAbsent) {
    answer.answer = Answer::kAbsent;
    return answer;
  }
  if (snapshot.entry.type != ClassOf(key.kind)) {
    Unreadable(fmt::format("{} is {}", snapshot.entry.dn, NameOf(snapshot.entry.type)), &answer);
    return answer;
  }
  if (key.kind == Kind::kMembership) {
    if (parts.size() == 2) AnswerMembership(parts[0], parts[1], snapshot, &answer);
    return answer;
  }
  ObjectWriter writer;
  CopyObject(writer.Write(snapshot.entry.View(), snapshot.hidden, reading_), &answer);
  return answer;
}

Result<std::vector<ReadAnswer>> DirectoryTarget::Read(std::span<const ObjectKey> keys) {
  if (auto connection = ConnectAnew(); !connection) return tl::unexpected(connection.error());
  ForgetAccess();
  std::set<std::string> entries;
  for (const ObjectKey& key : keys) entries.emplace(object::SplitKey(key.key)[0]);
  const Snapshots snapshots = ReadEntries(entries);
  std::vector<ReadAnswer> answers;
  answers.reserve(keys.size());
  for (const ObjectKey& key : keys) answers.push_back(AnswerOf(key, snapshots));
  return answers;
}

}  // namespace postern::directory
