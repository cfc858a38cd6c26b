// Reading everything below the bases: one streamed subtree search each, and an answer for each
// (kind, base) on whether it is the whole truth.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "providers/directory/ldap_error.h"
#include "providers/directory/object_writer.h"
#include "providers/directory/target.h"

namespace postern::directory {

using object::Kind;
using object::ObjectSink;
using object::ScopeStatus;

namespace {

constexpr int kPageSize = 1000;
constexpr size_t kBatch = 256;  // entries read again at once
// So many entries are remembered, to go on in pages where a server cuts an unpaged answer.
constexpr size_t kRemembered = 20'000;

bool Wants(std::span<const Kind> kinds, Kind kind) {
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::string FilterFor(std::span<const Kind> kinds, const std::string& base) {
  // The most frequent class first: the server tries one after the other for each entry.
  std::string filter = "(|";
  if (Wants(kinds, Kind::kUser)) filter += "(objectClass=person)(objectClass=account)";
  if (Wants(kinds, Kind::kDirectoryGroup) || Wants(kinds, Kind::kMembership)) {
    filter += "(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)";
  }
  if (Wants(kinds, Kind::kOu)) filter += "(objectClass=organizationalUnit)";
  // The base itself is the sentinel: a search that doesn't return it was filtered by access rules.
  return filter + fmt::format("(entryDN={}))", EscapeFilter(base));
}

}  // namespace

// One base of one enumeration.
class Enumeration {
 public:
  // `fields` other than all: `kinds` is one.
  Enumeration(DirectoryTarget& target, Connection& connection, std::span<const Kind> kinds,
              object::FieldSet fields, size_t base, ObjectSink& sink)
      : target_(target),
        connection_(connection),
        kinds_(kinds),
        asked_(AttributesFor(kinds.empty() ? Kind::kUser : kinds.front(), fields)),
        base_(base),
        sink_(sink),
        writer_(fields) {}

  // False: the sink went away.
  bool Run(std::vector<ScopeStatus>* scopes);

 private:
  bool Visit(EntryCursor& cursor);
  bool DependsOnClass() const;
  bool WasSent();
  void RememberSent();
  bool Emit(const Entry& entry, Hidden hidden);
  bool EmitMembers(const Entry& entry);
  bool EmitDeferred();
  bool BelongsToDeeperBase(std::string_view key) const;
  Hidden HiddenIn(const Entry& entry);
  SearchEnd Search();
  std::string Trouble(const SearchEnd& end) const;
  bool Add(const object::ObjectView& view);

