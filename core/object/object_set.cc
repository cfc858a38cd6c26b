#include <algorithm>
#include <cstring>

#include "core/object/key_order.h"
#include "core/object/object.h"

namespace postern::object {
namespace {

constexpr size_t kBlock = 256 * 1024;

bool Before(const ObjectView& a, const ObjectView& b) {
  return a.kind != b.kind ? a.kind < b.kind : a.key < b.key;
}

}  // namespace

char* Arena::Take(size_t size) {
  if (used_ + size > capacity_) {
    capacity_ = std::max(kBlock, size);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(capacity_));
    used_ = 0;
    bytes_ += capacity_;
  }
  char* to = blocks_.back().get() + used_;
  used_ += size;
  return to;
}

std::string_view Arena::Copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  char* to = Take(bytes.size());
  std::memcpy(to, bytes.data(), bytes.size());
  return {to, bytes.size()};
}

ObjectView ObjectSet::Copy(const ObjectView& object, const ObjectView* neighbour) {
  ObjectView copy = object;
  copy.key = arena_.Copy(object.key);
  copy.body = arena_.Copy(object.body);
  copy.id = arena_.Copy(object.id);
  // Neighbours are mostly changed by one writer: keep that name once.
  copy.changed_by = neighbour != nullptr && neighbour->changed_by == object.changed_by
                        ? neighbour->changed_by
                        : arena_.Copy(object.changed_by);
  copy.how_known = neighbour != nullptr && neighbour->how_known == object.how_known
                       ? neighbour->how_known
                       : arena_.Copy(object.how_known);
  return copy;
}

void ObjectSet::Add(const ObjectView& object) {
  objects_.push_back(Copy(object, objects_.empty() ? nullptr : &objects_.back()));
}

bool ObjectSet::Replace(const ObjectView& object) {
  const ObjectView* found = Find(object.kind, object.key);
  if (found == nullptr) return false;
  const auto index = static_cast<size_t>(found - objects_.data());
  objects_[index] = Copy(object, found);
  return true;
}

void ObjectSet::Sort() {
  SortByKey(&objects_);
  size_t kept = 0;
  for (size_t i = 0; i < objects_.size(); ++i) {
    if (kept > 0 && objects_[kept - 1].kind == objects_[i].kind &&
        objects_[kept - 1].key == objects_[i].key) {
      duplicates_.push_back(objects_[i]);
    } else {
      objects_[kept++] = objects_[i];
    }
  }
  objects_.resize(kept);
}

const ObjectView* ObjectSet::Find(Kind kind, std::string_view key) const {
  ObjectView probe;
  probe.kind = kind;
  probe.key = key;
  const auto at = std::lower_bound(objects_.begin(), objects_.end(), probe, Before);
  return at != objects_.end() && at->kind == kind && at->key == key ? &*at : nullptr;
}

std::span<const ObjectView> ObjectSet::OfKind(Kind kind) const {
  const auto first = std::partition_point(objects_.begin(), objects_.end(),
                                          [&](const ObjectView& o) { return o.kind < kind; });
  const auto last = std::partition_point(first, objects_.end(),
                                         [&](const ObjectView& o) { return o.kind <= kind; });
  return {first, last};
}

}  // namespace postern::object
