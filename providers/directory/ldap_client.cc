#include "providers/directory/ldap_client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "providers/directory/ldap_error.h"
#include "providers/directory/tls_diagnosis.h"

namespace postern::directory {
namespace {

constexpr ber_len_t kReadAhead = 64 << 10;      // the most that liblber takes
constexpr std::chrono::milliseconds kSlice{2};  // of reading inside one message
constexpr std::chrono::milliseconds kGather{8};
constexpr std::chrono::microseconds kWorthwhile{100};  // a shorter sleep costs more than it saves

timeval ToTimeval(std::chrono::milliseconds limit) {
  return {static_cast<time_t>(limit.count() / 1000),
          static_cast<suseconds_t>(limit.count() % 1000 * 1000)};
}

// ldap.conf, ~/.ldaprc and LDAPTLS_* would silently change what is verified.
void IgnoreAmbientConfiguration() {
  static std::once_flag once;
  std::call_once(once, [] { setenv("LDAPNOINIT", "1", 1); });  // NOLINT(concurrency-mt-unsafe)
}

std::string ServerText(LDAP* ld) {
  char* text = nullptr;
  ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
  std::string copy = text == nullptr ? "" : text;
  ldap_memfree(text);
  return copy;
}

}  // namespace

EntryCursor::EntryCursor(LDAP* ld, LDAPMessage* message, const char* control) {
  // First of all: reading the entry terminates its name in place, over the byte that follows it,
  // and what looks at the message again fails to decode it.
  LDAPControl** controls = nullptr;
  if (control != nullptr && ldap_get_entry_controls(ld, message, &controls) == LDAP_SUCCESS) {
    if (const LDAPControl* found = ldap_control_find(control, controls, nullptr)) {
      control_.assign(found->ldctl_value.bv_val, found->ldctl_value.bv_len);
    }
    ldap_controls_free(controls);
  }
  BerValue dn{};
  ok_ = ldap_get_dn_ber(ld, message, &ber_, &dn) == LDAP_SUCCESS;
  if (ok_) dn_ = View(dn);
}

EntryCursor::~EntryCursor() {
  ber_free(ber_, 0);
}

bool EntryCursor::Enter(ber_tag_t wanted, size_t* length) {
  ber_len_t content = 0;
  ok_ = ok_ && ber_skip_tag(ber_, &content) == wanted;
  *length = content;
  return ok_;
}

bool EntryCursor::Take(std::string_view* text) {
  BerValue value{};
  // Not ber_get_stringbv or ldap_get_attribute_ber: they allocate, or write behind each value.
  ok_ = ok_ && ber_skip_element(ber_, &value) == LBER_OCTETSTRING;
  *text = View(value);
  return ok_;
}

// PartialAttribute ::= SEQUENCE { type, vals SET OF value } (RFC 4511 §4.1.7).
bool EntryCursor::Next(std::string_view* name) {
  for (std::string_view rest; in_values_ && NextValue(&rest);) {
  }
  in_values_ = false;
  if (!ok_ || ber_remaining(ber_) == 0) return false;
  size_t length = 0;
  if (!Enter(LBER_SEQUENCE, &length) || !Take(name) || !Enter(LBER_SET, &length)) return false;
  after_values_ = static_cast<size_t>(ber_remaining(ber_)) - length;
  in_values_ = true;
  return true;
}

bool EntryCursor::NextValue(std::string_view* value) {
  if (!in_values_ || !ok_) return false;
  const auto remaining = static_cast<size_t>(ber_remaining(ber_));
  in_values_ = remaining > after_values_;
  ok_ = remaining >= after_values_;
  return in_values_ && Take(value);
}

std::string EscapeFilter(std::string_view text) {
  BerValue in{text.size(), const_cast<char*>(text.data())}, out{};
  if (ldap_bv2escaped_filter_value(&in, &out) != 0) return {};
  std::string escaped(out.bv_val, out.bv_len);
  if (out.bv_val != in.bv_val) ber_memfree(out.bv_val);
  return escaped;
}

Connection::~Connection() {
  if (ld_ != nullptr) ldap_unbind_ext_s(ld_, nullptr, nullptr);
}

Result<std::unique_ptr<Connection>> Connection::Open(const Settings& settings) {
  IgnoreAmbientConfiguration();
  std::unique_ptr<Connection> connection(new Connection(settings));
  if (auto ok = connection->SetOptions(); !ok) return tl::unexpected(ok.error());
  if (auto ok = connection->Secure(); !ok) return tl::unexpected(ok.error());
  if (auto ok = connection->Bind(); !ok) return tl::unexpected(ok.error());
  connection->TuneSocket();
  return connection;
}

// After TLS and bind, so that it stands above the layers that these put in.
void Connection::TuneSocket() {
  Sockbuf* socket = nullptr;
  ber_socket_t descriptor = -1;
  if (ldap_get_option(ld_, LDAP_OPT_SOCKBUF, &socket) != LDAP_SUCCESS || socket == nullptr) return;
  // libldap alone reads each message in two and polls before it: at 100,000 entries a third of the
  // client's time.
  ber_len_t ahead = kReadAhead;
  ber_sockbuf_add_io(socket, &ber_sockbuf_io_readahead, LBER_SBIOD_LEVEL_APPLICATION, nullptr);
  ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_READAHEAD, &ahead);
  if (ber_sockbuf_ctrl(socket, LBER_SB_OPT_GET_FD, &descriptor) != 1) return;
  descriptor_ = descriptor;
  // libldap's own limits hold between messages only: a server that stops inside one would keep the
  // read for ever. A read that times out goes back to those limits.
  const timeval slice = ToTimeval(kSlice);
  setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
}

