// Private to src/pkcs11: an attribute template, with the storage its pointers need.
#pragma once

#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace strongroom::pkcs11 {

// Template borrows text and bytes until it is destroyed; numbers and flags are its own.
class Template {
 public:
  Template& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    numbers_.push_back(value);
    attributes_.push_back({type, &numbers_.back(), sizeof(CK_ULONG)});
    return *this;
  }
  Template& flag(CK_ATTRIBUTE_TYPE type, bool value) {
    attributes_.push_back({type, value ? &kTrue : &kFalse, sizeof(CK_BBOOL)});
    return *this;
  }
  Template& bytes(CK_ATTRIBUTE_TYPE type, std::span<const std::byte> value) {
    attributes_.push_back({type, bytes_of(value), value.size()});
    return *this;
  }
  Template& text(CK_ATTRIBUTE_TYPE type, std::string_view value) {
    return bytes(type, as_bytes(value));
  }
  CK_ATTRIBUTE_PTR data() noexcept { return attributes_.data(); }
  CK_ULONG size() const noexcept { return attributes_.size(); }

 private:
  static inline CK_BBOOL kTrue = CK_TRUE;
  static inline CK_BBOOL kFalse = CK_FALSE;
  std::deque<CK_ULONG> numbers_;  // a deque never moves what it holds
  std::vector<CK_ATTRIBUTE> attributes_;
};

}  // namespace strongroom::pkcs11
