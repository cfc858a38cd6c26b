// providers/filetransfer/proftpd/product.h: ProFTPD as the planner sees it.
//
// Stateless; shared by all threads.
#pragma once
#include "core/access/product.h"

namespace postern::proftpd {

class ProftpdProduct final : public access::Product {
 public:
  std::string_view name() const override { return "proftpd"; }
  std::vector<access::Capability> Capabilities() const override;
  // Not expressible, so refused: unfit paths and names (names.h), overwrite without create.
  // Widened: create beside somebody else's overwrite in the same folder, because AllowOverwrite is
  // a switch of the folder.
  access::Fit FitRows(std::span<const access::GrantRow> rows,
                      std::span<const std::string> roots) const override;
  bool RulesByPath() const override { return true; }
  // Takes redacted texts (redact.h): a statement stands on one line.
  Result<std::unique_ptr<access::Enforced>> Raise(const access::RaiseInput& input) const override;
};

// The one instance.
const access::Product& Proftpd();

}  // namespace postern::proftpd
