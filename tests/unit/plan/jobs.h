// tests/unit/plan/jobs.h: installed jobs for Bench, sealed as compile seals them.
#pragma once
#include <string>
#include <vector>

#include "core/jobs/spec.h"
#include "tests/unit/plan/bench.h"

namespace postern::plan {

// An export of users, daily at 02:30, for a partner at a foreign place.
struct JobSample {
  std::string base, status, for_ = "partner:acme", server, folder = "/in", timer = "[Timer]\n";
  std::string address = "files.acme.test:2222", known_host;
  std::vector<std::string> columns{"uid", "mail"}, age;
  bool enabled = true;
  base::Instant sealed_at = kNow - 1000, last_good = 0;

  job::JobSpec Spec() const {
    job::JobSpec spec;
    spec.set_name("export.people");
    spec.set_sealed_at(sealed_at);
    spec.mutable_runner()->set_name("nightly");
    spec.mutable_runner()->set_host("edge");
    auto& endpoint = *spec.mutable_endpoint();
    endpoint.set_name("drop");
    if (!for_.empty()) endpoint.set_for_(for_);
    if (!server.empty()) endpoint.set_server(server);
    endpoint.set_protocol("sftp");
    endpoint.set_address(address);
    if (!known_host.empty()) endpoint.set_known_host(known_host);
    auto& what = *spec.mutable_export_();
    what.set_name("people");
    what.set_as("service:feed");
    what.set_what("users");
    what.mutable_from()->add_values("directory:corp");
    if (!base.empty()) what.mutable_select()->set_base(base);
    if (!status.empty()) what.mutable_select()->set_status(status);
    what.mutable_schedule()->set_cron("30 2 * * *");
    what.mutable_deliver()->set_to("drop");
    what.mutable_deliver()->set_folder(folder);
    what.mutable_deliver()->set_name("users.csv");
    for (const std::string& key : age) what.mutable_encrypt()->mutable_age()->add_values(key);
    for (const std::string& column : columns) {
      what.mutable_columns()->add_values()->set_from(column);
    }
    return spec;
  }
  object::Object Made() const {
    kinds::Job job;
    job.set_name("export.people");
    job.set_spec(jobs::Seal(Spec()).bytes);
    job.set_timer(timer);
    job.set_service("[Service]\n");
    job.set_enabled(enabled);
    if (last_good != 0) {
      job.set_last_good(last_good);
      job.set_last_ended(last_good);
      job.set_last_outcome("delivered");
    }
    return object::Encode(job);
  }
};

inline object::Object RunOfJob() {
  kinds::JobRun run;
  run.set_job("export.people");
  run.set_run("4711-1");
  return object::Encode(run);
}

}  // namespace postern::plan
