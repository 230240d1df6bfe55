// EXPECT: could not convert 'operation' from .*OperationIdTag.* to .*TokenIdTag
// Two ids of 16 bytes each are still two things.
#include "base/id.h"

using strongroom::OperationId;
using strongroom::TokenId;

void erase(TokenId token);

void right(TokenId token) { erase(token); }

#ifdef WRONG
void mixed(OperationId operation) { erase(operation); }
#endif
