#include "core/config/service_accounts.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace postern::config {
namespace {

using decl::ServiceAccount;

class Writer {
 public:
  Writer(Declarations* declarations, uint32_t position)
      : all_(*declarations),
        declared_(declarations->service_accounts[position]),
        number_(position + 1) {}

  void Write() {
    const ServiceAccount& m = declared_.message;
    for (int i = 0; i < m.servers().values_size(); ++i) WriteAccount(i);
    if (m.has_directory()) WriteUser();
    for (int i = 0; i < m.rows().values_size(); ++i) WriteGrant(i);
  }

 private:
  // Places by the field that they are of; sorted at the end, as FindPlace needs them.
  class Places {
   public:
    void Put(int field, const diag::Span& span, int element = -1) {
      places_.emplace_back(static_cast<uint32_t>(field) << 16 | static_cast<uint32_t>(element + 1),
                           span);
    }
    FieldPlaces Take() {
      std::sort(places_.begin(), places_.end(),
                [](const auto& a, const auto& b) { return a.first < b.first; });
      return std::move(places_);
    }

   private:
    FieldPlaces places_;
  };

  std::string Identity() const { return "service:" + declared_.message.name(); }
  const std::string& Login() const {
    const ServiceAccount& m = declared_.message;
    return m.has_login() ? m.login() : m.name();
  }
  // No name that a person can write: '@' can't stand in one.
  std::string NameAt(const std::string& where) const {
    return declared_.message.name() + "@" + where;
  }
  diag::Span Of(int field, int element = -1) const { return declared_.At(field, element); }

  template <class M>
  Declared<M>& Add(std::vector<Declared<M>>* list) {
    Declared<M>& added = list->emplace_back();
    added.span = declared_.span;
    added.service_account = number_;
    return added;
  }

  template <class M>
  void SetTimes(M* message, Places* places) const {
    const ServiceAccount& m = declared_.message;
    if (m.has_expires()) message->set_expires(m.expires());
    places->Put(M::kExpiresFieldNumber, Of(ServiceAccount::kExpiresFieldNumber));
    if constexpr (requires { message->set_starts(0); }) {
      if (m.has_starts()) message->set_starts(m.starts());
      places->Put(M::kStartsFieldNumber, Of(ServiceAccount::kStartsFieldNumber));
    }
  }

  void WriteAccount(int server) {
    using decl::Account;
    const ServiceAccount& m = declared_.message;
    Declared<Account>& added = Add(&all_.accounts);
    Account& account = added.message;
    Places places;
    account.set_server(m.servers().values(server));
    account.set_name(NameAt(account.server()));
    account.set_for_(Identity());
    account.set_login(Login());
    account.set_home(m.home());
    account.set_enabled(!m.has_enabled() || m.enabled());
    account.set_comment(m.purpose());
    places.Put(Account::kServerFieldNumber, Of(ServiceAccount::kServersFieldNumber, server));
    places.Put(Account::kLoginFieldNumber, Of(ServiceAccount::kLoginFieldNumber));
    places.Put(Account::kHomeFieldNumber, Of(ServiceAccount::kHomeFieldNumber));
    places.Put(Account::kCommentFieldNumber, Of(ServiceAccount::kPurposeFieldNumber));
    SetTimes(&account, &places);
    SetPassword(&account, &places);
    SetKeys(&account, &places);
    added.fields = places.Take();
  }

  template <class M>
  void SetPassword(M* message, Places* places) const {
    const ServiceAccount& m = declared_.message;
    const bool next = m.next().has_password();
    const decl::Credential& slot = next ? m.next() : m.current();
    if (!slot.has_password()) return;
    message->set_password(slot.password());
    const int field = next ? ServiceAccount::kNextFieldNumber : ServiceAccount::kCurrentFieldNumber;
    places->Put(M::kPasswordFieldNumber, Of(Nested(field, decl::Credential::kPasswordFieldNumber)));
  }

  void SetKeys(decl::Account* account, Places* places) const {
    const ServiceAccount& m = declared_.message;
    constexpr int kKeys = decl::Account::kKeysFieldNumber;
    for (const auto& [slot, field] :
         {std::pair(&m.current(), int{ServiceAccount::kCurrentFieldNumber}),
          std::pair(&m.next(), int{ServiceAccount::kNextFieldNumber})}) {
      if (!slot->has_key()) continue;
      places->Put(kKeys, Of(Nested(field, decl::Credential::kKeyFieldNumber)),
                  account->keys().values_size());
      decl::Key* key = account->mutable_keys()->add_values();
      key->set_key(slot->key());
      if (m.has_from()) *key->mutable_from() = m.from();
    }
  }

  void WriteUser() {
    using decl::User;
    const ServiceAccount& m = declared_.message;
    Declared<User>& added = Add(&all_.users);
    User& user = added.message;
    Places places;
    user.set_name(NameAt(m.directory()));
    user.set_for_(Identity());
    user.set_directory(m.directory());
    user.set_uid(Login());
    user.set_common_name(m.name());
    user.set_description(m.purpose());
    user.set_enabled(!m.has_enabled() || m.enabled());
    if (m.has_dn()) user.set_dn(m.dn());
    places.Put(User::kDirectoryFieldNumber, Of(ServiceAccount::kDirectoryFieldNumber));
    places.Put(User::kUidFieldNumber, Of(ServiceAccount::kLoginFieldNumber));
    places.Put(User::kDnFieldNumber, Of(ServiceAccount::kDnFieldNumber));
    places.Put(User::kDescriptionFieldNumber, Of(ServiceAccount::kPurposeFieldNumber));
    SetTimes(&user, &places);
    SetPassword(&user, &places);
    added.fields = places.Take();
  }

  void WriteGrant(int position) {
    using decl::Grant;
    const ServiceAccount& m = declared_.message;
    const decl::RoleRow& row = m.rows().values(position);
    Declared<Grant>& added = Add(&all_.grants);
    Grant& grant = added.message;
    Places places;
    const diag::Span at = Of(ServiceAccount::kRowsFieldNumber, position);
    grant.mutable_who()->add_values(Identity());
    grant.set_folder(row.folder());
    *grant.mutable_rights() = row.rights();
    if (row.has_depth()) grant.set_depth(row.depth());
    grant.set_reason(m.purpose());
    for (const int field : {int{Grant::kWhoFieldNumber}, int{Grant::kFolderFieldNumber},
                            int{Grant::kRightsFieldNumber}, int{Grant::kDepthFieldNumber}}) {
      places.Put(field, at);
    }
    SetTimes(&grant, &places);
    added.fields = places.Take();
    added.span = at;
  }

  Declarations& all_;
  const Declared<ServiceAccount>& declared_;
  const uint32_t number_;
};

}  // namespace

void WriteOutServiceAccounts(Declarations* declarations) {
  std::unordered_set<std::string_view> names;
  for (uint32_t i = 0; i < declarations->service_accounts.size(); ++i) {
    if (!names.insert(declarations->service_accounts[i].message.name()).second) continue;
    Writer(declarations, i).Write();
  }
}

}  // namespace postern::config