Result<void> Connection::SetOptions() {
  const int code = ldap_initialize(&ld_, settings_.url.c_str());
  if (code != LDAP_SUCCESS) {
    return Fail(ErrorCode::kInvalid, fmt::format("{}: {}", settings_.url, ldap_err2string(code)));
  }
  const int version = LDAP_VERSION3, idle = 60, probes = 4, interval = 15;
  const timeval connect = ToTimeval(settings_.patience.connect);
  const timeval answer = ToTimeval(settings_.patience.answer);
  const unsigned user_timeout = static_cast<unsigned>(settings_.patience.stall.count());
  ldap_set_option(ld_, LDAP_OPT_PROTOCOL_VERSION, &version);
  ldap_set_option(ld_, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  ldap_set_option(ld_, LDAP_OPT_NETWORK_TIMEOUT, &connect);
  ldap_set_option(ld_, LDAP_OPT_TIMEOUT, &answer);
  ldap_set_option(ld_, LDAP_OPT_X_KEEPALIVE_IDLE, &idle);
  ldap_set_option(ld_, LDAP_OPT_X_KEEPALIVE_PROBES, &probes);
  ldap_set_option(ld_, LDAP_OPT_X_KEEPALIVE_INTERVAL, &interval);
  ldap_set_option(ld_, LDAP_OPT_TCP_USER_TIMEOUT, &user_timeout);
  ldap_set_option(ld_, LDAP_OPT_RESTART, LDAP_OPT_ON);  // a signal doesn't end a wait
  return {};
}

Result<void> Connection::Secure() {
  if (settings_.uses_tls()) {
    if (auto ok = SetTlsOptions(settings_, ld_, LDAP_OPT_X_TLS_DEMAND); !ok) return ok;
  }
  // ldap_connect makes the TCP connection, and with ldaps:// the handshake.
  int code = ldap_connect(ld_);
  if (code == LDAP_SUCCESS && settings_.start_tls) code = ldap_start_tls_s(ld_, nullptr, nullptr);
  if (code == LDAP_SUCCESS) return {};
  const std::string text = ServerText(ld_);
  if (settings_.uses_tls()) {
    if (auto reason = DiagnoseTls(settings_); !reason.empty()) {
      return Fail(ErrorCode::kUntrusted, reason);
    }
  }
  if (settings_.start_tls && code > 0) {
    return Fail(ErrorCode::kUntrusted,
                fmt::format("{} refuses StartTLS: {}", settings_.url, Explain(code, text)));
  }
  if (code == LDAP_TIMEOUT) {
    return Fail(ErrorCode::kTimeout, fmt::format("{} doesn't answer", settings_.url));
  }
  return Fail(ErrorCode::kUnavailable, fmt::format("can't reach {}: no server answers there{}",
                                                   settings_.url, text.empty() ? "" : ": " + text));
}

Result<void> Connection::Bind() {
  BerValue credentials{settings_.password.size(), const_cast<char*>(settings_.password.data())};
  const char* dn = settings_.bind_dn.c_str();
  const char* mechanism = LDAP_SASL_SIMPLE;
  if (settings_.external) {
    credentials = {0, const_cast<char*>("")};
    dn = "";
    mechanism = "EXTERNAL";
  }
  const int code = ldap_sasl_bind_s(ld_, dn, mechanism, &credentials, nullptr, nullptr, nullptr);
  if (code == LDAP_SUCCESS) return {};
  const std::string who = settings_.external ? "SASL EXTERNAL" : settings_.bind_dn;
  const ErrorCode kind = ErrorCodeOf(code);
  return Fail(kind == ErrorCode::kInternal ? ErrorCode::kAuthentication : kind,
              fmt::format("can't log in to {} as {}: {}", settings_.url, who,
                          Explain(code, ServerText(ld_))));
}

LDAPMessage* Connection::Wait(int message_id, std::chrono::milliseconds limit, int* code) {
  timeval wait = ToTimeval(limit);
  LDAPMessage* message = nullptr;
  const int type = ldap_result(ld_, message_id, LDAP_MSG_ONE, &wait, &message);
  if (type > 0) return message;
  *code = type == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN;
  // A silent server may answer later, out of step with what we think: the connection is no use.
  lost_ = true;
  return nullptr;
}

// slapd writes each entry by itself. One that finds us waiting wakes us and goes out as a packet of
// its own, which costs the server more than half as much again as the entry (bench export-csv);
// what it writes while we look away, TCP puts together. So a stream that ran dry is left alone for
// a moment, in proportion to how long it has run already: short answers come at once, long ones a
// sixteenth later at most.
LDAPMessage* Connection::WaitGathered(int message_id, Clock::time_point begun, int* code) {
  timeval none{};
  LDAPMessage* message = nullptr;
  if (ldap_result(ld_, message_id, LDAP_MSG_ONE, &none, &message) > 0) return message;
  const auto moment = std::min<Clock::duration>((Clock::now() - begun) / 16, kGather);
  if (moment > kWorthwhile) std::this_thread::sleep_for(moment);
  return Wait(message_id, settings_.patience.stall, code);
}

SearchEnd Connection::SearchOnce(const SearchRequest& request, LDAPControl** controls,
                                 const Visitor& visit, std::string* cookie) {
  SearchEnd end;
  const Clock::time_point begun = Clock::now();
  int id = 0;
  end.code = ldap_search_ext(ld_, request.base.c_str(), request.scope, request.filter.c_str(),
                             const_cast<char**>(request.attributes), 0, controls, nullptr, nullptr,
                             LDAP_NO_LIMIT, &id);
  if (end.code != LDAP_SUCCESS) {
    lost_ = lost_ || end.code == LDAP_SERVER_DOWN;
    return end;
  }
  for (;;) {
    LDAPMessage* message = request.scope == LDAP_SCOPE_BASE
                               ? Wait(id, settings_.patience.stall, &end.code)
                               : WaitGathered(id, begun, &end.code);
    if (message == nullptr) return end;
    const std::unique_ptr<LDAPMessage, int (*)(LDAPMessage*)> guard(message, ldap_msgfree);
    const int type = ldap_msgtype(message);
    if (type == LDAP_RES_SEARCH_ENTRY) {
      EntryCursor entry(ld_, message);
      ++end.entries;
      const bool go_on = visit(entry);
      if (!entry.ok()) ++end.malformed;
      if (!go_on) {
        ldap_abandon_ext(ld_, id, nullptr, nullptr);
        end.stopped = true;
        end.code = LDAP_USER_CANCELLED;
        return end;
      }
    } else if (type == LDAP_RES_SEARCH_REFERENCE) {
      ++end.references;
    } else if (type == LDAP_RES_SEARCH_RESULT) {
      char *matched = nullptr, *text = nullptr;
      LDAPControl** answered = nullptr;
      ldap_parse_result(ld_, message, &end.code, &matched, &text, nullptr, &answered, 0);
      if (matched != nullptr) end.matched = matched;
      if (end.code != LDAP_SUCCESS) end.message = Explain(end.code, text == nullptr ? "" : text);
      if (LDAPControl* page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, answered, nullptr)) {
        ber_int_t estimate = 0;
        BerValue next{};
        if (ldap_parse_pageresponse_control(ld_, page, &estimate, &next) == LDAP_SUCCESS) {
          cookie->assign(next.bv_val == nullptr ? "" : next.bv_val, next.bv_len);
          ber_memfree(next.bv_val);
        }
      }
      ldap_memfree(matched);
      ldap_memfree(text);
      ldap_controls_free(answered);
      return end;
    }
  }
}

