// providers/directory/target.h: the Target of one directory; its calls stand in enumerate.cc,
// read.cc, apply.cc and probe.cc.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "providers/directory/entry.h"
#include "providers/directory/ldap_client.h"
#include "providers/directory/settings.h"

namespace postern::directory {

// What the server said of itself, asked once a connection.
struct Features {
  bool assertion = false;        // RFC 4528
  bool password_modify = false;  // RFC 3062
  bool paged = false;
  bool usability = false;          // account usability control
  bool policy_attributes = false;  // the ppolicy module is loaded
  std::string lockout_policy;      // DN of a policy with pwdLockout TRUE that we can see
  bool openldap = false;
  std::string vendor, version;
  std::vector<std::string> contexts;
};

// The answer of one base read.
struct Snapshot {
  enum class State { kFound, kAbsent, kUnreadable } state = State::kUnreadable;
  std::string reason;  // when unreadable
  bool lost = false;   // unreadable because the connection is
  OwnedEntry entry;
  Hidden hidden = 0;
  // Of a group: normal form -> as the server spells it, the placeholder included. Filled on first
  // use; empty when the server shows no member.
  const std::unordered_map<std::string, std::string>& Members() const;

 private:
  mutable std::unordered_map<std::string, std::string> members;
  mutable bool members_read = false;
};

// Answers for entries by key (normalised DN).
using Snapshots = std::map<std::string, Snapshot, std::less<>>;

class DirectoryTarget final : public object::Target {
 public:
  explicit DirectoryTarget(Settings settings) : settings_(std::move(settings)) {}

  Result<object::Probe> ProbeTarget() override;
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind> kinds,
                                                     object::ObjectSink& sink) override;
  Result<std::vector<object::ScopeStatus>> EnumerateFields(object::Kind kind,
                                                           object::FieldSet fields,
                                                           object::ObjectSink& sink) override;
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override;
  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets& secrets,
                     object::OutcomeSink& sink) override;

  // ---- shared by the calls ----
  // A connection: the old one, or a new one after a loss.
  Result<Connection*> Connect();
  // The same at the start of a call: an old connection is asked first, because servers end idle
  // ones without a word. Cost: one round trip.
  Result<Connection*> ConnectAnew();
  // Reads entries by key; never fails: what can't be read says so.
  Snapshots ReadEntries(const std::set<std::string>& keys);
  // What an object of `kind` at `key` is, by the snapshots of its entries.
  object::ReadAnswer AnswerOf(const object::ObjectKey& key, const Snapshots& snapshots);

  const Settings& settings() const { return settings_; }
  const Features& features() const { return features_; }
  const Reading& reading() const { return reading_; }
  void set_ledger_key(const std::string& key) { reading_.ledger_key = key; }

  // Attributes that we may not read in entries like this one (same class, same parent): found out
  // by asking the server about the first such entry. An entry for which "(!(mail=*))" is true has
  // no mail; one for which it is undefined hides it from us (RFC 4511 §4.5.1.7). For enumerations,
  // which can't ask about each entry; ReadEntries does. Of the attributes that were asked for.
  // Cached, for one enumeration; see ForgetAccess.
  Hidden HiddenIn(Connection& connection, const Entry& entry, AttributeSet asked);
  void ForgetAccess() { hidden_.clear(); }

 private:
  friend class Enumeration;
  void ReadFeatures();
  Result<std::vector<object::ScopeStatus>> EnumerateBases(std::span<const object::Kind> kinds,
                                                          object::FieldSet fields,
                                                          object::ObjectSink& sink);
  Hidden AskHidden(Connection& connection, const Entry& entry, AttributeSet asked);
  void FindHidden(Connection& connection, Snapshots* snapshots);
  std::vector<std::string> BaseProblems(const std::set<std::string>& keys);

  Settings settings_;
  std::unique_ptr<Connection> connection_;
  Features features_;
  Reading reading_;
  std::map<std::string, Hidden, std::less<>> hidden_;  // class and parent -> bits
  std::string hidden_key_;
};

// For requests; null-terminated.
std::vector<const char*> NamesOf(AttributeSet attributes);

inline constexpr const char* kUsabilityControl = "1.3.6.1.4.1.42.2.27.9.5.8";

}  // namespace postern::directory
