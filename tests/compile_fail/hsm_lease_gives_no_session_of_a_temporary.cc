// EXPECT: use of deleted function '.*::Lease::operator\*\(\) &&'
// A reference out of a temporary Lease would outlive the lease: another thread may hold that
// session.
#include "pkcs11/session_pool.h"

using strongroom::pkcs11::Lease;
using strongroom::pkcs11::Session;
using strongroom::pkcs11::SessionPool;

Session& named(Lease& lease) { return *lease; }

#ifdef WRONG
Session& unnamed(SessionPool& pool) { return *pool.lease(); }
#endif
