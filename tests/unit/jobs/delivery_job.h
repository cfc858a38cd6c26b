// tests/unit/jobs/delivery_job.h: one job with its outbox and a file of a run, for tests of
// delivery.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "core/base/hash.h"
#include "core/jobs/deliver.h"
#include "tests/support/process.h"

namespace postern::jobs {

inline constexpr char kJob[] = "export.users";

// One job with its outbox and a file of a run.
struct DeliveryJob {
  // Hundreds of outboxes: where syncing costs nothing.
  support::Scratch scratch{::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : ""};
  std::unique_ptr<Outbox> outbox = Open();
  Parcel parcel;

  explicit DeliveryJob(size_t bytes = 5000) { New(1, bytes); }

  std::unique_ptr<Outbox> Open() {
    auto opened = Outbox::Open(scratch.path() + "/jobs/outbox.db");
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  // As a process that starts anew.
  void Restart() {
    outbox.reset();
    outbox = Open();
  }
  void New(int slot, size_t bytes, const std::string& name = "users.csv") {
    std::string text;
    while (text.size() < bytes)
      text += "row " + std::to_string(static_cast<size_t>(slot) * 100000 + text.size()) + "\n";
    text.resize(bytes);
    parcel.run = RunId(kJob, slot, text);
    parcel.folder = "/in";
    parcel.name = name;
    parcel.file = scratch.Write("out/" + parcel.run + "/" + name, text, 0600);
    parcel.bytes = text.size();
    parcel.sha256 = base::Hex(base::Sha256(text));
    parcel.trigger = ".done";
    parcel.order = {"file", "checksum", "manifest", "trigger"};
    parcel.manifest = "{\"run\": \"" + parcel.run + "\"}\n";
    RunRow run;
    run.id = parcel.run;
    run.slot = slot;
    run.mode = "full";
    run.started = 10;
    EXPECT_TRUE(outbox->Begin(run));
  }
  std::string text() const { return support::ReadFile(parcel.file); }
  std::map<std::string, std::string> Expected() const {
    const std::string path = "/in/" + parcel.name;
    return {{path, text()},
            {path + ".done", ""},
            {path + ".manifest.json", parcel.manifest},
            {path + ".sha256", parcel.sha256 + "  " + parcel.name + "\n"}};
  }
};

}  // namespace postern::jobs
