// EXPECT: (no matching function for call to|cannot convert|could not convert)
// PCI DSS 3.3.1: there is no column for a verification code.
#include "cde/card/cvc.h"
#include "crypto/aead.h"
#include "storage/value.h"

using strongroom::cde::Cvc;
using strongroom::crypto::Sealed;
using strongroom::storage::Value;

Value stores(const Sealed& sealed) { return Value::sealed(sealed); }

#ifdef WRONG
Value stores(const Cvc& cvc) { return Value::text(cvc); }
#endif
