// Control of the faulty module: a PKCS#11 library that is SoftHSM but for the calls that a test
// tells it to spoil. A test loads it by FAULTY_MODULE and finds these functions in it. For a test
// that runs it in another process, the token is away while a file `away` stands beside the file
// that SOFTHSM2_CONF names.
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