  DirectoryTarget& target_;
  Connection& connection_;
  std::span<const Kind> kinds_;
  const AttributeSet asked_;
  size_t base_;
  ObjectSink& sink_;
  Entry entry_;
  ObjectWriter writer_;
  std::unique_ptr<Connection> side_;  // asks about access while the main search streams
  std::string side_trouble_;
  std::string last_parent_;
  Class last_type_ = Class::kUnknown;
  Hidden last_hidden_ = 0;
  std::string ids_;  // of the entries that came, one after the other
  size_t remembered_ = 0;
  std::unordered_set<std::string_view> sent_;  // the same, once they are looked for
  bool paged_ = false, gone_ = false, sentinel_ = false;
  std::set<std::string> deferred_;  // keys of entries that need a look of their own
  uint64_t counts_[5] = {};
  size_t classless_ = 0, memberless_ = 0, unasked_ = 0;
  std::string first_memberless_;
};

bool Enumeration::Add(const object::ObjectView& view) {
  if (!Wants(kinds_, view.kind)) return true;
  ++counts_[static_cast<size_t>(view.kind)];
  if (!sink_.Add(view)) gone_ = true;
  return !gone_;
}

bool Enumeration::BelongsToDeeperBase(std::string_view key) const {
  const auto& bases = target_.settings().base_keys;
  for (const std::string& other : bases) {
    if (other.size() <= bases[base_].size() || !other.ends_with("," + bases[base_])) continue;
    if (key == other) return true;
    if (key.size() > other.size() && key.ends_with(other) &&
        key[key.size() - other.size() - 1] == ',') {
      return true;
    }
  }
  return false;
}

// Siblings follow each other in an answer, so the last parent answers nearly always.
Hidden Enumeration::HiddenIn(const Entry& entry) {
  const std::string_view parent = ParentOf(entry.dn);
  if (entry.type == last_type_ && parent == last_parent_) return last_hidden_;
  if (side_ == nullptr && side_trouble_.empty()) {
    auto opened = Connection::Open(target_.settings());
    if (opened) {
      side_ = std::move(*opened);
    } else {
      side_trouble_ = opened.error().message;
    }
  }
  if (side_ != nullptr && side_->lost()) side_trouble_ = "the connection was lost";
  if (!side_trouble_.empty()) {
    ++unasked_;
    return ~Hidden{0};
  }
  last_hidden_ = target_.HiddenIn(*side_, entry, asked_);
  last_parent_ = parent;
  last_type_ = entry.type;
  return last_hidden_;
}

bool Enumeration::EmitMembers(const Entry& entry) {
  const auto& members = entry.values[entry.member_attribute()];
  if (members.empty()) {
    if (memberless_++ == 0) first_memberless_ = entry.dn;
    return true;
  }
  const std::string group = NormalDn(entry.dn);
  for (std::string_view member : members) {
    const object::ObjectView view = writer_.WriteMembership(entry, member);
    if (IsPlaceholder(group, view.key.substr(group.size() + 1))) continue;
    if (!Add(view)) return false;
  }
  return true;
}

bool Enumeration::Emit(const Entry& entry, Hidden hidden) {
  if (!Add(writer_.Write(entry, hidden, target_.reading()))) return false;
  if (entry.type != Class::kGroup || !Wants(kinds_, Kind::kMembership)) return true;
  return EmitMembers(entry);
}

// True when the entry came already, before an answer that was cut short goes on in pages.
bool Enumeration::WasSent() {
  const std::string_view id = entry_.Has(kEntryUuid) ? entry_.First(kEntryUuid) : entry_.dn;
  if (paged_) return sent_.contains(id);
  if (remembered_ >= kRemembered) return false;
  ++remembered_;
  ids_.append(id).push_back('\0');  // no name holds it (RFC 4514 §2.4)
  return false;
}

void Enumeration::RememberSent() {
  for (std::string_view rest = ids_; !rest.empty(); rest.remove_prefix(rest.find('\0') + 1)) {
    sent_.insert(rest.substr(0, rest.find('\0')));
  }
}

// Whether a missing value may be hidden or never have been there, as its class decides.
bool Enumeration::DependsOnClass() const {
  return ((asked_ & Bit(kCn)) != 0 && !entry_.Has(kCn)) ||
         ((asked_ & Bit(kSn)) != 0 && !entry_.Has(kSn));
}

bool Enumeration::Visit(EntryCursor& cursor) {
  entry_.Load(cursor);
  if (!cursor.ok()) return true;  // counted by the search
  const bool by_filter = (asked_ & Bit(kObjectClass)) == 0;
  if (by_filter) entry_.type = Class::kUser;
  std::string key;
  if (!sentinel_ || target_.settings().bases.size() > 1) {
    AppendNormalDn(entry_.dn, &key);
    const bool base = key == target_.settings().base_keys[base_];
    sentinel_ |= base;
    if (BelongsToDeeperBase(key)) return true;
    // The filter lets the base through, whatever it is.
    if (by_filter && base) {
      if (!WasSent()) deferred_.insert(key);
      return true;
    }
  }
  if (entry_.type == Class::kUnknown) ++classless_;
  if (entry_.type == Class::kUnknown || entry_.type == Class::kOther) return true;
  if (WasSent()) return true;
  const bool locked =
      target_.reading().locks_by_attribute && entry_.First(kLockedTime) == kLockedForGood;
  // OUs and groups are few and have one field: each that doesn't show it is asked.
  const bool silent =
      entry_.type != Class::kUser && (asked_ & Bit(kDescription)) != 0 && !entry_.Has(kDescription);
  if (locked || silent || (by_filter && DependsOnClass())) {
    deferred_.insert(NormalDn(entry_.dn));
    return true;
  }
  return Emit(entry_, entry_.type == Class::kUser ? HiddenIn(entry_) : 0);
}

// Entries that need a look of their own: whether a lock holds, whether a field is hidden.
bool Enumeration::EmitDeferred() {
  std::set<std::string> batch;
  for (auto next = deferred_.begin(); next != deferred_.end();) {
    batch.insert(*next++);
    if (batch.size() < kBatch && next != deferred_.end()) continue;
    const Snapshots snapshots = target_.ReadEntries(batch);
    batch.clear();
    for (const auto& [key, snapshot] : snapshots) {
      if (snapshot.state == Snapshot::State::kUnreadable) {
        side_trouble_ = snapshot.reason;
        ++unasked_;
      }
      if (snapshot.state != Snapshot::State::kFound) continue;
      if (!Emit(snapshot.entry.View(), snapshot.hidden)) return false;
    }
  }
  return true;
}

SearchEnd Enumeration::Search() {
  const std::vector<const char*> names = NamesOf(asked_);
  SearchRequest request{.base = target_.settings().bases[base_],
                        .filter = FilterFor(kinds_, target_.settings().bases[base_]),
                        .attributes = names.data()};
  const auto visit = [this](EntryCursor& cursor) { return Visit(cursor); };
  SearchEnd end = connection_.Search(request, visit);
  // Some limits are for unpaged answers only: go on in pages with what wasn't sent yet.
  const bool imposed = end.code == LDAP_SIZELIMIT_EXCEEDED || end.code == LDAP_ADMINLIMIT_EXCEEDED;
  if (imposed && target_.features().paged && end.entries < kRemembered) {
    paged_ = true;
    RememberSent();
    request.page_size = kPageSize;
    const size_t before = end.entries;
    end = connection_.Search(request, visit);
    end.entries += before;
  }
  return end;
}

std::string Enumeration::Trouble(const SearchEnd& end) const {
  if (end.code == LDAP_NO_SUCH_OBJECT) return "the base doesn't exist, or is hidden from us";
  if (end.code != LDAP_SUCCESS) return fmt::format("{} after {} entries", end.message, end.entries);
  if (end.malformed > 0) {
    return fmt::format("{} {} could not be decoded", end.malformed,
                       end.malformed == 1 ? "entry" : "entries");
  }
  if (end.references > 0) {
    return fmt::format("{} {} to other servers, which are not followed", end.references,
                       end.references == 1 ? "referral" : "referrals");
  }
  if (!sentinel_) return "the base itself was not in the answer: access rules hide it from us";
  if (classless_ > 0) return fmt::format("the object classes of {} entries are hidden", classless_);
  if (unasked_ > 0) {
    return fmt::format("what is hidden from us couldn't be found out: {}", side_trouble_);
  }
  return {};
}

bool Enumeration::Run(std::vector<ScopeStatus>* scopes) {
  const SearchEnd end = Search();
  if (gone_) return false;
  if (end.code == LDAP_SUCCESS && !EmitDeferred()) return false;
  const std::string trouble = Trouble(end);
  for (const Kind kind : {Kind::kOu, Kind::kUser, Kind::kDirectoryGroup, Kind::kMembership}) {
    if (!Wants(kinds_, kind)) continue;
    ScopeStatus status;
    status.kind = kind;
    status.scope = target_.settings().base_keys[base_];
    status.reason = trouble;
    if (trouble.empty() && kind == Kind::kMembership && memberless_ > 0) {
      status.reason =
          fmt::format("the members of {} {} are hidden from us, the first is {}", memberless_,
                      memberless_ == 1 ? "group" : "groups", first_memberless_);
    }
    status.complete = status.reason.empty();
    status.count = counts_[static_cast<size_t>(kind)];
    status.sentinel_seen = sentinel_;
    scopes->push_back(std::move(status));
  }
  return true;
}

Result<std::vector<ScopeStatus>> DirectoryTarget::Enumerate(std::span<const Kind> kinds,
                                                            ObjectSink& sink) {
  return EnumerateBases(kinds, object::kAllFields, sink);
}

Result<std::vector<ScopeStatus>> DirectoryTarget::EnumerateFields(Kind kind,
                                                                  object::FieldSet fields,
                                                                  ObjectSink& sink) {
  return EnumerateBases({&kind, 1}, fields, sink);
}

Result<std::vector<ScopeStatus>> DirectoryTarget::EnumerateBases(std::span<const Kind> kinds,
                                                                 object::FieldSet fields,
                                                                 ObjectSink& sink) {
  ForgetAccess();
  std::vector<ScopeStatus> scopes;
  for (size_t base = 0; base < settings_.bases.size(); ++base) {
    auto connection = base == 0 ? ConnectAnew() : Connect();
    if (!connection && base == 0) return tl::unexpected(connection.error());
    if (!connection) {
      for (const Kind kind : {Kind::kOu, Kind::kUser, Kind::kDirectoryGroup, Kind::kMembership}) {
        if (!Wants(kinds, kind)) continue;
        scopes.push_back({.kind = kind,
                          .scope = settings_.base_keys[base],
                          .reason = connection.error().message});
      }
      continue;
    }
    Enumeration enumeration(*this, **connection, kinds, fields, base, sink);
    if (!enumeration.Run(&scopes)) {
      return Fail(ErrorCode::kCancelled, "the reader went away");
    }
  }
  return scopes;
}

}  // namespace postern::directory
