// core/access/product.h: what the planner must know of a file-transfer product, without I/O.
//
// Each product folder under providers/filetransfer has a library that implements this; cmd wires
// the list. Implementations are stateless and shared by all threads.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/enforced.h"
#include "core/access/rights.h"
#include "core/base/result.h"

namespace postern::access {

enum class Support : uint8_t { kNative, kWidens, kCoarser, kUnsupported };
std::string_view NameOf(Support support);

// What a product can express, by kind and field (or right). The static table serves offline
// `validate`; the provider's probe may override rows of it.
struct Capability {
  std::string kind;   // object kind: account, grant, ...
  std::string field;  // field or right; empty: the whole kind
  Support support = Support::kNative;
  Rights widens_to;  // with kWidens on a right: what comes along
  std::string why;   // one line, for people
  std::vector<std::string> alternatives;
};

// A row that the product can't keep apart from more: `extra` comes along for `subject` at `path`.
struct Widening {
  std::string path;
  Subject subject;
  Rights extra;
  std::string why;
};

// A row that the product can't express; it is left out of `rows`.
struct Refusal {
  GrantRow row;
  std::string why;
  std::vector<std::string> alternatives;
};

// The rows that the server will really enforce for the rows that were asked for.
struct Fit {
  std::vector<GrantRow> rows;  // normal form, sorted
  std::vector<Widening> widenings;
  std::vector<Refusal> refusals;
};

class Product {
 public:
  virtual ~Product() = default;
  virtual std::string_view name() const = 0;
  virtual std::vector<Capability> Capabilities() const = 0;
  // False: a row may name accounts only; what a group is granted is asked for each member.
  virtual bool TakesGroups() const { return true; }

  // Wanted rows of one server -> rows in the product's normal form: sorted by (path, depth,
  // subject), one row a key, nothing that a subtree row above for the same subject already gives
  // (but rights that hold only together stand together), widened where the product can't be exact.
  // Property: what the provider reads back after writing Fit(rows).rows is Fit(rows).rows, and Fit
  // is idempotent. `roots` are the managed roots; rows lie within them.
  virtual Fit FitRows(std::span<const GrantRow> rows, std::span<const std::string> roots) const = 0;

  // Its rules speak of paths, so that another path of a folder isn't under them.
  virtual bool RulesByPath() const { return false; }

  // What the server enforces with that configuration. Null: this product has no rules but rows.
  // Errors: kInvalid, kIncomplete, saying what of the configuration can't be read.
  virtual Result<std::unique_ptr<Enforced>> Raise(const RaiseInput& input) const {
    static_cast<void>(input);
    return std::unique_ptr<Enforced>();
  }
};

}  // namespace postern::access
