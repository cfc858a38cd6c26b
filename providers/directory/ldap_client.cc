#include "providers/directory/ldap_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "providers/directory/ldap_error.h"
#include "providers/directory/tls_diagnosis.h"

namespace postern::directory {
namespace {

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

EntryCursor::EntryCursor(LDAP* ld, LDAPMessage* message, const char* control)
    : ld_(ld), message_(message) {
  // First of all: reading the entry terminates its strings in place, over the bytes that follow
  // them, and what looks at the message again fails to decode it.
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
  for (BerVarray array : arrays_) ber_memfree(array);
  ber_free(ber_, 0);
}

bool EntryCursor::Next(std::string_view* name, std::span<const BerValue>* values) {
  if (!ok_) return false;
  BerValue attribute{};
  BerVarray array = nullptr;
  if (ldap_get_attribute_ber(ld_, message_, ber_, &attribute, &array) != LDAP_SUCCESS) {
    ok_ = false;
    return false;
  }
  if (attribute.bv_val == nullptr) return false;
  size_t count = 0;
  if (array != nullptr) {
    arrays_.push_back(array);
    while (array[count].bv_val != nullptr) ++count;
  }
  *name = View(attribute);
  *values = {array, count};
  return true;
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
  return connection;
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
      return Fail(ErrorCode::kAuthentication, reason);
    }
  }
  if (settings_.start_tls && code > 0) {
    return Fail(ErrorCode::kAuthentication,
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

SearchEnd Connection::SearchOnce(const SearchRequest& request, LDAPControl** controls,
                                 const Visitor& visit, std::string* cookie) {
  SearchEnd end;
  int id = 0;
  end.code = ldap_search_ext(ld_, request.base.c_str(), request.scope, request.filter.c_str(),
                             const_cast<char**>(request.attributes), 0, controls, nullptr, nullptr,
                             LDAP_NO_LIMIT, &id);
  if (end.code != LDAP_SUCCESS) {
    lost_ = lost_ || end.code == LDAP_SERVER_DOWN;
    return end;
  }
  for (;;) {
    LDAPMessage* message = Wait(id, settings_.patience.stall, &end.code);
    if (message == nullptr) return end;
    const std::unique_ptr<LDAPMessage, int (*)(LDAPMessage*)> guard(message, ldap_msgfree);
    const int type = ldap_msgtype(message);
    if (type == LDAP_RES_SEARCH_ENTRY) {
      EntryCursor entry(ld_, message);
      ++end.entries;
      if (!visit(entry)) {
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
