//! Nothing: that it compiles is the test.
