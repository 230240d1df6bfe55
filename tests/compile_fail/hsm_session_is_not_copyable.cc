// EXPECT: use of deleted function '.*::Session\(const .*Session&\)'
// Two threads in one PKCS#11 session crash modules: a copy would allow it.
#include <utility>

#include "pkcs11/session.h"

using strongroom::pkcs11::Session;

Session moves(Session session) { return Session(std::move(session)); }

#ifdef WRONG
Session copies(const Session& session) { return Session(session); }
#endif
