// Mounts of a host, resolved to one path a folder.
#include "providers/filetransfer/host/second_ways.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::filetransfer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// "ROOT POINT" of one file system, or "DEVICE ROOT POINT".
std::string Line(int id, const std::string& device, const std::string& root,
                 const std::string& point) {
  return fmt::format("{} 1 {} {} {} rw,relatime shared:1 - ext4 /dev/sda1 rw\n", id, device, root,
                     point);
}

std::vector<std::string> Ways(const std::string& mountinfo, std::vector<std::string> roots) {
  std::vector<std::string> out;
  for (const SecondWay& way : WaysByMounts(ParseMounts(mountinfo), roots)) {
    out.push_back(way.path + " = " + way.real);
  }
  return out;
}

const std::string kRoot = Line(1, "8:1", "/", "/");

TEST(Mounts, AreReadWithTheirEscapes) {
  const auto mounts = ParseMounts(Line(7, "0:3", "/a\\040b", "/srv/x\\134y") + "no line\n");
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].root, "/a b");
  EXPECT_EQ(mounts[0].point, "/srv/x\\y");
  EXPECT_EQ(mounts[0].device, "0:3");
}

TEST(Mounts, AFolderShownTwiceInTheRootsCountsWhereItIs) {
  EXPECT_THAT(Ways(kRoot + Line(2, "8:1", "/srv/d/x", "/srv/d/in/m"), {"/srv/d"}),
              ElementsAre("/srv/d/in/m = /srv/d/x"));
}

TEST(Mounts, APathOutsideIsSecondToTheOneInTheRoots) {
  // From the roots into a login folder, and from outside into the roots.
  EXPECT_THAT(Ways(kRoot + Line(2, "8:1", "/srv/d/x", "/home/bea/x"), {"/srv/d"}),
              ElementsAre("/home/bea/x = /srv/d/x"));
  EXPECT_THAT(Ways(kRoot + Line(2, "8:1", "/data/x", "/srv/d/x"), {"/srv/d"}),
              ElementsAre("/data/x = /srv/d/x"));
}

TEST(Mounts, AMountAboveARootShowsTheWholeRoot) {
  EXPECT_THAT(Ways(kRoot + Line(2, "8:1", "/srv", "/mnt/copy"), {"/srv/d"}),
              ElementsAre("/mnt/copy/d = /srv/d"));
  EXPECT_THAT(Ways(kRoot + Line(2, "8:1", "/data", "/srv"), {"/srv/d"}),
              ElementsAre("/data/d = /srv/d"));
}

TEST(Mounts, WhatIsNobodysSecondPathIsNone) {
  EXPECT_THAT(Ways(kRoot + Line(2, "8:2", "/", "/srv/d/disk"), {"/srv/d"}), IsEmpty())
      << "another file system";
  EXPECT_THAT(Ways(kRoot + Line(2, "8:1", "/home/x", "/mnt/x"), {"/srv/d"}), IsEmpty())
      << "elsewhere";
  EXPECT_THAT(
      Ways(kRoot + Line(2, "8:1", "/srv/d/x", "/srv/d/in/m") + Line(3, "8:2", "/", "/srv/d"),
           {"/srv/d"}),
      IsEmpty())
      << "hidden by a later mount";
  EXPECT_THAT(Ways(kRoot + Line(2, "8:1", "/srv/d/x", "/mnt/m") + Line(3, "8:2", "/", "/srv/d/x"),
                   {"/srv/d"}),
              IsEmpty())
      << "the folder behind it has another mount on it";
}

TEST(Mounts, OfTwoThatAreTheSameTheEarlierCounts) {
  EXPECT_THAT(
      Ways(kRoot + Line(2, "8:2", "/", "/srv/d/a") + Line(3, "8:2", "/", "/srv/d/b"), {"/srv/d"}),
      ElementsAre("/srv/d/b = /srv/d/a"));
}

}  // namespace
}  // namespace postern::filetransfer
