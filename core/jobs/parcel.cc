// What the declarations say of a delivery, and what its errors are called.
#include <algorithm>

#include "core/diag/codes.h"
#include "core/jobs/deliver.h"

namespace postern::jobs {

Parcel ParcelOf(const decl::Deliver& deliver, const decl::Endpoint& endpoint) {
  Parcel parcel;
  parcel.folder = deliver.folder();
  if (deliver.has_temporary()) parcel.temporary = deliver.temporary();
  parcel.trigger = deliver.trigger();
  if (deliver.has_order()) {
    parcel.order.assign(deliver.order().values().begin(), deliver.order().values().end());
  }
  if (!parcel.trigger.empty() &&
      std::find(parcel.order.begin(), parcel.order.end(), "trigger") == parcel.order.end()) {
    parcel.order.emplace_back("trigger");
  }
  parcel.receiver = endpoint.receiver() == "rename"   ? Receiver::kRename
                    : endpoint.receiver() == "direct" ? Receiver::kDirect
                                                      : Receiver::kUnique;
  parcel.verify = endpoint.verify() == "size" ? Verify::kSize : Verify::kReadBack;
  parcel.ack = deliver.ack();
  parcel.reject = deliver.reject();
  if (deliver.has_ack_minutes()) parcel.ack_limit = std::chrono::minutes(deliver.ack_minutes());
  return parcel;
}

std::string_view DeliveryCode(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return diag::code::kPlaceUnreachable;
    case ErrorCode::kAuthentication:
      return diag::code::kPlaceRefuses;
    case ErrorCode::kUntrusted:
      return diag::code::kUntrusted;
    case ErrorCode::kDenied:
    case ErrorCode::kNotFound:
    case ErrorCode::kUnsupported:
    case ErrorCode::kInvalid:
      return diag::code::kPlaceDenies;
    case ErrorCode::kIncomplete:
      return diag::code::kArrivedDifferent;
    case ErrorCode::kConflict:
      return diag::code::kNameTaken;
    case ErrorCode::kInternal:
    case ErrorCode::kCancelled:
    case ErrorCode::kNotInstalled:
      break;
  }
  return diag::code::kDeliveryBroke;
}

std::string_view EncryptionCode(const Error& error) {
  return error.code == ErrorCode::kAuthentication ? diag::code::kBadSignature
                                                  : diag::code::kNotEncrypted;
}

}  // namespace postern::jobs
