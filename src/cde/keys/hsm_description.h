// HsmDescription: what module and token say of themselves, for evidence; texts of the HSM's makers,
// in printable ASCII.
#pragma once

#include <string>

namespace strongroom::cde {

struct HsmDescription {
  std::string module_manufacturer;
  std::string module_description;
  std::string module_version;
  std::string cryptoki_version;
  std::string token_label;
  std::string token_manufacturer;
  std::string token_model;
  std::string token_serial;
  std::string token_hardware_version;
  std::string token_firmware_version;
};

}  // namespace strongroom::cde
