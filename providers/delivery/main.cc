// The delivery provider: one process for one place.
#include "providers/delivery/open.h"
#include "providers/sdk/serve_place.h"

int main() {
  return postern::sdk::ServePlace("delivery", postern::delivery::OpenPlace);
}
