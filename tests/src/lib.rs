//! End-to-end tests, file tests and malformed-input tests of Cipherloom.