SearchEnd Connection::Search(const SearchRequest& request, const Visitor& visit) {
  SearchEnd total;
  std::string cookie;
  do {
    LDAPControl* page = nullptr;
    if (request.page_size > 0) {
      BerValue value{cookie.size(), cookie.data()};
      ldap_create_page_control(ld_, request.page_size, cookie.empty() ? nullptr : &value, 1, &page);
    }
    LDAPControl* controls[] = {page, nullptr};
    cookie.clear();
    const SearchEnd end = SearchOnce(request, page == nullptr ? nullptr : controls, visit, &cookie);
    if (page != nullptr) ldap_control_free(page);
    total.code = end.code;
    total.message = end.message;
    total.matched = end.matched;
    total.entries += end.entries;
    total.references += end.references;
    total.malformed += end.malformed;
    total.stopped = end.stopped;
  } while (total.code == LDAP_SUCCESS && !cookie.empty());
  if (total.code != LDAP_SUCCESS && total.message.empty()) {
    total.message = Explain(total.code, "");
  }
  return total;
}

Result<std::string> Connection::WhoAmI() {
  BerValue* who = nullptr;
  const int code = ldap_whoami_s(ld_, &who, nullptr, nullptr);
  if (code != LDAP_SUCCESS || who == nullptr) {
    lost_ = lost_ || code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT;
    return Fail(ErrorCodeOf(code), "who am I: " + Explain(code, ServerText(ld_)));
  }
  std::string text(who->bv_val == nullptr ? "" : who->bv_val, who->bv_len);
  ber_bvfree(who);
  return text;
}

}  // namespace postern::directory
