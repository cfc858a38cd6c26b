// core/plan/server_rules.h: the rules by other hands of one server, and what they really do.
//
// A product raises the server's configuration as it is and without these rules; the difference is
// their effect. Pure; one thread. Internal to core/plan.
//
// Cost: two raises and a comparison for the effect of all, as much again for each unit. Only
// servers with such rules are raised at all.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/access/overlay.h"
#include "core/access/product.h"
#include "core/access/ways.h"
#include "core/object/object.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {

// What decides access beside the configuration's own files, now or after a plan.
struct ServerState {
  std::vector<access::GrantRow> rows;
  std::vector<std::string> roots;    // that Postern's own file closes
  std::vector<std::string> managed;  // where effects are looked for
  std::vector<access::RaiseAccount> accounts;
  bool rewritten = false;  // Postern's own file is written anew
  // A folder in the managed roots is there.
  std::function<bool(const std::string&)> exists;
};

struct ForeignRule {
  const object::ObjectView* object = nullptr;
  kinds::NativeRule rule;
  // "/etc/proftpd/conf.d/x.conf:12", or the file alone.
  std::string Place() const;
  // It is no rule but another path of a folder.
  bool IsWay() const { return rule.has_by(); }
  // What to do about it, for people.
  std::string WayOut() const;
};

// Rules that an effect is told of together: places in ServerRules::rules().
using RuleUnit = std::vector<size_t>;

// One state, raised.
class RaisedServer {
 public:
  // What all these rules do together.
  const std::shared_ptr<const access::Overlay>& All() const { return all_; }
  // What those of the unit do, the others being as they are. Errors: those of Product::Raise.
  Result<std::shared_ptr<const access::Overlay>> Of(const RuleUnit& unit) const;
  // What all others do together; null: there are none.
  Result<std::shared_ptr<const access::Overlay>> Without(const RuleUnit& unit) const;

 private:
  friend class ServerRules;
  using Enforced = std::shared_ptr<const access::Enforced>;
  // The state without that unit, raised once.
  Result<Enforced> Lacking(const RuleUnit& unit) const;

  const class ServerRules* rules_ = nullptr;
  access::RaiseInput input_;
  std::set<std::string> paths_;
  std::vector<std::string> managed_;
  std::function<bool(const std::string&)> exists_;
  std::shared_ptr<const access::Overlay::Logins> logins_;
  Enforced live_;
  std::shared_ptr<const access::Overlay> all_;
  mutable std::map<RuleUnit, Enforced> lacking_;
  mutable std::map<RuleUnit, std::shared_ptr<const access::Overlay>> known_;
};

class ServerRules {
 public:
  // Null product: nothing can be raised.
  void SetProduct(const access::Product* product) { product_ = product; }
  void AddFile(const kinds::ServerConfig& file);
  // A rule, or another path of a folder (NativeRule's `by`).
  void AddRule(const object::ObjectView& object);
  const std::vector<ForeignRule>& rules() const { return rules_; }

  // Each rule by itself while they are few, else each file's, else all of them.
  std::vector<RuleUnit> Units() const;
  RuleUnit Whole() const;
  // Errors: kNotFound when the server's configuration wasn't observed or its product has nothing to
  // raise; else those of Product::Raise.
  Result<RaisedServer> Raise(const ServerState& state) const;

 private:
  friend class RaisedServer;
  Result<std::shared_ptr<const access::Enforced>> RaiseWithout(
      access::RaiseInput input, const RuleUnit& unit,
      const std::function<bool(const std::string&)>& exists) const;

  const access::Product* product_ = nullptr;
  std::vector<access::ConfigFile> files_;
  std::vector<std::string> defines_;
  std::vector<ForeignRule> rules_;
};

// "acme" of "partner:acme".
std::string_view ShortIdentity(std::string_view identity);
// Why something can't be computed, with the line that makes it so.
std::string ReasonText(const access::Reason& reason);

}  // namespace postern::plan
