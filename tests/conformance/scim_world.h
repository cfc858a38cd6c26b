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
  // `etags`: a proxy stands before it that adds versions and can spoil answers.
  ScimWorld(support::ScimServer::Kind kind, bool etags, int many);

  std::string WhyOff(Feature feature, Kind kind) const override;
  Result<std::unique_ptr<object::Target>> Connect() override;
  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override;
  void Prepare(Kind kind, int first, int last) override;
  int many() const override { return many_; }
  void HandPut(const Message& object) override;
  void HandDelete(Kind kind, const std::string& key) override;
  uint32_t MakeUnreadable(Kind kind, const std::string& key) override;
  void CutShort(Kind kind, int objects) override;
  void LoseAnswers(int) override {}
  void DieAfter(int) override {}
  void Mend() override;

 private:
  nlohmann::json Call(const std::string& method, const std::string& path,
                      const nlohmann::json& body = nullptr) const;
  // Empty: there is none.
  std::string IdOf(Kind kind, const std::string& name) const;
  void PutMember(const std::string& key, bool in) const;

  const bool strict_;
  const int many_;
  const int serial_;  // names of one test are its own
  support::ScimServer& server_;
  support::HttpProxy* proxy_ = nullptr;
  decl::Iam declared_;
};

}  // namespace postern::conformance
