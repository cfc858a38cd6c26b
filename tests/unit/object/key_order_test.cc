#include "core/object/key_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

namespace postern::object {
namespace {

std::vector<uint32_t> Plain(const std::vector<KindAndKey>& keys) {
  std::vector<uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return keys[a].kind != keys[b].kind ? keys[a].kind < keys[b].kind : keys[a].key < keys[b].key;
  });
  return order;
}

TEST(KeyOrder, IsThatOfAPlainStableSort) {
  std::mt19937 random(20261121);
  const auto pick = [&](size_t below) { return random() % below; };
  for (int round = 0; round < 200; ++round) {
    // Few letters, zeros and high bytes among them, long shared starts, many equal keys.
    constexpr char kLetters[] = {'a', 'b', '\0', '\x1f', '\xff', '/'};
    const std::string start(pick(20), 'x');
    std::vector<std::string> texts(1 + pick(300));
    for (std::string& text : texts) {
      text = start;
      const size_t length = pick(30);
      const size_t alike = pick(2) == 0 ? length : pick(length + 1);
      for (size_t i = 0; i < length; ++i) text += i < alike ? 'a' : kLetters[pick(6)];
    }
    std::vector<KindAndKey> keys;
    for (const std::string& text : texts) {
      keys.push_back({pick(3) == 0 ? Kind::kGrant : Kind::kAccount, text});
    }
    EXPECT_EQ(KeyOrder(keys), Plain(keys)) << "round " << round;
  }
}

TEST(KeyOrder, KeepsAKeyThatEndsBeforeOneThatGoesOnWithAZero) {
  const std::string short_key = "account", zero = short_key + std::string(1, '\0');
  std::vector<KindAndKey> keys(20, {Kind::kAccount, zero});
  keys.push_back({Kind::kAccount, short_key});
  EXPECT_EQ(KeyOrder(keys).front(), 20u);
  EXPECT_EQ(KeyOrder(keys), Plain(keys));
}

TEST(KeyOrder, SortsAList) {
  std::vector<KindAndKey> list = {
      {Kind::kGrant, "a"}, {Kind::kAccount, "b"}, {Kind::kAccount, "a"}};
  SortByKey(&list);
  EXPECT_EQ(list[0].key, "a");
  EXPECT_EQ(list[1].key, "b");
  EXPECT_EQ(list[2].kind, Kind::kGrant);
}

}  // namespace
}  // namespace postern::object
