// Control of the faulty module: a PKCS#11 library that is SoftHSM but for the calls that a test
// tells it to spoil. A test loads it by FAULTY_MODULE and finds these functions in it. A test that
// runs it in another process has files beside the one that SOFTHSM2_CONF names:
//   away        while it stands the token is away
//   faults      lines of a function and what becomes of its calls while the line stands:
//               "C_Decrypt 0x40" (the CK_RV), "C_Encrypt slow 300" (ms), "C_GenerateKey hold"
//   logins      has a byte for each call of C_Login
//   wrong-pins  has one for each wrong PIN since the last right one: after two the token says that
//               the next is the last try, after three its PIN is locked
#pragma once

extern "C" {

// The next `times` calls of `function` ("C_Sign") return `rv` without reaching SoftHSM. With
// CKR_OK, a function whose last argument is a size sets that to `size` instead.
void faulty_module_spoil(const char* function, unsigned long rv, int times, unsigned long size);
// Forgets what is still to be spoiled.
void faulty_module_heal();
// Calls of `function` since the library was loaded.
int faulty_module_calls(const char* function);
}
