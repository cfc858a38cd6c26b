// tests/conformance/scim_world.h: a SCIM server for one test; the server itself is started once.
#pragma once
#include <memory>
#include <set>
#include <string>

#include "schemas/declarations.pb.h"
#include "tests/conformance/suite.h"
#include "tests/support/http_proxy.h"
#include "tests/support/scim.h"

namespace postern::conformance {

class ScimWorld : public World {
 public:
  struct Setup {
    support::ScimServer::Kind kind{};
    int many = 0;
    bool etags = false;  // a proxy stands before it that adds versions and can spoil answers
    // The provider runs as the product starts it, and dies where the proxy says so; each member is
    // a request of its own, so that there is something between two of them.
    bool process = false;
  };
  explicit ScimWorld(const Setup& setup);
  ~ScimWorld() override;
  ScimWorld(const ScimWorld&) = delete;
  ScimWorld& operator=(const ScimWorld&) = delete;

  std::string WhyOff(Feature feature, Kind kind) const override;
  Result<std::unique_ptr<object::Target>> Connect() override;
  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override;
  void Prepare(Kind kind, int first, int last) override;
  int many() const override { return setup_.many; }
  void HandPut(const Message& object) override;
  void HandDelete(Kind kind, const std::string& key) override;
  uint32_t MakeUnreadable(Kind kind, const std::string& key) override;
  void CutShort(Kind kind, int objects) override;
  void LoseAnswers(int operations) override;
  void DieAfter(int operations) override;
  void Mend() override;

 private:
  nlohmann::json Call(const std::string& method, const std::string& path,
                      const nlohmann::json& body = nullptr) const;
  // Empty: there is none.
  std::string IdOf(Kind kind, const std::string& name) const;
  void PutMember(const std::string& key, bool in) const;
  void WriteRule(nlohmann::json rule);
  void ExpectNothingTwice() const;

  const Setup setup_;
  const int serial_;  // names of one test are its own
  support::ScimServer& server_;
  support::HttpProxy* proxy_ = nullptr;
  decl::Iam declared_;
  int pid_ = 0;          // of the provider, where it is a process
  bool struck_ = false;  // a write was done of which the provider wasn't told
};

}  // namespace postern::conformance
