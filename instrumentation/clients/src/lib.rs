//! Nothing but the tests beside it: each client against the mock provider of the examples, and what its spans say.
