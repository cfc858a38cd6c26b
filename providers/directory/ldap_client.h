// providers/directory/ldap_client.h: one connection to an LDAP server.
//
// A handle dies with its connection: libldap never reconnects one (facts: also a new bind fails),
// so a lost Connection is thrown away and a new one opened. All waiting is bounded. Referrals are
// never followed (they would be anonymous), only counted. One thread at a time; pipelining, not
// threads.
#pragma once
#include <ldap.h>

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "providers/directory/settings.h"

namespace postern::directory {

// One entry of an answer, as views into libldap's buffer: valid only inside the visit.
class EntryCursor {
 public:
  // `control`: the response control whose value is wanted, or null.
  EntryCursor(LDAP* ld, LDAPMessage* message, const char* control = nullptr);
  ~EntryCursor();
  EntryCursor(const EntryCursor&) = delete;
  EntryCursor& operator=(const EntryCursor&) = delete;

  bool ok() const { return ok_; }
  std::string_view dn() const { return dn_; }
  // The next attribute, whatever is left of the one before; false at the end, and where the message
  // can't be decoded: then ok() is false and what was read is not the whole entry. Never allocates.
  bool Next(std::string_view* name);
  // The next value of that attribute; false after its last.
  bool NextValue(std::string_view* value);
  // Value of the response control; empty when the server sent none.
  const std::string& control() const { return control_; }

 private:
  bool Enter(ber_tag_t wanted, size_t* length);
  bool Take(std::string_view* text);

  BerElement* ber_ = nullptr;
  std::string_view dn_;
  std::string control_;
  size_t after_values_ = 0;  // bytes that follow the last value of the attribute
  bool ok_ = false, in_values_ = false;
};

inline std::string_view View(const BerValue& value) {
  return {value.bv_val, value.bv_len};
}

struct SearchRequest {
  std::string base;
  int scope = LDAP_SCOPE_SUBTREE;
  std::string filter = "(objectClass=*)";
  const char* const* attributes = nullptr;  // null-terminated
  int page_size = 0;                        // 0: one streamed answer
};

// How a search ended. Anything but code 0 without references and malformed entries is not the whole
// answer.
struct SearchEnd {
  int code = LDAP_OTHER;
  std::string message;  // for people, when code isn't 0
  std::string matched;  // with noSuchObject: the nearest entry that exists, where told
  size_t entries = 0;
  size_t references = 0;
  size_t malformed = 0;  // entries that couldn't be decoded to their end
  bool stopped = false;  // the visitor said so
};

// False: stop the search.
using Visitor = std::function<bool(EntryCursor& entry)>;

struct BaseRead {
  std::string dn;
  std::string filter = "(objectClass=*)";
};
struct BaseAnswer {
  int code = LDAP_OTHER;
  bool found = false;      // and decoded to its end
  bool malformed = false;  // else
  std::string matched;
  std::string message;
};

struct Modification {
  int operation = 0;  // LDAP_MOD_ADD, _DELETE, _REPLACE
  std::string attribute;
  std::vector<std::string> values;
};

struct Write {
  enum class Type { kAdd, kModify, kDelete, kRename, kPassword } type = Type::kModify;
  std::string dn;
  std::vector<Modification> modifications;  // add: each attribute with its values
  std::string new_rdn, new_superior;        // rename; superior empty: stays where it is
  std::string password;
  std::string assertion;  // RFC 4528: carried out only when this filter matches; empty: always
};
struct WriteAnswer {
  bool sent = false;
  int code = LDAP_SERVER_DOWN;  // sent without an answer: it may have been done
  std::string message;
};

class Connection {
 public:
  // Connects, verifies the certificate, binds. Errors: kUnavailable, kTimeout, kAuthentication (the
  // password), kUntrusted (the certificate, with what it says), kInvalid. Cost: two to four round
  // trips.
  static Result<std::unique_ptr<Connection>> Open(const Settings& settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // True after any answer that says that the connection is gone.
  bool lost() const { return lost_; }
  SearchEnd Search(const SearchRequest& request, const Visitor& visit);
  // Base searches in a window; `visit` for each entry found, with the index. `control`: a control
  // without value to send along, or null. Answers in order.
  std::vector<BaseAnswer> ReadMany(
      std::span<const BaseRead> reads, const char* const* attributes, const char* control,
      const std::function<void(size_t index, EntryCursor& entry)>& visit);
  // Sends the writes in a window of 64; the server may carry them out in any order, so none may
  // depend on another.
  std::vector<WriteAnswer> WriteMany(std::span<const Write> writes);
  Result<std::string> WhoAmI();

 private:
  using Clock = std::chrono::steady_clock;
  explicit Connection(const Settings& settings) : settings_(settings) {}
  Result<void> SetOptions();
  Result<void> Secure();
  Result<void> Bind();
  void TuneSocket();
  SearchEnd SearchOnce(const SearchRequest& request, LDAPControl** controls, const Visitor& visit,
                       std::string* cookie);
  int SendWrite(const Write& write, int* message_id);
  // Waits for the next message; null: none, and *code says why.
  LDAPMessage* Wait(int message_id, std::chrono::milliseconds limit, int* code);
  // The same for a stream of many messages, asked for at `begun`, within the limit for a stall.
  LDAPMessage* WaitGathered(int message_id, Clock::time_point begun, int* code);

  const Settings& settings_;
  LDAP* ld_ = nullptr;
  int descriptor_ = -1;
  bool lost_ = false;
};

// `text` as a filter value (RFC 4515 §3), by libldap.
std::string EscapeFilter(std::string_view text);

}  // namespace postern::directory
